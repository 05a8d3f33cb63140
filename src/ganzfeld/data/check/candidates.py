"""Find pairs of images that may show the same, in time and memory linear in the number of images.

The perceptual hashes are sorted four times, each time by another quarter of their bits, and neighbours are
candidates (after Manku, Jain and Das Sarma 2007): two hashes that differ in at most three bits agree in at
least one quarter. The brightness of 8x8 cells eliminates most candidates.

Images of one kind of subject often have one hash, and then there are more neighbours than can be compared.
Such images get a second hash, of what distinguishes them: the signs of random projections of their detail,
relative to the mean of these images (Charikar 2002).
"""

from collections.abc import Iterator

import numpy as np

from ganzfeld.data.check.same_image import block_means, local_means
from ganzfeld.data.images import ImageDataset

MOST_PAIRS = 60_000
"""The number of pairs in each list of ``candidates`` at most, the most promising ones."""

_MOST_BITS = 3
_WINDOW = 32  # neighbours on each side
_FEW = 4_096  # images with a second hash; if there are more, they have fewer neighbours by the first one
_NEXT = 2  # this number
_MOST_CROWDED = 2**17  # images that get the second hash
_MOST_BITS_OF_DETAIL = 20  # of 64; 32 are expected of different images
_SIDE = 16  # of the images whose detail is hashed
_SAMPLE = 2_048  # images that tell what all have in common
_AT_ONCE = 65_536  # hashes
_BYTES = 2**24  # of images that are read at once
_ALIKE = 20  # greatest difference of any cell, of 255
_BRIGHTER = 8  # or an eighth of the brighter one


