"""Derive the classes of images from their folders, and number classes."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from ganzfeld.printable import counted, listed, visible

_MOST_CLASSES = 100_000


def classes_by_folder(names: Iterable[str]) -> Iterator[str] | None:
    """Return the sub-folder of every name, below the folder that all share (archives often have one).

    Returns None unless every image is in a sub-folder and there are at least two of them. Empty names have no
    class. ``names`` can be iterated over many times.
    """
    depth = _common_depth(names)
    classes = set()
    for folder, _ in groupby(_folder(name, depth) for name in names if name):
        classes.add(folder)
        if not folder or len(classes) > _MOST_CLASSES:
            return None
    return (_folder(name, depth) for name in names) if len(classes) > 1 else None


def beside_folders(names: Iterable[str]) -> str:
    """Return the problem if folders are not classes only because of images beside them, or else ``""``."""
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
    """Return class numbers, int64 (-1 for ``""``), and the names they index in natural order: 2 before 10."""
    first_numbers: dict[str, int] = {"": -1}
    numbers = np.fromiter(
        (first_numbers.setdefault(name, len(first_numbers) - 1) for name in classes), np.int64
    )
    del first_numbers[""]
    names = sorted(
        first_numbers, key=lambda name: (not name.isdecimal(), int(name) if name.isdecimal() else 0, name)
    )
    rank = np.full(len(names) + 1, -1, np.int64)  # index -1 is the last element, which stays -1
    rank[[first_numbers[name] for name in names]] = np.arange(len(names))
    return rank[numbers], names


def _common_depth(names: Iterable[str]) -> int:
    """Return how many leading folders all names share."""
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
