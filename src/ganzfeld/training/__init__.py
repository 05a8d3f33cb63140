"""Training: the step, the loop around it, the engine below it, and the run folder it leaves."""

from ganzfeld.training.evaluation import evaluate
from ganzfeld.training.resume import resume
from ganzfeld.training.run import Run, open_run
from ganzfeld.training.train import train
from ganzfeld.training.watcher import Progress

__all__ = ["Progress", "Run", "evaluate", "open_run", "resume", "train"]
