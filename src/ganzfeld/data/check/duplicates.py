"""Find duplicates: images that occur as the same file, or so similar that a network would learn them twice.

Time and memory are linear in the number of images. The perceptual hashes are sorted four times, each time by
another quarter of their bits, and neighbours are candidates (after Manku, Jain and Das Sarma 2007): two
hashes that differ in at most three bits agree in at least one quarter. The brightness of 8x8 cells eliminates
most candidates, and comparing the pixels decides.
"""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ganzfeld.data.images import ImageDataset
from ganzfeld.durable import write_bytes
from ganzfeld.errors import ResourceError

_MOST_BITS = 3
_WINDOW = 32  # neighbours compared on each side; larger groups are found as chains
_MOST_PAIRS = 60_000  # compared pixel by pixel
_AT_ONCE = 65_536  # hashes
_GATHERED = 256  # pairs of images
_CELLS = 8
_ALIKE = 20.0  # the greatest root-mean-square difference of any cell, of 255


@dataclass(frozen=True, slots=True)
class Group:
    """Entries of the listing that show one image; ``exact`` if their files are identical."""

    exact: bool
    entries: tuple[int, ...]


def duplicates_of(dataset: ImageDataset) -> list[Group]:
    """Return the result of ``find_duplicates``, which is stored with the dataset in the cache."""
    path = dataset.folder / "duplicates.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return [Group(exact, tuple(entries)) for exact, entries in json.loads(path.read_bytes())]
    groups = find_duplicates(dataset)
    with contextlib.suppress(ResourceError):  # if the set was pruned, they are determined again next time
        write_bytes(path, json.dumps([[group.exact, group.entries] for group in groups]).encode())
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
    _join_alike(leaders, dataset, entries, np.sort(first_of_file))
    firsts = first_of_file[files]
    for position in np.flatnonzero(firsts != np.arange(len(firsts))).tolist():
        leaders.join(int(firsts[position]), position)
    return _groups(leaders.all(), files, entries)


def _numbered_files(digests: np.ndarray) -> np.ndarray:
    """Number the different digests and return the number of each image; ``digests`` is uint64 (images, 2)."""
    order = np.lexsort((digests[:, 0], digests[:, 1]))
    ordered = digests[order]
    new = np.any(ordered[1:] != ordered[:-1], axis=1)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(new)])
    return numbers


def _join_alike(leaders: "_UnionFind", dataset: ImageDataset, entries: np.ndarray, among: np.ndarray) -> None:
    """Join the positions in ``among`` whose images are alike; ``entries`` maps positions to entries."""
    left = _MOST_PAIRS
    for firsts, seconds in _candidates(dataset.records, entries[among]):
        pairs = zip(among[firsts].tolist(), among[seconds].tolist(), strict=True)
        apart = np.array([pair for pair in pairs if leaders.of(pair[0]) != leaders.of(pair[1])][:left])
        left -= len(apart)
        for chunk in np.array_split(apart, len(apart) // _GATHERED + 1) if len(apart) else ():
            differences = _largest_difference(dataset.batch(chunk[:, 0]), dataset.batch(chunk[:, 1]))
            for first, second in chunk[differences <= _ALIKE].tolist():
                leaders.join(first, second)


def _candidates(records: np.ndarray, entries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of positions in ``entries`` with similar hash and brightness, nearest first, with repeats.

    ``records`` is a memory-mapped file, of which only the hashes are copied as a whole.
    """
    looks, cells = records["look"][entries], records["cells"]
    for shift in (0, 16, 32, 48):
        rotated = (looks << np.uint64(shift)) | (looks >> np.uint64(64 - shift)) if shift else looks
        order = np.argsort(rotated, kind="stable")
        ordered = rotated[order]
        for step in range(1, min(_WINDOW, len(looks) - 1) + 1):
            near = np.flatnonzero(np.bitwise_count(ordered[step:] ^ ordered[:-step]) <= _MOST_BITS)
            for part in np.array_split(near, len(near) // _AT_ONCE + 1):
                firsts, seconds = order[part], order[part + step]
                difference = np.abs(
                    cells[entries[firsts]].astype(np.int16) - cells[entries[seconds]].astype(np.int16)
                )
                similar = (difference <= _ALIKE).all(axis=1)
                yield firsts[similar], seconds[similar]


def _largest_difference(firsts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return the root-mean-square difference in the worst of 8x8 cells, shape (pairs,).

    Both arguments are uint8 (pairs, height, width, channels). The worst cell counts, so that faces that
    differ only in the mouth are not duplicates.
    """
    square = ((firsts.astype(np.float32) - seconds.astype(np.float32)) ** 2).mean(axis=3)
    _, height, width = square.shape
    rows, columns = (np.arange(0, side, -(-side // _CELLS)) for side in (height, width))
    sums = np.add.reduceat(np.add.reduceat(square, rows, axis=1), columns, axis=2)
    counts = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    return np.sqrt((sums / counts).max(axis=(1, 2)))


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
