"""Classes of images: from the folders they lie in, and as numbers."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from ganzfeld.printable import counted, listed, visible

_MOST_CLASSES = 100_000


def classes_by_folder(names: Iterable[str]) -> Iterator[str] | None:
    """The sub-folder of every name, below the folder that all have in common (archives often have one).

    None unless every image lies in a sub-folder and there are at least two of these. Empty names stand for
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


def beside_folders(names: Iterable[str]) -> str:
    """What to say where folders are no classes only since some images lie beside them; ``""`` otherwise."""
    depth, loose, folders = _common_depth(names), 0, set[str]()
    for name in names:
        folder = _folder(name, depth)
        loose += bool(name) and not folder
        if folder and len(folders) <= _MOST_CLASSES:
            folders.add(folder)
    if not loose or not 1 < len(folders) <= _MOST_CLASSES:
        return ""
    shown = listed([visible(folder) for folder in sorted(folders)])
    return f"{counted(loose, 'image')} beside the folders {shown}, which are classes only without such images"


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
