"""The mean of each channel onto 0 and its standard deviation onto 1; without bounds."""

import math
from typing import ClassVar, Self, final

from ganzfeld.data.scales._base import CentredScale, Numbers
from ganzfeld.data.scales._summary import Summary


@final
class Scale(CentredScale):
    """``mean`` becomes 0 and ``mean + deviation`` becomes 1; needs an output without bounds."""

    INTERVAL: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    mean: Numbers
    deviation: Numbers

    @classmethod
    def fit(cls, summary: Summary) -> Self:
        """Take the mean and the standard deviation of each channel."""
        return cls(mean=summary.mean, deviation=summary.deviation)

    @property
    def centre(self) -> tuple[float, ...]:
        """The mean."""
        return self.mean

    @property
    def half(self) -> tuple[float, ...]:
        """The standard deviation, or 1 for a constant channel."""
        return tuple(deviation or 1.0 for deviation in self.deviation)
