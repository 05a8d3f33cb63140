"""Generated JPEG files that take a decoder as long as photographs do, so that benchmarks need no data."""

from pathlib import Path

import numpy as np
from PIL import Image

QUALITY = 75
WIDTH_PX, HEIGHT_PX = 1600, 1200
SLOPE = 1.5
_DIFFERENT = 12


def make_photos(folder: Path, number: int, slope: float = SLOPE) -> int:
    """Write ``number`` JPEG files of 1600x1200 px and return their mean size in bytes.

    The spectrum falls off with the power ``slope`` of the frequency, so a smaller value means more detail.
    1.5 is that of a photograph with some soft background, and gives 0.8 bits per pixel. Twelve images are
    drawn; the other files are links to these, which makes no difference to a decoder.
    """
    random = np.random.default_rng(0)
    total = 0
    for index in range(min(number, _DIFFERENT)):
        original = folder / f"{index:05}.jpg"
        Image.fromarray(_photo(random, slope)).save(original, quality=QUALITY)
        for copy in range(index, number, _DIFFERENT):
            if copy != index:
                (folder / f"{copy:05}.jpg").hardlink_to(original)
            total += original.stat().st_size
    return total // number


def _photo(random: np.random.Generator, slope: float) -> np.ndarray:
    """Draw noise with the spectrum of a photograph and correlated colours; uint8 (height, width, 3)."""
    width, height = WIDTH_PX, HEIGHT_PX
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1

    def plane() -> np.ndarray:
        phases = random.standard_normal((2, height, width // 2 + 1))
        values = np.fft.irfft2((phases[0] + 1j * phases[1]) / frequency**slope, (height, width))
        return values / values.std()

    brightness = plane()
    colours = np.stack([0.8 * brightness + 0.3 * plane() for _ in range(3)], axis=-1)
    return (128 + 50 * colours).clip(0, 255).astype(np.uint8)
