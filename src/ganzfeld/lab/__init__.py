"""The lab: every claim of the theory as an experiment that can fail.

    closed form -> bench -> in situ -> verdict

Each experiment is a folder in ``experiments/``. Its verdict is computed from the measurements and never typed
in: see ``verdict_of``.
"""

from ganzfeld.lab.experiments import experiments
from ganzfeld.lab.live import Live, Training, live
from ganzfeld.lab.measured import Measured, Part
from ganzfeld.lab.outcome import Outcome, Sentence, verdict_of
from ganzfeld.lab.perform import run, write_outcome

__all__ = [
    "Live",
    "Measured",
    "Outcome",
    "Part",
    "Sentence",
    "Training",
    "experiments",
    "live",
    "run",
    "verdict_of",
    "write_outcome",
]
