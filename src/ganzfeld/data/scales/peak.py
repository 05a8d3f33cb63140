"""The greatest distance from 0 of each channel onto 1; 0 stays 0, for data that swing about it."""

from typing import Self, final

from ganzfeld.data.scales._base import CentredScale, Numbers
from ganzfeld.data.scales._summary import Summary


@final
class Scale(CentredScale):
    """``peak`` becomes 1, ``-peak`` becomes -1 and 0 stays 0."""

    peak: Numbers

    @classmethod
    def fit(cls, summary: Summary) -> Self:
        """Take the greatest absolute value of each channel."""
        ends = zip(summary.least, summary.most, strict=True)
        return cls(peak=tuple(max(abs(least), abs(most)) for least, most in ends))

    @property
    def half(self) -> tuple[float, ...]:
        """The peak, or 1 for a channel of zeros."""
        return tuple(peak or 1.0 for peak in self.peak)
