"""Classes of pictures: from the folders they lie in, and as numbers."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

_MOST_CLASSES = 100_000


def classes_by_folder(names: Iterable[str]) -> Iterator[str] | None:
    """The sub-folder of every name, below the folder that all have in common (archives often have one).

    None unless every picture lies in a sub-folder and there are at least two of these. Empty names stand for
    nothing and have no class.
    """
    depth = _common_depth(names)
    runs = (run for run, _ in groupby(_folder(name, depth) for name in names if name))
    found = set()
    for run in runs:
        found.add(run)
        if not run or len(found) > _MOST_CLASSES:
            return None
    return (_folder(name, depth) for name in names) if len(found) > 1 else None


def numbered(classes: Iterable[str]) -> tuple[np.ndarray, list[str]]:
    """Class numbers, int64 (-1 for ``""``), and the names they index, in natural order: 2 before 10."""
    by_first_sight: dict[str, int] = {"": -1}
    seen = np.fromiter(
        (by_first_sight.setdefault(name, len(by_first_sight) - 1) for name in classes), np.int64
    )
    del by_first_sight[""]
    names = sorted(
        by_first_sight, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
    )
    rank = np.full(len(names) + 1, -1, np.int64)  # the last one stands for -1
    rank[[by_first_sight[name] for name in names]] = np.arange(len(names))
    return rank[seen], names


def _common_depth(names: Iterable[str]) -> int:
    """How many leading folders all names share."""
    common: list[str] | None = None
    for name in names:
        if not name:
            continue
        folders = name.split("/")[:-1]
        if common is None:
            common = folders
        while folders[: len(common)] != common:
            common.pop()
        if not common:
            return 0
    return len(common or [])


def _folder(name: str, depth: int) -> str:
    parts = name.split("/")
    return parts[depth] if len(parts) > depth + 1 else ""
