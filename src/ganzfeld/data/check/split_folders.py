"""Recognise folders that are the splits of a dataset: ``train``, ``test``, ``val``.

A dataset is read as a whole, so training uses all such folders, and may even take them for classes.
"""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

_PARTS = {
    "training": "train training trn",
    "testing": "test testing tst",
    "validation": "val valid validation validate dev development",
    "evaluation": "eval evaluation",
    "holdout": "holdout heldout",
}
_PART_OF = {word: part for part, words in _PARTS.items() for word in words.split()}
_USUAL_WORDS = """
set sets split data dataset images image imgs img images photos pics samples files folder shard shards part
tar gz tgz bz xz of
"""
_BESIDE = frozenset(_USUAL_WORDS.split())
_DOMAIN = re.compile(r"(train|test|val)[ab]")  # trainA, trainB: two domains, each split
_MOST_FOLDERS = 10_000


class SplitFolders(NamedTuple):
    """The folders ``names`` in the folder ``parent`` (``""``: the dataset itself), which are its splits.

    ``inside`` are the folders in the first split, the one to train on; ``repeated`` says that other folders
    have splits too, as in ``cats/train``, ``cats/test``, ``dogs/train``, ``dogs/test``.
    """

    parent: str
    names: tuple[str, ...]
    inside: tuple[str, ...]
    repeated: bool


def split_folders(names: Iterable[str]) -> SplitFolders | None:
    """Return the topmost splits among the folders of these image names, or None."""
    siblings: dict[str, set[str]] = {}
    below: dict[str, set[str]] = {}
    for folder, _ in groupby(name.rpartition("/")[0] for name in names):
        steps = folder.split("/")
        for depth, step in enumerate(steps):
            if part_of(step) and len(below) < _MOST_FOLDERS:
                siblings.setdefault("/".join(steps[:depth]), set()).add(step)
                below.setdefault("/".join(steps[: depth + 1]), set()).update(steps[depth + 1 : depth + 2])
    split = {parent: folders for parent, folders in siblings.items() if len(set(map(part_of, folders))) > 1}
    if not split:
        return None
    parent = min(split, key=lambda parent: (parent.count("/") + bool(parent), parent))
    folders = sorted(split[parent], key=lambda name: (part_of(name) != "training", name))
    inside = below[f"{parent}/{folders[0]}" if parent else folders[0]]
    return SplitFolders(parent, tuple(folders), tuple(sorted(inside)), repeated=len(split) > 1)


def part_of(folder: str) -> str | None:
    """Return which split of a dataset a folder is, by all words in its name; None if it is not one.

    >>> part_of("train2017"), part_of("test_images"), part_of("trainer")
    ('training', 'testing', None)
    """
    words = [word for word in re.findall(r"[^\W\d_]+", folder.casefold()) if word not in _BESIDE]
    joined = "".join(words)
    domain = _DOMAIN.fullmatch(joined)
    return _PART_OF.get(domain[1] if domain else joined)
