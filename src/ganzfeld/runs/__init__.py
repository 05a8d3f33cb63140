"""Run folders: everything that a run keeps on disk, without the networks that are trained."""

from ganzfeld.runs.opening import open_run
from ganzfeld.runs.run import Run

__all__ = ["Run", "open_run"]
