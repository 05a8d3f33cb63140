"""What is remembered of every entry of a listing once it was decoded: one fixed-size record."""

import numpy as np
from PIL import Image

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
        ("grey", "?"),
    ]
)


def appearance(pixels: np.ndarray) -> tuple[int, np.ndarray]:
    """The 64-bit perceptual hash of uint8 (height, width, channels), and its 8x8 brightness, uint8 (64,).

    The bits say which of 8x8 cells are darker than the next: re-encoding and scaling change few of them
    (Krawetz 2013, *dHash*).
    """
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).convert("L")
    finer = np.asarray(image.resize((9, 8), Image.Resampling.BOX))
    look = int.from_bytes(np.packbits(finer[:, 1:] > finer[:, :-1]).tobytes(), "little")
    return look, np.asarray(image.resize((8, 8), Image.Resampling.BOX)).reshape(64)
