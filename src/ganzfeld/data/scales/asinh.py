"""The inverse hyperbolic sine: linear within the noise, a logarithm far above it, on both sides of 0.

Lupton, Gunn and Szalay 1999 use it for magnitudes: unlike the logarithm it takes zeros and negative values.
"""

import math
from typing import Annotated, Any, Self, final

from pydantic import Field

from ganzfeld.data.scales._base import CentredScale, spread_out
from ganzfeld.data.scales._summary import Summary

_OF_NORMAL_NOISE = 1.4826
"""The standard deviation of normal noise in units of its median distance from the median."""
_MOST_NOISES = 1e12
"""The greatest peak in units of the noise; beyond it a quotient of two float32 could overflow."""

_Positive = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=4096)]


@final
class Scale(CentredScale):
    """asinh(x / ``softening``), divided by its value at ``peak``, so that ``peak`` becomes 1; 0 stays 0."""

    softening: _Positive
    peak: _Positive

    @classmethod
    def fit(cls, summary: Summary) -> Self:
        """Take the spread of each channel as its noise; where there is none, a hundredth of its peak."""
        ends = zip(summary.least, summary.most, strict=True)
        peak = tuple(max(abs(least), abs(most)) or 1.0 for least, most in ends)
        spread = zip(summary.spread, peak, strict=True)
        softening = tuple(
            max(_OF_NORMAL_NOISE * noise or top / 100, top / _MOST_NOISES) for noise, top in spread
        )
        return cls(softening=softening, peak=peak)

    @property
    def half(self) -> tuple[float, ...]:
        """What the peak becomes before it is divided."""
        pairs = zip(self.peak, self.softening, strict=True)
        return tuple(math.asinh(top / noise) for top, noise in pairs)

    def warp(self, values: Any, xp: Any) -> Any:
        """Divide by the softening and take the inverse hyperbolic sine."""
        return xp.asinh(values / spread_out(self.softening, values, xp))

    def unwarp(self, values: Any, xp: Any) -> Any:
        """Take the hyperbolic sine and multiply by the softening."""
        return xp.sinh(values) * spread_out(self.softening, values, xp)
