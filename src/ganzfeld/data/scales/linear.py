"""The least value of each channel onto -1, the greatest onto 1, everything between in proportion."""

from typing import Self, final

from ganzfeld.data.scales._base import CentredScale, Numbers, half_width, halfway
from ganzfeld.data.scales._summary import Summary


@final
class Scale(CentredScale):
    """``low`` becomes -1 and ``high`` becomes 1; a constant channel becomes 0."""

    low: Numbers
    high: Numbers

    @classmethod
    def fit(cls, summary: Summary) -> Self:
        """Take the least and greatest value of each channel."""
        return cls(low=summary.least, high=summary.most)

    @property
    def centre(self) -> tuple[float, ...]:
        """The middle between both ends."""
        return halfway(self.low, self.high)

    @property
    def half(self) -> tuple[float, ...]:
        """Half the distance between both ends."""
        return half_width(self.low, self.high)
