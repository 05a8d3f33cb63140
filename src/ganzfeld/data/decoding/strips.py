"""Read a loaded image by strips of rows: its colours, and which of its pixels are visible."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from ganzfeld.data.decoding.preprocessing import BAND_PIXELS, Preprocessing

_OPAQUE = 255


def strips(image: Image.Image) -> Iterator[Image.Image]:
    """Yield a loaded image in strips, to avoid a second copy of a large one."""
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def colours(image: Image.Image) -> np.ndarray:
    """Return the values of a loaded image without its opacity; palettes and CMYK are converted to RGB."""
    if image.mode not in ("L", "LA", "RGB", "RGBA", "I", "F") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    samples = np.asarray(image)
    return samples if samples.ndim == 2 else samples[:, :, : 1 if image.mode == "LA" else 3]


def colours_seen(image: Image.Image, *, masked: bool) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yield the colours of each strip and, if ``masked``, which of its pixels are visible (else None)."""
    for strip in strips(image):
        yield colours(strip), _opacity(strip) > 0 if masked else None


def is_see_through(image: Image.Image, framing: Preprocessing) -> bool:
    """Return whether the background shows through some pixels of a loaded image."""
    if framing.alpha == "none" or not image.has_transparency_data:
        return False
    return any(_opacity(strip).min() < _OPAQUE for strip in strips(image))


def is_clear(image: Image.Image, framing: Preprocessing, pixels: np.ndarray) -> bool:
    """Return whether a loaded image is fully transparent, so that its ``pixels`` show only the background."""
    if framing.alpha == "none" or not image.has_transparency_data or (pixels != pixels[:1, :1]).any():
        return False
    return all(not _opacity(strip).any() for strip in strips(image))


def _opacity(image: Image.Image) -> np.ndarray:
    """Return the opacity of a loaded image that has transparency, uint8 (height, width)."""
    if image.mode.startswith("I"):
        return np.where(np.asarray(image) == image.info["transparency"], 0, _OPAQUE).astype(np.uint8)
    return np.asarray(image.convert("RGBA").getchannel("A"))
