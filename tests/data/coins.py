"""Draw coins: photographs of one subject in one place, all equal except for a number."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_FINER = 4


def coin(side: int, number: int, light: float = 0.0) -> Image.Image:
    """Return a coin of ``side`` pixels in colour; ``light`` is the spread of brightness between coins."""
    full = side * _FINER
    image = Image.new("RGB", (full, full), (38, 52, 60))
    draw = ImageDraw.Draw(image)
    draw.ellipse(_box(full, 0.06), fill=(190, 160, 90), outline=(120, 95, 50), width=full // 32)
    draw.ellipse(_box(full, 0.14), outline=(150, 120, 60), width=full // 64)
    draw.ellipse((full * 0.36, full * 0.22, full * 0.64, full * 0.52), fill=(160, 130, 70))
    draw.rectangle((full * 0.3, full * 0.5, full * 0.7, full * 0.58), fill=(160, 130, 70))
    font = ImageFont.load_default(size=full * 0.14)
    draw.text((full * 0.5, full * 0.7), f"{number:04}", font=font, fill=(70, 50, 20), anchor="mm")
    levels = np.asarray(image.resize((side, side), Image.Resampling.BOX)).astype(np.float64)
    chance = np.random.default_rng(number)
    levels = levels * (1 + light * chance.uniform(-1, 1)) + 20 * light * chance.standard_normal()
    return Image.fromarray(np.clip(levels + 0.5, 0, 255).astype(np.uint8))


def coins(number: int, side: int, seed: int, light: float = 0.0) -> list[Image.Image]:
    """Return different coins."""
    numbers = np.random.default_rng(seed).permutation(10_000)[:number]
    return [coin(side, int(one), light) for one in numbers]


def _box(full: int, share: float) -> tuple[float, float, float, float]:
    return full * share, full * share, full * (1 - share), full * (1 - share)
