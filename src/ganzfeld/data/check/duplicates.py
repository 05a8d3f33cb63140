"""Find duplicates: images that occur as the same file, or so similar that a network would learn them twice.

``candidates`` finds pairs that may show the same, ``same_image`` compares their pixels, and the pairs that it
confirms form groups. Both are bounded: time and memory are linear in the number of images.
"""

import contextlib
import json
from dataclasses import dataclass

import numpy as np

from ganzfeld.data.check.candidates import candidates
from ganzfeld.data.check.same_image import loss_of_detail
from ganzfeld.data.images import ImageDataset
from ganzfeld.data.kinds import IMAGE
from ganzfeld.durable import write_bytes
from ganzfeld.errors import ResourceError

RULE = 3
"""Increased when other images count as duplicates; results of older rules in the cache are not used."""

_MOST_COMPARED = 20_000  # pairs of each list of candidates; those of connected images do not count
_FEW_COMPARED, _COMPARED_PER_IMAGE = 2_000, 8  # if there are few images
_MOST_AT_ONCE = 256  # pairs of images
_BYTES = 2**24  # of the first images of these pairs


@dataclass(frozen=True, slots=True)
class Group:
    """Entries of the listing that show one image; ``exact`` if their files are identical."""

    exact: bool
    entries: tuple[int, ...]


def duplicates_of(dataset: ImageDataset) -> list[Group]:
    """Return the result of ``find_duplicates``, which is stored with the dataset in the cache."""
    path = dataset.folder / "duplicates.json"
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        stored = json.loads(path.read_bytes())
        if stored["rule"] == RULE:
            return [Group(exact, tuple(entries)) for exact, entries in stored["groups"]]
    groups = find_duplicates(dataset)
    content = {"rule": RULE, "groups": [[group.exact, group.entries] for group in groups]}
    with contextlib.suppress(ResourceError):  # if the set was pruned, they are determined again next time
        write_bytes(path, json.dumps(content).encode())
    return groups


def find_duplicates(dataset: ImageDataset) -> list[Group]:
    """Return all groups of two or more duplicates, in the order of their first members."""
    records = dataset.records
    entries = np.flatnonzero(records["row"] >= 0)
    if len(entries) < 2:
        return []
    # The first 128 bits of each digest are more than enough to distinguish images.
    files = _numbered_files(np.ascontiguousarray(records["sha256"][:, :16][entries]).view("<u8"))
    _, first_of_file = np.unique(files, return_index=True)
    leaders = _UnionFind(len(entries))
    if dataset.framing.kind == IMAGE:
        _join_alike(leaders, dataset, np.sort(first_of_file))
    else:  # the look of other kinds is equal for duplicates, and only for them
        _join_equal(leaders, np.unique(records["look"][entries], return_inverse=True)[1])
    _join_equal(leaders, files)
    return _groups(leaders.all(), files, entries)


def _join_equal(leaders: "_UnionFind", numbers: np.ndarray) -> None:
    """Join all positions that have the same number; numbers are 0, 1, ... without gaps."""
    firsts = np.unique(numbers, return_index=True)[1][numbers]
    for position in np.flatnonzero(firsts != np.arange(len(firsts))).tolist():
        leaders.join(int(firsts[position]), position)


def _numbered_files(digests: np.ndarray) -> np.ndarray:
    """Number the different digests and return the number of each image; ``digests`` is uint64 (images, 2)."""
    order = np.lexsort((digests[:, 0], digests[:, 1]))
    ordered = digests[order]
    new = np.any(ordered[1:] != ordered[:-1], axis=1)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(new)])
    return numbers


def _join_alike(leaders: "_UnionFind", dataset: ImageDataset, among: np.ndarray) -> None:
    """Join the images in ``among`` that show the same; pairs that are connected already are not compared."""
    width, height = dataset.size
    at_once = min(_MOST_AT_ONCE, max(1, _BYTES // (width * height * dataset.channels)))
    scales = _scales(dataset)
    for pairs in candidates(dataset, among):
        left = min(_MOST_COMPARED, _FEW_COMPARED + _COMPARED_PER_IMAGE * len(among))
        for begin in range(0, len(pairs), at_once):
            part = pairs[begin : begin + at_once]
            part = part[[leaders.of(first) != leaders.of(second) for first, second in part.tolist()]][:left]
            left -= len(part)
            firsts, seconds = part.T
            if len(part):
                scale = np.minimum(scales[firsts], scales[seconds])
                losses = loss_of_detail(dataset.batch(firsts), dataset.batch(seconds), scale)
                for first, second in part[losses <= 1].tolist():
                    leaders.join(first, second)


def _scales(dataset: ImageDataset) -> np.ndarray:
    """Return the number of pixels of the file per pixel of the image, along one side, float (images,)."""
    used = dataset.records["row"] >= 0
    width, height = dataset.size
    return np.minimum(dataset.records["width"][used] / width, dataset.records["height"][used] / height)


class _UnionFind:
    """A union-find structure over positions; the leader of a group is its first member."""

    def __init__(self, size: int) -> None:
        self._leader = np.arange(size)

    def of(self, position: int) -> int:
        while self._leader[position] != position:
            self._leader[position] = self._leader[self._leader[position]]
            position = int(self._leader[position])
        return position

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.of(one), self.of(other)))
        self._leader[second] = first

    def all(self) -> np.ndarray:
        """Return the leader of every position; terminates, since leaders never come after their members."""
        leader = self._leader
        while not np.array_equal(leader, leader[leader]):
            leader = leader[leader]
        return leader


def _groups(leader: np.ndarray, files: np.ndarray, entries: np.ndarray) -> list[Group]:
    order = np.argsort(leader, kind="stable")
    begins = np.flatnonzero(np.diff(leader[order], prepend=-1))
    lengths = np.diff(begins, append=len(order))
    groups = []
    for begin, length in zip(begins[lengths > 1], lengths[lengths > 1], strict=True):
        members = order[begin : begin + length]
        groups.append(Group(len(set(files[members])) == 1, tuple(entries[members].tolist())))
    return groups
