"""The base classes of kinds of data."""

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.scales import Scale
from ganzfeld.data.source import Entry, Source

IMAGE = "image"
"""The kind that everything was before there were kinds."""

Shape = tuple[int, ...]


class Kind(ABC):
    """A kind of data. It has no state: settings and facts of the source are passed in."""

    DIMS: ClassVar[int]
    """The number of axes of an item besides its channels: 1 or 2."""

    WORD: ClassVar[str]
    """What one item is called in messages."""

    SCALES: ClassVar[tuple[str, ...]]
    """The scales that fit the kind; the first one is the default."""

    RECIPE: ClassVar[str]
    """The recipe that is used if none is named."""

    AUGMENTATIONS: ClassVar[frozenset[str]]
    """The recipe fields ``mirror`` and ``crop`` that make another valid item of every item."""

    @abstractmethod
    def stored_type(self, settings: Preprocessing, facts: dict[str, Any]) -> tuple[Shape, np.dtype]:
        """Return shape (*size, channels) and type of the items in the cache."""

    @abstractmethod
    def write(
        self, source: Source, raw: bytes | np.ndarray, settings: Preprocessing, index: int, record: np.ndarray
    ) -> np.ndarray:
        """Return item ``index`` of what is stored for one entry, (*size, channels), and fill its record (1,).

        Raises ``UnusableImage`` with the reason if there is no such item.
        """

    @abstractmethod
    def entries(self, source: Source, settings: Preprocessing) -> Iterator[Entry]:
        """Yield the entries of a source, with one entry per item for those that hold several."""

    @abstractmethod
    def view(self, items: np.ndarray, scale: Scale) -> np.ndarray:
        """Turn stored items (N, *size, channels) into images for people, uint8 (N, height, width, 1 or 3)."""


class KindOfValues(Kind):
    """The base class of kinds whose stored values are kept as they are: cut into items, never resampled."""

    def stored_type(self, settings: Preprocessing, facts: dict[str, Any]) -> tuple[Shape, np.dtype]:
        """Return the size, the channels of the source, and its type."""
        return (*settings.shape, int(facts["channels"])), np.dtype(facts["dtype"])

    def write(
        self, source: Source, raw: bytes | np.ndarray, settings: Preprocessing, index: int, record: np.ndarray
    ) -> np.ndarray:
        """Cut an item out of the stored values; refuse values that are not finite."""
        values = source.values(raw, settings)
        shape, dtype = self.stored_type(settings, source.facts)
        if values.shape[-1] != shape[-1]:
            raise UnusableImage(f"it has {values.shape[-1]} channels, and the first file has {shape[-1]}")
        if dtype.kind == "u" and not np.can_cast(values.dtype, dtype):
            raise UnusableImage(f"it holds {values.dtype.name}, and the first file {dtype.name}")
        if values.ndim == self.DIMS + 2:  # several items, each perhaps of several tiles
            tiles = self._num_tiles(values.shape[:-1], settings.shape)
            number, index = divmod(index, max(1, tiles))
            values = values[number]
        cut = self.cut(values, settings.shape, index)
        self.require_usable(cut)
        with np.errstate(over="ignore"):
            item = np.ascontiguousarray(cut, dtype)
        self.require_finite(item)
        digest = hashlib.sha256(item.tobytes()).digest()
        record["frames"], record["pixels"] = 1, np.frombuffer(digest, np.uint8)
        record["look"] = int.from_bytes(self.look(item, source.facts)[:8], "little")
        record["least"], record["most"] = item.min(), item.max()
        record["width"] = values.shape[self.DIMS - 1]
        record["height"] = values.shape[0] if self.DIMS == 2 else 1
        record["format"], record["mode"] = source.FORMAT.encode()[:8], values.dtype.name.encode()[:8]
        return item

    def _num_tiles(self, stored: Shape, size: Shape) -> int:
        """Return how many whole items lie side by side in values of a size, perhaps several of them."""
        return math.prod(have // wanted for have, wanted in zip(stored[-self.DIMS :], size, strict=False))

    def require_usable(self, cut: np.ndarray) -> None:
        """Raise ``UnusableImage`` for stored values that cannot be trained on."""

    def require_finite(self, item: np.ndarray) -> None:
        """Raise ``UnusableImage`` for NaN, infinity, and numbers that float32 does not hold."""
        if item.dtype.kind != "f" or np.isfinite(item).all():
            return
        num = int((~np.isfinite(item)).sum())
        what = "NaN" if np.isnan(item).any() else "infinite or beyond 3.4e38"
        raise UnusableImage(f"{num:,} of its {item.size:,} values are {what}")

    def look(self, item: np.ndarray, facts: dict[str, Any]) -> bytes:
        """Return a digest that is equal for items of which one is a duplicate of the other."""
        return hashlib.sha256(item.tobytes()).digest()

    def entries(self, source: Source, settings: Preprocessing) -> Iterator[Entry]:
        """Yield one entry per tile of the stored values; one too small for a tile stays, to be reported."""
        for entry in source.entries():
            stored = () if entry.flaw else source.stored_size(entry, settings)
            num = math.prod(stored[: -self.DIMS]) * self._num_tiles(stored, settings.shape)
            if not stored or num <= 1:
                yield entry
                continue
            for index in range(num):
                yield entry._replace(frame=index)

    def cut(self, values: np.ndarray, size: Shape, index: int) -> np.ndarray:
        """Return item ``index`` of values (*stored size, channels): tiles in reading order, from the centre.

        What is left over at the rim, less than an item, is left out evenly on both sides.
        """
        stored = values.shape[:-1]
        fits = [have // wanted for have, wanted in zip(stored, size, strict=True)]
        if min(fits) < 1:
            shown, wanted = ("x".join(map(str, sides)) for sides in (stored[::-1], size[::-1]))
            raise UnusableImage(f"smaller than one {self.WORD}: {shown}, and {wanted} are needed")
        places = np.unravel_index(index, fits)
        begins = [
            (have - fit * wanted) // 2 + int(place) * wanted
            for have, fit, wanted, place in zip(stored, fits, size, places, strict=True)
        ]
        return values[tuple(slice(begin, begin + wanted) for begin, wanted in zip(begins, size, strict=True))]
