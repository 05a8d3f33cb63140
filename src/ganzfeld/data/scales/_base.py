"""The base class of scales."""

from abc import ABC, abstractmethod
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field

from ganzfeld.data.scales._summary import Summary
from ganzfeld.record import Record

Numbers = Annotated[tuple[float, ...], Field(min_length=1, max_length=4096)]
"""One number per channel, or one for all channels."""


class Scale(ABC, Record):
    """A map between stored values and those that networks see, with an exact inverse.

    ``encode`` and ``decode`` work on arrays of NumPy and on tensors of torch alike: ``xp`` is the one module
    or the other. Channels are the last axis. The inverse is exact: whole numbers up to 65,535 come back as
    they were once they are rounded, and float32 comes back up to the rounding of a few operations.
    """

    INTERVAL: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    """The least and greatest value that the networks see; the generator's output must reach all of it."""

    SUMS_TO_ONE: ClassVar[bool] = False
    """Whether the channels of every cell are shares of one whole."""

    @classmethod
    @abstractmethod
    def fit(cls, summary: Summary) -> Self:
        """Fit the scale to a dataset; raise ``DataError`` for values that it cannot take."""

    @abstractmethod
    def encode(self, values: Any, xp: Any = np) -> Any:
        """Turn stored values (..., channels) into what networks see, in float32.

        ``values`` are floats that nobody else uses: they may be overwritten.
        """

    @abstractmethod
    def decode(self, values: Any, xp: Any = np) -> Any:
        """Turn what networks make (..., channels), float32, into values in the units of the data.

        Whole numbers are not rounded yet. ``values`` are not changed.
        """

    @property
    def name(self) -> str:
        """The name of the entry."""
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    def num_channels(self, stored: int) -> int:
        """Return how many channels the networks see for data with ``stored`` channels."""
        return stored


def spread_out(numbers: tuple[float, ...], values: Any, xp: Any) -> Any:
    """Return numbers per channel in a form that combines with ``values`` (..., channels).

    One number for all channels stays a Python number, which needs no memory on the device.
    """
    if len(set(numbers)) == 1:
        return numbers[0]
    return xp.asarray(numbers, dtype=values.dtype, device=values.device)


class CentredScale(Scale):
    """The base class of scales of the form ``(warp(x) - centre) / half``; ``warp`` is monotone.

    A channel without any spread has ``half`` 1, and so becomes 0.
    """

    @property
    def centre(self) -> tuple[float, ...]:
        """What becomes 0, per channel, after the warp; here 0 itself."""
        return tuple(0.0 for _ in self.half)

    @property
    @abstractmethod
    def half(self) -> tuple[float, ...]:
        """How far from the centre lies what becomes 1, per channel, after the warp."""

    def warp(self, values: Any, xp: Any) -> Any:
        """Change the spacing of stored values; here not at all."""
        return values

    def unwarp(self, values: Any, xp: Any) -> Any:
        """Undo ``warp``."""
        return values

    def encode(self, values: Any, xp: Any = np) -> Any:
        """Centre and divide the values after the warp."""
        warped = self.warp(values, xp)
        return (warped - spread_out(self.centre, warped, xp)) / spread_out(self.half, warped, xp)

    def decode(self, values: Any, xp: Any = np) -> Any:
        """Multiply and shift the values, then undo the warp."""
        return self.unwarp(
            values * spread_out(self.half, values, xp) + spread_out(self.centre, values, xp), xp
        )


def halfway(low: tuple[float, ...], high: tuple[float, ...]) -> tuple[float, ...]:
    """Return the middle between two ends, per channel; halved first, so that the sum cannot overflow."""
    return tuple(least / 2 + most / 2 for least, most in zip(low, high, strict=True))


def half_width(low: tuple[float, ...], high: tuple[float, ...]) -> tuple[float, ...]:
    """Return half the distance between two ends, per channel; 1 where they are equal."""
    return tuple(most / 2 - least / 2 or 1.0 for least, most in zip(low, high, strict=True))
