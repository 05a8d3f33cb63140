"""Bring any image to the training size: the crop policy, the scaling and the background.

The centre of the image is cropped to the target aspect ratio and scaled with an antialiasing filter. Nothing
is stretched or padded; an image that already has the target size passes through unchanged.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from PIL import Image, ImageColor

from ganzfeld.errors import UsageError
from ganzfeld.geometry import SMALLEST_SIZE
from ganzfeld.option_values import AUTO, FIRST_FRAME, SIZES, range_of, sides_of
from ganzfeld.options import PreparationOptions
from ganzfeld.printable import shown
from ganzfeld.value_kinds import is_whole

LARGEST_PX = 4096
BAND_PIXELS = 2**20
_GAP = 3.0  # whole blocks are averaged down to this multiple of the target size before the Lanczos filter
_SUPPORT = 2.5  # how far beyond the box the Lanczos filter reaches, in pixels of the result
_LEAST_SUPPORT = 3  # the same in pixels of the image, if it is enlarged
_Box = tuple[int, int, int, int]
_ADDED = ("kind", "axes", "scale")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """The settings that every image of a dataset is prepared with.

    - ``width``, ``height``: in pixels; ``height`` is 0 for data along one axis.
    - ``channels``: 1, 3 or None (1 if every image is grey, 3 otherwise).
    - ``background``: the (red, green, blue) that shows through transparent pixels.
    - ``range``: the stored values that become black and white; None uses those of the format.
    - ``alpha``: what a fourth channel is: ``over`` (opacity), ``none`` (left out), ``band``, or None
      (opacity, unless the file says otherwise).
    - ``frames``: which frames are read if a file holds several.
    - ``kind``: what the data are, an entry of ``ganzfeld.data.kinds``. ``axes``: what the axes of an array
      mean, in capitals. ``scale``: the scale that was asked for; None means the usual one of the kind.
    """

    width: int
    height: int
    channels: int | None = None
    background: tuple[int, int, int] = (255, 255, 255)
    range: tuple[float, float] | None = None
    alpha: str | None = None
    frames: str = FIRST_FRAME
    kind: str = "image"
    axes: str | None = None
    scale: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the settings as plain data, for the cache key and for worker processes.

        What later versions added is left out at its default, so that sets of earlier versions keep their key.
        """
        added = {entry.name: entry.default for entry in fields(self) if entry.name in _ADDED}
        return {name: value for name, value in asdict(self).items() if added.get(name, ...) != value}

    @classmethod
    def from_json(cls, settings: dict) -> "Preprocessing":
        """Restore the settings from the result of ``as_json``."""
        values = settings["range"]
        pairs = {"background": tuple(settings["background"]), "range": tuple(values) if values else None}
        return cls(**settings | pairs)

    @property
    def shape(self) -> tuple[int, ...]:
        """The size in the order of tensors: (height, width), or (length,) for data along one axis."""
        return (self.height, self.width) if self.height else (self.width,)

    @property
    def grey_background(self) -> bool:
        """Whether a grey image stays grey where the background shows through."""
        return len(set(self.background)) == 1

    def crop_box(self, width: int, height: int) -> _Box:
        """Return the crop box (left, top, right, bottom) of a ``width`` x ``height`` image."""
        crop_width = min(width, max(1, round(height * self.width / self.height)))
        crop_height = min(height, max(1, round(width * self.height / self.width)))
        left, top = (width - crop_width) // 2, (height - crop_height) // 2
        return left, top, left + crop_width, top + crop_height

    def frame(
        self,
        image: Image.Image,
        plain: Callable[[Image.Image], Image.Image] | None = None,
        band_pixels: int = BAND_PIXELS,
    ) -> np.ndarray:
        """Crop and scale an image; return uint8 (height, width, 1 or 3).

        ``plain`` converts any part of an image to ``L`` or ``RGB``, if the image is neither. It is called
        with bands of rows of about ``band_pixels`` pixels each. The result has the channels of the image, or
        1 if ``channels`` is 1; it never repeats a grey channel.
        """
        box = self.crop_box(*image.size)
        if plain:
            image, box = self._reduce(image, box, plain, band_pixels)
        # reducing_gap is far faster on large images, with no visible difference.
        size = (self.width, self.height)
        small = image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=_GAP)
        pixels = np.asarray(small.convert("L") if self.channels == 1 else small)
        return pixels if pixels.ndim == 3 else pixels[:, :, None]

    def _reduce(
        self, image: Image.Image, box: _Box, plain: Callable[[Image.Image], Image.Image], band_pixels: int
    ) -> tuple[Image.Image, tuple[float, float, float, float]]:
        """Convert an image and reduce it by whole blocks; return it and the crop box in its coordinates.

        The result equals converting the whole image and letting ``resize`` reduce it. Working on one band
        of rows at a time avoids holding several copies of a large image.
        """
        across = (box[2] - box[0]) / self.width
        down = (box[3] - box[1]) / self.height
        blocks = int(across / _GAP) or 1, int(down / _GAP) or 1
        left, top, right, bottom = _grow_box(box, _support(across), _support(down), image.size)
        rows = max(band_pixels // (right - left) // blocks[1], 1) * blocks[1]
        size = math.ceil((right - left) / blocks[0]), math.ceil((bottom - top) / blocks[1])
        reduced = None
        for begin in range(top, bottom, rows):
            band = plain(image.crop((left, begin, right, min(begin + rows, bottom)))).reduce(blocks)
            reduced = reduced or Image.new(band.mode, size)
            reduced.paste(band, (0, (begin - top) // blocks[1]))
        assert reduced, "an image has at least one row"
        inside = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
        return reduced, (
            inside[0] / blocks[0],
            inside[1] / blocks[1],
            inside[2] / blocks[0],
            inside[3] / blocks[1],
        )


def _support(scale: float) -> float:
    return max(_SUPPORT * scale, _LEAST_SUPPORT)


def _grow_box(box: _Box, across: float, down: float, size: tuple[int, int]) -> _Box:
    """Grow the box by ``across`` and ``down`` pixels on each side, within the image."""
    left, top, right, bottom = box
    return (
        max(0, int(left - across)),
        max(0, int(top - down)),
        min(size[0], math.ceil(right + across)),
        min(size[1], math.ceil(bottom + down)),
    )


def _two_sides(size: object) -> tuple[int, int]:
    sides = sides_of(size.item() if isinstance(size, np.integer) else size)
    pair = list(sides) if isinstance(sides, list | tuple) else []
    if len(pair) != 2 or not all(map(is_whole, pair)):
        raise UsageError(f"size {shown(size)} is not a size", SIZES)
    return int(pair[0]), int(pair[1])


def _one_side(size: object) -> int:
    sides = sides_of(size.item() if isinstance(size, np.integer) else size)
    first, *others = sides if isinstance(sides, list | tuple) and sides else [None]
    if not is_whole(first) or any(side != first for side in others):
        raise UsageError(f"size {shown(size)} is not a length", "Give one number: data along one axis.")
    return int(first)  # pyright: ignore[reportArgumentType]


def framing(
    size: int | Sequence[int] | str, options: PreparationOptions, kind: str = "image", dims: int = 2
) -> Preprocessing:
    """Check a size and options and return them as settings; raise ``UsageError`` for invalid ones.

    ``kind`` is that of the data, along ``dims`` axes. The range ``auto`` stays undetermined: see
    ``ganzfeld.data.ingest.auto_range``.
    """
    width, height = _two_sides(size) if dims == 2 else (_one_side(size), 0)
    for side in (width, height) if dims == 2 else (width,):
        if not SMALLEST_SIZE <= side <= LARGEST_PX:
            limits = f"each side must be from {SMALLEST_SIZE} to {LARGEST_PX} px"
            sides = f"images of {width}x{height} px" if dims == 2 else f"a length of {width}"
            raise UsageError(f"{sides}: {limits}")
    try:
        colour = ImageColor.getrgb(options.background)
    except ValueError:
        hint = 'Give a colour name such as "white" or a hexadecimal colour such as "#c0ffee".'
        raise UsageError(f"unknown background colour {options.background!r}", hint) from None
    values = None if options.range in (None, AUTO) else range_of(options.range)
    rgb = colour[0], colour[1], colour[2]
    axes = options.axes and options.axes.upper()
    return Preprocessing(
        *(width, height, options.channels, rgb, values, options.alpha, options.frames),
        *(kind, axes, options.scale),
    )
