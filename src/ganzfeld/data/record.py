"""What is remembered of every entry of a listing once it was decoded: one fixed-size record."""

from functools import lru_cache

import numpy as np

_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601

_STEP = 37  # between the pixels that are looked at first: a prime, and no side of an image
SEEN_TINT = 8
"""Of 255: by how much channels differ where no eye sees colour; JPEG and scanners leave as much in grey."""

_LEVELS_TO_TELL = 32
"""Between the darkest and the brightest: where they are fewer, rounding hides a tint or makes one."""

RECORD = np.dtype(
    [
        ("row", "<i4"),  # in the shard; -1: unusable
        ("sha256", "u1", 32),  # of what the source stores: the bytes of the file, or of the row
        ("pixels", "u1", 32),  # SHA-256 of the pixels that are trained on
        ("look", "<u8"),  # perceptual hash of them
        ("cells", "u1", 64),  # their brightness in 8x8 cells
        ("width", "<u4"),  # of the original, upright
        ("height", "<u4"),
        ("format", "S8"),
        ("mode", "S8"),
        ("grey", "?"),  # the file stores no colour
        ("darkest", "u1"),  # of what is seen but for outliers; see ``ganzfeld.data.decoding.extent``
        ("brightest", "u1"),
        ("least", "<f4"),  # of the values that are stored, with the one that becomes white; see ``Decoded``
        ("most", "<f4"),
        ("white", "<f4"),
        ("low", "<f4"),  # the least and the greatest of the values that are stored but for outliers
        ("high", "<f4"),
        ("assumed", "S4"),  # what a fourth channel was taken for, where nothing says what it is
        ("frames", "<u4"),  # in the file
        ("hidden", "<u4"),  # images in the file that are no frames
        ("tint", "u1"),  # the most by which the channels of a pixel differ
        ("clear", "?"),  # nothing of it is seen but the background
    ]
)


def appearance(pixels: np.ndarray) -> tuple[int, np.ndarray]:
    """The 64-bit perceptual hash of uint8 (height, width, channels), and its 8x8 brightness, uint8 (64,).

    The bits say which of 8x8 cells are darker than the next: re-encoding and scaling change few of them
    (Krawetz 2013, *dHash*).
    """
    brightness = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels @ _BRIGHTNESS
    finer = _cells(brightness, 8, 9)
    look = int.from_bytes(np.packbits(finer[:, 1:] > finer[:, :-1]).tobytes(), "little")
    return look, np.rint(_cells(brightness, 8, 8)).astype(np.uint8).reshape(64)


def tint(pixels: np.ndarray) -> int:
    """The most by which the channels of a pixel differ; ``pixels`` is uint8 (height, width, channels).

    Where some of the pixels show colour already, the others are not looked at: it is then at least so much.
    """
    if pixels.shape[2] == 1:
        return 0
    each = pixels.reshape(-1, 3)
    among_some = _most_apart(each[::_STEP])
    return among_some if among_some > SEEN_TINT else _most_apart(each)


def seems_grey(records: np.ndarray) -> np.ndarray:
    """Say of which records no colour is seen, among them those whose levels are too few to tell."""
    spread = records["brightest"].astype(int) - records["darkest"]
    return records["clear"] | (records["tint"] <= np.minimum(SEEN_TINT, np.maximum(spread // 16, 1)))


def has_levels_to_tell(records: np.ndarray) -> np.ndarray:
    """Say which records use so many levels that a tint of some strength would show, or are blank."""
    spread = records["brightest"].astype(int) - records["darkest"]
    blank = (spread == 0) & ~(records["most"] > records["least"])
    return ~records["clear"] & ((spread >= _LEVELS_TO_TELL) | blank)


def _most_apart(pixels: np.ndarray) -> int:
    """The same of all pixels, (number, 3)."""
    red, green, blue = np.ascontiguousarray(pixels.T)
    most = np.maximum(np.maximum(red, green), blue)
    return int((most - np.minimum(np.minimum(red, green), blue)).max())


def _cells(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """The means of (height, width) over rows x columns cells, float32 (rows, columns)."""
    tops, lefts, areas = _grid(*values.shape, rows, columns)
    return np.add.reduceat(np.add.reduceat(values, tops, axis=0, dtype=np.float32), lefts, axis=1) / areas


@lru_cache(maxsize=8)
def _grid(height: int, width: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the cells begin, and their areas."""
    tops, lefts = np.arange(rows) * height // rows, np.arange(columns) * width // columns
    # Nine cells of eight columns: one of them is a column that its neighbour has as well.
    heights = np.maximum(np.diff(tops, append=height), 1)
    widths = np.maximum(np.diff(lefts, append=width), 1)
    return tops, lefts, np.outer(heights, widths).astype(np.float32)