def candidates(dataset: ImageDataset, among: np.ndarray) -> list[np.ndarray]:
    """Return pairs of the images ``among`` in three lists, most promising first, each int64 (pairs, 2).

    The first list holds pairs of which not both have the second hash, the next one pairs by the second hash,
    and the last one pairs by the first hash of which both have the second one. No list repeats a pair.
    ``among`` holds indices of images, increasing.
    """
    records = dataset.records
    entries = np.flatnonzero(records["row"] >= 0)[among]
    looks, cells = records["look"][entries], records["cells"]
    crowded = _crowded(looks)

    def unlike(firsts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
        return _unlike(cells[entries[firsts]], cells[entries[seconds]])

    chosen = np.flatnonzero(crowded)[:_MOST_CROWDED]
    apart, together, of_detail = (_Best(len(among)) for _ in range(3))
    for firsts, seconds, step in _neighbours(looks, range(0, 64, 16), _MOST_BITS):
        both = crowded[firsts] & crowded[seconds]
        apart.add(firsts[~both], seconds[~both], unlike(firsts[~both], seconds[~both]))
        if step <= _NEXT or len(chosen) <= _FEW:
            together.add(firsts[both], seconds[both], unlike(firsts[both], seconds[both]))
    if len(chosen):
        hashes = _hashes_of_detail(dataset, among[chosen])
        for firsts, seconds, _ in _neighbours(hashes, range(0, 64, 4), _MOST_BITS_OF_DETAIL):
            distance = np.bitwise_count(hashes[firsts] ^ hashes[seconds]).astype(np.float32)
            firsts, seconds = chosen[firsts], chosen[seconds]
            distance[np.isinf(unlike(firsts, seconds))] = np.inf
            of_detail.add(firsts, seconds, distance)
    return [among[best.pairs()] for best in (apart, of_detail, together)]


def _sorted_by(hashes: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of uint64 hashes by their bits from ``shift`` on, and the hashes in this order."""
    rotated = (hashes << np.uint64(shift)) | (hashes >> np.uint64(64 - shift)) if shift else hashes
    order = np.argsort(rotated, kind="stable")
    return order, rotated[order]


def _crowded(looks: np.ndarray) -> np.ndarray:
    """Return which images have more neighbours with a similar hash than are compared."""
    crowded = np.zeros(len(looks), bool)
    if len(looks) > _WINDOW:
        for shift in range(0, 64, 16):
            order, ordered = _sorted_by(looks, shift)
            near = np.bitwise_count(ordered[_WINDOW:] ^ ordered[:-_WINDOW]) <= _MOST_BITS
            crowded[order[_WINDOW:][near]] = crowded[order[:-_WINDOW][near]] = True
    return crowded


def _neighbours(
    hashes: np.ndarray, shifts: range, most_bits: int
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield pairs of positions whose hashes differ in few bits, with their distance in the order."""
    for shift in shifts:
        order, ordered = _sorted_by(hashes, shift)
        for step in range(1, min(_WINDOW, len(hashes) - 1) + 1):
            near = np.flatnonzero(np.bitwise_count(ordered[step:] ^ ordered[:-step]) <= most_bits)
            for part in np.array_split(near, len(near) // _AT_ONCE + 1):
                yield order[part], order[part + step], step


def _unlike(firsts: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Return how unlike the brightness of 8x8 cells is, float32 (pairs,); infinity if a pair is no candidate.

    A pair that differs by brightness and contrast alone is alike.
    """
    one, other = firsts.astype(np.int16), seconds.astype(np.int16)
    most = np.maximum(_ALIKE, np.maximum(one, other) // _BRIGHTER)
    similar = (np.abs(one - other) <= most).all(axis=1)
    one, other = (cells - cells.mean(axis=1, dtype=np.float32, keepdims=True) for cells in (one, other))
    contrast = (one * other).sum(axis=1) / np.maximum((other**2).sum(axis=1), 1)
    rest = one - contrast[:, None] * other
    return np.where(similar, np.abs(rest).mean(axis=1), np.float32(np.inf))


def _hashes_of_detail(dataset: ImageDataset, indices: np.ndarray) -> np.ndarray:
    """Return a hash of the detail of each image, relative to that of a sample of them, uint64 (images,)."""
    sample = np.concatenate(list(_details(dataset, indices[:: -(-len(indices) // _SAMPLE)])))
    mean, spread = sample.mean(axis=0), sample.std(axis=0) + 0.01  # the detail has a contrast of about 1
    directions = np.random.default_rng(0).standard_normal((len(mean), 64)).astype(np.float32)
    directions /= spread[:, None]
    bits = [(detail - mean) @ directions > 0 for detail in _details(dataset, indices)]
    return np.packbits(np.concatenate(bits), axis=1).view("<u8")[:, 0].astype(np.uint64)


def _details(dataset: ImageDataset, indices: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the detail of images relative to their contrast, float32 (some images, pixels), part by part."""
    width, height = dataset.size
    rows, columns = min(_SIDE, height), min(_SIDE, width)
    at_once = max(1, _BYTES // (height * width * dataset.channels))
    for begin in range(0, len(indices), at_once):
        images = block_means(dataset.batch(indices[begin : begin + at_once]), rows, columns)
        grey = images.mean(axis=3, keepdims=True)
        contrast = grey.std(axis=(1, 2, 3), keepdims=True) + 1
        yield ((grey - local_means(grey)) / contrast).reshape(len(grey), -1)


class _Best:
    """The pairs with the least distance among many, each once; memory is bounded."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._keys = [np.empty(0, np.int64)]
        self._distances = [np.empty(0, np.float32)]

    def add(self, firsts: np.ndarray, seconds: np.ndarray, distances: np.ndarray) -> None:
        finite = np.isfinite(distances)
        firsts, seconds = firsts[finite], seconds[finite]
        self._keys.append(np.minimum(firsts, seconds) * self._size + np.maximum(firsts, seconds))
        self._distances.append(distances[finite])
        if sum(map(len, self._keys)) > 4 * MOST_PAIRS:
            self._cut()

    def pairs(self) -> np.ndarray:
        """Return the pairs, nearest first, int64 (pairs, 2)."""
        self._cut()
        return np.stack(np.divmod(self._keys[0], self._size), axis=1)

    def _cut(self) -> None:
        keys, first = np.unique(np.concatenate(self._keys), return_index=True)
        distances = np.concatenate(self._distances)[first]
        nearest = np.argsort(distances, kind="stable")[:MOST_PAIRS]
        self._keys, self._distances = [keys[nearest]], [distances[nearest]]
