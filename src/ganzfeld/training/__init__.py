"""Training: the step, the loop around it, the monitors, and the ways to begin and to resume a run."""

from ganzfeld.training.callbacks import Progress
from ganzfeld.training.evaluation import evaluate
from ganzfeld.training.train import resume, train

__all__ = ["Progress", "evaluate", "resume", "train"]
