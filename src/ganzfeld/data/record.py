"""The fixed-size record that is stored for every decoded entry of a listing."""

from functools import lru_cache

import numpy as np

_BRIGHTNESS = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601

_STEP = 37  # between the pixels that are sampled first: a prime, and not the side of an image
SEEN_TINT = 8
"""The greatest invisible difference between channels, of 255; grey JPEGs and scans have as much."""

_LEVELS_TO_TELL = 32
"""The fewest levels between darkest and brightest that reveal a tint; otherwise rounding may hide it."""

RECORD = np.dtype(
    [
        ("row", "<i4"),  # in the shard; -1: unusable
        ("sha256", "u1", 32),  # of the stored content: the bytes of the file or of the row
        ("pixels", "u1", 32),  # SHA-256 of the pixels at the training size
        ("look", "<u8"),  # perceptual hash of these pixels
        ("cells", "u1", 64),  # their brightness in 8x8 cells
        ("width", "<u4"),  # of the original, after its orientation is applied
        ("height", "<u4"),
        ("format", "S8"),
        ("mode", "S8"),
        ("grey", "?"),  # the file stores no colour
        ("darkest", "u1"),  # visible level without outliers; see ``ganzfeld.data.decoding.extent``
        ("brightest", "u1"),
        ("least", "<f4"),  # of the stored values; see ``Decoded``
        ("most", "<f4"),
        ("white", "<f4"),  # the stored value that becomes white
        ("low", "<f4"),  # the least and greatest stored values without outliers
        ("high", "<f4"),
        ("assumed", "S4"),  # how a fourth channel was read, if the file does not say what it means
        ("frames", "<u4"),  # number of frames in the file
        ("hidden", "<u4"),  # number of images in the file that are not frames
        ("tint", "u1"),  # the greatest difference between the channels of a pixel
        ("clear", "?"),  # fully transparent: only the background is visible
    ]
)


def appearance(pixels: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the 64-bit perceptual hash of uint8 (height, width, channels), and its brightness, uint8 (64,).

    Each bit says whether one of 8x8 cells is darker than the next; re-encoding and scaling change few bits
    (Krawetz 2013, *dHash*). The brightness is that of 8x8 cells.
    """
    brightness = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels @ _BRIGHTNESS
    finer = _cells(brightness, 8, 9)
    look = int.from_bytes(np.packbits(finer[:, 1:] > finer[:, :-1]).tobytes(), "little")
    return look, np.rint(_cells(brightness, 8, 8)).astype(np.uint8).reshape(64)


def tint(pixels: np.ndarray) -> int:
    """Return the greatest difference between the channels of a pixel in uint8 (height, width, channels).

    If a sample of the pixels already shows colour, the result is that of the sample: a lower bound.
    """
    if pixels.shape[2] == 1:
        return 0
    flat = pixels.reshape(-1, 3)
    in_sample = _max_channel_difference(flat[::_STEP])
    return in_sample if in_sample > SEEN_TINT else _max_channel_difference(flat)


def seems_grey(records: np.ndarray) -> np.ndarray:
    """Return which records show no visible colour, including those with too few levels to decide."""
    spread = records["brightest"].astype(int) - records["darkest"]
    return records["clear"] | (records["tint"] <= np.minimum(SEEN_TINT, np.maximum(spread // 16, 1)))


def has_levels_to_tell(records: np.ndarray) -> np.ndarray:
    """Return which records use enough levels to reveal a tint, or are blank."""
    spread = records["brightest"].astype(int) - records["darkest"]
    blank = (spread == 0) & ~(records["most"] > records["least"])
    return ~records["clear"] & ((spread >= _LEVELS_TO_TELL) | blank)


def _max_channel_difference(pixels: np.ndarray) -> int:
    """Return the greatest difference between the channels of a pixel, of ``pixels`` (number, 3)."""
    red, green, blue = np.ascontiguousarray(pixels.T)
    most = np.maximum(np.maximum(red, green), blue)
    return int((most - np.minimum(np.minimum(red, green), blue)).max())


def _cells(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the means of (height, width) over rows x columns cells, float32 (rows, columns)."""
    tops, lefts, areas = _grid(*values.shape, rows, columns)
    return np.add.reduceat(np.add.reduceat(values, tops, axis=0, dtype=np.float32), lefts, axis=1) / areas


@lru_cache(maxsize=8)
def _grid(height: int, width: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first rows and columns of the cells, and their areas."""
    tops, lefts = np.arange(rows) * height // rows, np.arange(columns) * width // columns
    # If there are nine cells in eight columns, two neighbouring cells share a column.
    heights = np.maximum(np.diff(tops, append=height), 1)
    widths = np.maximum(np.diff(lefts, append=width), 1)
    return tops, lefts, np.outer(heights, widths).astype(np.float32)
