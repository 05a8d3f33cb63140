"""How any picture becomes one of the training size: the crop policy, the scaling and the background.

The middle of the picture is cut out at the wanted aspect and scaled with an antialiasing filter. Nothing is
stretched and nothing is padded; a picture that already has the size passes through unchanged.
"""

from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image, ImageColor

from ganzfeld.errors import UsageError
from ganzfeld.geometry import SMALLEST_SIZE

LARGEST_PX = 4096


@dataclass(frozen=True, slots=True)
class Framing:
    """What every picture of a set is brought to.

    ``width`` and ``height`` are in pixels; ``channels`` is 1, 3 or None (grey if every picture is grey);
    ``background`` is the (red, green, blue) that shows through transparent pixels.
    """

    width: int
    height: int
    channels: int | None = None
    background: tuple[int, int, int] = (255, 255, 255)

    def as_json(self) -> dict[str, object]:
        """The settings as plain data, for the cache's key and for worker processes."""
        return asdict(self)

    @classmethod
    def from_json(cls, settings: dict) -> "Framing":
        """The inverse of ``as_json``."""
        return cls(**{**settings, "background": tuple(settings["background"])})

    @property
    def grey_background(self) -> bool:
        """Whether a grey picture stays grey when its transparent parts show the background."""
        return len(set(self.background)) == 1

    def crop_box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) of the part of a ``width`` x ``height`` picture that is kept."""
        kept_width = min(width, max(1, round(height * self.width / self.height)))
        kept_height = min(height, max(1, round(width * self.height / self.width)))
        left, top = (width - kept_width) // 2, (height - kept_height) // 2
        return left, top, left + kept_width, top + kept_height

    def frame(self, image: Image.Image) -> np.ndarray:
        """An ``L`` or ``RGB`` image cropped and scaled: uint8 (height, width, 1 or 3).

        The channels are those of the image, or 1 if grey is wanted; whoever needs three repeats the one.
        """
        box = self.crop_box(*image.size)
        # reducing_gap averages whole blocks down to three times the wanted size before the fine filter: far
        # faster on large pictures, and no difference can be seen.
        small = image.resize((self.width, self.height), Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)
        pixels = np.asarray(small.convert("L") if self.channels == 1 else small)
        return pixels if pixels.ndim == 3 else pixels[:, :, None]


def framing(size: tuple[int, int], channels: int | None, background: str) -> Framing:
    """The checked settings; ``UsageError`` for a size, a channel count or a colour that cannot be meant."""
    width, height = size
    for side in (width, height):
        if not SMALLEST_SIZE <= side <= LARGEST_PX:
            limits = f"each side must be from {SMALLEST_SIZE} to {LARGEST_PX} px"
            raise UsageError(f"pictures of {width}x{height} px: {limits}")
    if channels not in (None, 1, 3):
        raise UsageError(f"{channels} channels: pictures have 1 (grey) or 3 (colour)")
    try:
        colour = ImageColor.getrgb(background)
    except ValueError:
        hint = 'Give a colour name such as "white" or a hexadecimal colour such as "#c0ffee".'
        raise UsageError(f"unknown background colour {background!r}", hint) from None
    return Framing(width, height, channels, (colour[0], colour[1], colour[2]))
