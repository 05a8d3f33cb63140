"""Run folders: everything that a run keeps on disk, without the networks that are trained."""

from ganzfeld.runs.opening import open_run
from ganzfeld.runs.run import Run
from ganzfeld.runs.watched_run import WatchedRun

__all__ = ["Run", "WatchedRun", "open_run"]
