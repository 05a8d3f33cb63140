"""How a run folder is recognised, and what is written in one: needed by whoever must leave runs alone."""

import os
import re
from collections.abc import Container
from pathlib import Path

RECIPE = "recipe.json"
FACTS = "run.json"
LOCK = ".lock"
INNER_FOLDERS = ("samples", "checkpoints", "model")

OWN_NAMES = frozenset(
    {RECIPE, FACTS, LOCK, "journal.jsonl", "reals.png", "verdict.json", "report.html", *INNER_FOLDERS}
)
"""What is written in a run folder. Anything else there is the user's."""


_NUMBERED = re.compile(
    r"[0-9]+\.png|[0-9]{12}\.(safetensors|sha256)|generator\.safetensors|card\.json", re.ASCII
)


def is_written(name: str) -> bool:
    """Whether a file of that name is written in a run folder, or in a folder in one."""
    return name in OWN_NAMES or _NUMBERED.fullmatch(name) is not None


def is_run(names: Container[str]) -> bool:
    """Whether a folder that holds these names is a run; one that has only begun has no recipe yet."""
    return FACTS in names and (RECIPE in names or LOCK in names)


def is_among_images(path: Path, data: Path) -> bool:
    """Whether a file lies, or would lie, inside a folder of images, and in no run folder in it."""
    data, inside = data.resolve(), path.resolve()
    if not inside.is_relative_to(data):
        return False
    between = [folder for folder in inside.parents if folder != data and folder.is_relative_to(data)]
    return not any(is_run(_marks_of(folder)) for folder in between)


def run_that_owns(path: Path) -> Path | None:
    """The run folder among whose own files a path lies, or would lie; None if there is none."""
    path = path.parent.resolve() / path.name
    for folder in path.parents:
        first = path.relative_to(folder).parts[0]
        if first in OWN_NAMES and is_run(_marks_of(folder)):
            return folder
    return None


def _marks_of(folder: Path) -> set[str]:
    return {name for name in (FACTS, RECIPE, LOCK) if os.path.lexists(folder / name)}
