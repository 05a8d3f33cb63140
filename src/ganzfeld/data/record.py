"""What is remembered of every entry of a listing once it was decoded: one fixed-size record."""

import numpy as np
from PIL import Image

RECORD = np.dtype(
    [
        ("row", "<i4"),  # in the shard; -1: unusable
        ("sha256", "u1", 32),  # of what the source stores: the bytes of the file, or of the row
        ("pixels", "u1", 32),  # SHA-256 of the pixels that are trained on
        ("look", "<u8"),  # perceptual hash of them
        ("width", "<u4"),  # of the original, upright
        ("height", "<u4"),
        ("format", "S8"),
        ("mode", "S8"),
        ("grey", "?"),
    ]
)


def difference_hash(pixels: np.ndarray) -> int:
    """64-bit perceptual hash of uint8 (height, width, channels): which of 8x8 cells are darker than the next.

    Re-encoding and scaling change few bits (Krawetz 2013, *dHash*).
    """
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    cells = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX)).astype(np.int16)
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes(), "little")
