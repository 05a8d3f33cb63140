"""Letters as shares: one channel per letter of the alphabet, 1 where that letter is and 0 elsewhere."""

from typing import Any, ClassVar, Self, final

import numpy as np
from pydantic import Field

from ganzfeld.data.scales._base import Scale as Base
from ganzfeld.data.scales._summary import Summary
from ganzfeld.errors import DataError


@final
class Scale(Base):
    """``letters`` are the alphabet, in the order of the channels; networks make shares that sum to one."""

    INTERVAL: ClassVar[tuple[float, float]] = (0.0, 1.0)
    SUMS_TO_ONE: ClassVar[bool] = True

    letters: str = Field(min_length=2, max_length=64, pattern=r"^[!-~]+$")

    @classmethod
    def fit(cls, summary: Summary) -> Self:
        """Take the letters of the data; raise ``DataError`` for data that are no letters."""
        if len(summary.least) != 1 or len(summary.letters) < 2 or max(summary.most) >= len(summary.letters):
            raise DataError(
                "the scale letters is for sequences of letters, and these data are numbers",
                "Choose another one, such as --scale linear.",
            )
        return cls(letters=summary.letters)

    def num_channels(self, stored: int) -> int:
        """Return one channel per letter."""
        return len(self.letters)

    def encode(self, values: Any, xp: Any = np) -> Any:
        """Turn numbers of letters (..., 1) into shares (..., letters)."""
        numbers = xp.arange(len(self.letters), dtype=values.dtype, device=values.device)
        return xp.asarray(values == numbers, dtype=xp.float32)

    def decode(self, values: Any, xp: Any = np) -> Any:
        """Turn shares (..., letters) into the number of the greatest one (..., 1)."""
        return xp.asarray(xp.argmax(values, -1), dtype=xp.float32)[..., None]
