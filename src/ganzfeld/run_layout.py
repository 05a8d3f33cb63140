"""The layout of a run folder: how it is recognised, and which names in it are written by this program."""

import os
import re
from collections.abc import Container
from pathlib import Path

from ganzfeld.errors import UsageError
from ganzfeld.regular import read_regular
from ganzfeld.strict_json import strict_json

RECIPE = "recipe.json"
METADATA = "run.json"
LOCK = ".lock"
LARGEST_METADATA = 1_000_000
"""Bytes; ``run.json`` takes about a thousand, plus a hundred for each time the run was resumed."""

WATCHED_BY = "gz.watch"
"""The value of ``written_by`` in the ``run.json`` of a folder that ``gz.watch`` wrote."""

INNER_FOLDERS = ("samples", "checkpoints", "model")

TRAINING_NAMES = frozenset(
    {RECIPE, METADATA, LOCK, "journal.jsonl", "reals.png", "verdict.json", "report.html", *INNER_FOLDERS}
)
"""Names that are written in a run folder while it trains."""

INSIDE_PAGE, INSIDE_RECORDS = "inside.html", "inside"
"""The page that commands which look into a run write, and the folder of its records."""

OWN_NAMES = TRAINING_NAMES | {INSIDE_PAGE, INSIDE_RECORDS}
"""Names that are written in a run folder. Everything else in it belongs to the user."""


_NUMBERED = re.compile(
    r"[0-9]+\.png|[0-9]{12}\.(safetensors|sha256)|generator\.safetensors|card\.json", re.ASCII
)


def is_written(name: str) -> bool:
    """Check whether files of that name are written in a run folder or its subfolders while it trains."""
    return name in TRAINING_NAMES or _NUMBERED.fullmatch(name) is not None


def is_run(names: Container[str]) -> bool:
    """Check whether a folder with these names is a run. A run that has just begun has no recipe yet."""
    return METADATA in names and (RECIPE in names or LOCK in names)


def is_watched(folder: Path) -> bool:
    """Check whether ``gz.watch`` wrote a folder: it has readings of a loop, but no recipe and no model."""
    try:
        content = strict_json(read_regular(folder / METADATA, LARGEST_METADATA), undecodable=True)
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("written_by") == WATCHED_BY


def no_model_in(folder: Path) -> UsageError:
    """Return the error for a command that needs what a folder written by ``gz.watch`` does not have."""
    return UsageError(
        f"{folder} was written by gz.watch, so it holds readings of your own loop, but no recipe and no "
        "model",
        "Use your own generator; ganzfeld doctor reads this folder.",
    )


def is_among_images(path: Path, data: Path) -> bool:
    """Check whether a path is inside a folder of images, but not inside a run folder in it."""
    data, inside = data.resolve(), path.resolve()
    if not inside.is_relative_to(data):
        return False
    between = [folder for folder in inside.parents if folder != data and folder.is_relative_to(data)]
    return not any(is_run(_marks_of(folder)) for folder in between)


def run_that_owns(path: Path) -> Path | None:
    """Return the run folder whose own files or subfolders contain a path; None if there is none."""
    path = path.parent.resolve() / path.name
    for folder in path.parents:
        first = path.relative_to(folder).parts[0]
        if first in OWN_NAMES and is_run(_marks_of(folder)):
            return folder
    return None


def _marks_of(folder: Path) -> set[str]:
    return {name for name in (METADATA, RECIPE, LOCK) if os.path.lexists(folder / name)}
