"""Run folders: everything that a run keeps on disk, without the networks that are trained."""

from ganzfeld.runs.run import Run, open_run

__all__ = ["Run", "open_run"]
