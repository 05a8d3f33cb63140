"""Training: the step, the loop around it, what is looked at meanwhile, and the ways to begin and to go on."""

from ganzfeld.training.callbacks import Progress
from ganzfeld.training.evaluation import evaluate
from ganzfeld.training.train import resume, train

__all__ = ["Progress", "evaluate", "resume", "train"]
