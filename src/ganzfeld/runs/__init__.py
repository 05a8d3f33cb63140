"""Run folders: everything of a training that is on disk, without the networks that are trained."""

from ganzfeld.runs.run import Run, open_run

__all__ = ["Run", "open_run"]
