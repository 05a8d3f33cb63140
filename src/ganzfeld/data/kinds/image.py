"""Images: bytes of one grey or three colour channels, cropped at the centre and scaled to one size."""

import hashlib
from collections.abc import Iterator
from typing import Any, ClassVar, final

import numpy as np

from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.kinds._base import Kind as Base
from ganzfeld.data.kinds._base import Shape
from ganzfeld.data.record import appearance, tint
from ganzfeld.data.scales import Scale
from ganzfeld.data.source import Entry, Source, frames_of


@final
class Kind(Base):
    """The kind of photos and drawings; ``ganzfeld.data.decoding`` has its rules."""

    DIMS: ClassVar[int] = 2
    WORD: ClassVar[str] = "image"
    RECIPE: ClassVar[str] = "modern"
    SCALES: ClassVar[tuple[str, ...]] = ("bytes",)
    AUGMENTATIONS: ClassVar[frozenset[str]] = frozenset(("mirror", "crop"))

    def stored_type(self, settings: Preprocessing, facts: dict[str, Any]) -> tuple[Shape, np.dtype]:
        """Return the size with three channels, unless one is asked for, as bytes."""
        return (*settings.shape, settings.channels or 3), np.dtype(np.uint8)

    def entries(self, source: Source, settings: Preprocessing) -> Iterator[Entry]:
        """Yield one entry per frame to read; see ``frames_of``."""
        return frames_of(source, settings.frames)

    def write(
        self, source: Source, raw: bytes | np.ndarray, settings: Preprocessing, index: int, record: np.ndarray
    ) -> np.ndarray:
        """Decode a frame and describe its file, its pixels and what was assumed."""
        decoded = source.decode(raw, settings, index)
        record["frames"], record["hidden"] = decoded.num_frames, decoded.num_hidden
        record["pixels"] = np.frombuffer(hashlib.sha256(decoded.pixels.tobytes()).digest(), np.uint8)
        record["look"], record["cells"] = appearance(decoded.pixels)
        record["darkest"], record["brightest"] = decoded.levels
        record["assumed"], record["tint"] = decoded.assumed.encode(), tint(decoded.pixels)
        stored = decoded.stored
        record["least"], record["most"], record["white"] = stored.least, stored.most, stored.white
        record["low"], record["high"] = stored.low, stored.high
        record["width"], record["height"] = decoded.width, decoded.height
        record["format"], record["mode"] = decoded.format.encode(), decoded.mode.encode()
        record["grey"], record["clear"] = decoded.grey, decoded.clear
        return decoded.pixels

    def view(self, items: np.ndarray, scale: Scale) -> np.ndarray:
        """Return the images themselves."""
        return items
