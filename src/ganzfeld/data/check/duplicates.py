"""Images that occur more than once: as the same file, or so alike that a network would learn them twice.

Time and memory grow in step with the set. Candidates for likeness are neighbours when the perceptual hashes
are sorted, four times, each time by another quarter of their bits (after Manku, Jain and Das Sarma 2007): two
hashes that differ in at most three bits agree in a quarter.
The brightness of 8x8 cells sorts out most of them, and the pixels themselves have the last word.
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
_WINDOW = 32  # neighbours looked at on each side; more than that alike is found as a chain
_MOST_PAIRS = 60_000  # compared pixel by pixel
_AT_ONCE = 65_536  # hashes
_GATHERED = 256  # pairs of images
_CELLS = 8
_ALIKE = 20.0  # the most by which any cell may differ: root of the mean square, of 255


@dataclass(frozen=True, slots=True)
class Group:
    """Entries of the listing that are one image; ``exact`` if their files are the same byte for byte."""

    exact: bool
    entries: tuple[int, ...]


def duplicates_of(dataset: ImageDataset) -> list[Group]:
    """``find_duplicates``, found once and kept with the set."""
    path = dataset.folder / "duplicates.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        return [Group(exact, tuple(entries)) for exact, entries in json.loads(path.read_bytes())]
    groups = find_duplicates(dataset)
    with contextlib.suppress(ResourceError):  # the set may have been pruned; then they are found again
        write_bytes(path, json.dumps([[group.exact, group.entries] for group in groups]).encode())
    return groups


def find_duplicates(dataset: ImageDataset) -> list[Group]:
    """All groups of two or more, in the order of their first members."""
    records = dataset.records
    entries = np.flatnonzero(records["row"] >= 0)
    if len(entries) < 2:
        return []
    # Of each digest 128 bits, which are more than enough among images.
    files = _numbered_files(np.ascontiguousarray(records["sha256"][:, :16][entries]).view("<u8"))
    _, first_of_file = np.unique(files, return_index=True)
    leaders = _Leaders(len(entries))
    _join_alike(leaders, dataset, entries, np.sort(first_of_file))
    firsts = first_of_file[files]
    for position in np.flatnonzero(firsts != np.arange(len(firsts))).tolist():
        leaders.join(int(firsts[position]), position)
    return _groups(leaders.all(), files, entries)


def _numbered_files(digests: np.ndarray) -> np.ndarray:
    """A number for every different digest; ``digests`` is uint64 (images, 2)."""
    order = np.lexsort((digests[:, 0], digests[:, 1]))
    ordered = digests[order]
    new = np.any(ordered[1:] != ordered[:-1], axis=1)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(new)])
    return numbers


def _join_alike(leaders: "_Leaders", dataset: ImageDataset, entries: np.ndarray, among: np.ndarray) -> None:
    """Joins the positions in ``among`` whose images are alike; ``entries`` has the entry of each."""
    left = _MOST_PAIRS
    for ones, others in _candidates(dataset.records, entries[among]):
        pairs = zip(among[ones].tolist(), among[others].tolist(), strict=True)
        apart = np.array([pair for pair in pairs if leaders.of(pair[0]) != leaders.of(pair[1])][:left])
        left -= len(apart)
        for some in np.array_split(apart, len(apart) // _GATHERED + 1) if len(apart) else ():
            differences = _largest_difference(dataset.batch(some[:, 0]), dataset.batch(some[:, 1]))
            for one, other in some[differences <= _ALIKE].tolist():
                leaders.join(one, other)


def _candidates(records: np.ndarray, entries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of positions in ``entries`` with nearly the same hash and brightness, nearest first; may repeat.

    ``records`` is a mapped file: only the hashes of it are copied as a whole.
    """
    looks, cells = records["look"][entries], records["cells"]
    for turn in (0, 16, 32, 48):
        turned = (looks << np.uint64(turn)) | (looks >> np.uint64(64 - turn)) if turn else looks
        order = np.argsort(turned, kind="stable")
        ordered = turned[order]
        for step in range(1, min(_WINDOW, len(looks) - 1) + 1):
            near = np.flatnonzero(np.bitwise_count(ordered[step:] ^ ordered[:-step]) <= _MOST_BITS)
            for part in np.array_split(near, len(near) // _AT_ONCE + 1):
                ones, others = order[part], order[part + step]
                difference = np.abs(
                    cells[entries[ones]].astype(np.int16) - cells[entries[others]].astype(np.int16)
                )
                similar = (difference <= _ALIKE).all(axis=1)
                yield ones[similar], others[similar]


def _largest_difference(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Root of the mean square difference in the worst of 8x8 cells: a changed mouth is no re-encoding.

    Both are uint8 (pairs, height, width, channels); returns (pairs,).
    """
    square = ((ones.astype(np.float32) - others.astype(np.float32)) ** 2).mean(axis=3)
    _, height, width = square.shape
    rows, columns = (np.arange(0, side, -(-side // _CELLS)) for side in (height, width))
    sums = np.add.reduceat(np.add.reduceat(square, rows, axis=1), columns, axis=2)
    counts = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    return np.sqrt((sums / counts).max(axis=(1, 2)))


class _Leaders:
    """Union-find over positions; the leader of a group is its first member."""

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
        """The leader of every position. Joining points members at earlier ones, so halving paths ends."""
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
