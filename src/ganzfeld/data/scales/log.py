"""The logarithm of positive values, its least onto -1 and its greatest onto 1; for many decades."""

import math
from typing import Annotated, Any, Self, final

from pydantic import Field

from ganzfeld.data.scales._base import CentredScale, half_width, halfway
from ganzfeld.data.scales._summary import Summary
from ganzfeld.errors import DataError

Positive = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=4096)]


@final
class Scale(CentredScale):
    """log(``low``) becomes -1 and log(``high``) becomes 1; a constant channel becomes 0."""

    low: Positive
    high: Positive

    @classmethod
    def fit(cls, summary: Summary) -> Self:
        """Take the least and greatest value of each channel; raise ``DataError`` if any is not positive."""
        for channel, num in enumerate(summary.num_not_positive):
            if num:
                where = f" in channel {channel}" if len(summary.least) > 1 else ""
                raise DataError(
                    f"the scale log needs values above 0, and {num:,} of {summary.num_values:,}{where}"
                    f" are not (the least is {summary.least[channel]:g})",
                    "Use --scale asinh, which is a logarithm far from 0 and takes zeros and negative values.",
                )
        return cls(low=summary.least, high=summary.most)

    @property
    def centre(self) -> tuple[float, ...]:
        """The middle between the logarithms of both ends."""
        return halfway(*self._logarithms)

    @property
    def half(self) -> tuple[float, ...]:
        """Half the distance between the logarithms of both ends."""
        return half_width(*self._logarithms)

    @property
    def _logarithms(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return tuple(map(math.log, self.low)), tuple(map(math.log, self.high))

    def warp(self, values: Any, xp: Any) -> Any:
        """Take the natural logarithm."""
        return xp.log(values)

    def unwarp(self, values: Any, xp: Any) -> Any:
        """Take the exponential."""
        return xp.exp(values)
