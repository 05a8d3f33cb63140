"""Whole numbers from 0 to the greatest that their type or bit depth allows, onto [-1, 1]; for images.

Nothing is measured on the data, so images of different sets mean the same.
"""

from typing import Any, Self, final

import numpy as np
from pydantic import Field

from ganzfeld.data.scales._base import Scale as Base
from ganzfeld.data.scales._summary import Summary
from ganzfeld.errors import DataError


@final
class Scale(Base):
    """0 becomes -1, and ``most`` becomes 1."""

    most: float = Field(default=255.0, gt=0, lt=2**32)

    @classmethod
    def fit(cls, summary: Summary) -> Self:
        """Take the greatest value that the data could hold; raise ``DataError`` for floats."""
        if summary.full is None or min(summary.least) < 0:
            raise DataError(
                "the scale bytes is for whole numbers from 0 on, and these data hold others",
                "Choose another one, such as --scale linear.",
            )
        return cls(most=summary.full)

    def encode(self, values: Any, xp: Any = np) -> Any:
        """Divide and shift in place: a batch of images is scaled in every step."""
        values /= self.most / 2
        values -= 1
        return values

    def decode(self, values: Any, xp: Any = np) -> Any:
        """Undo ``encode``."""
        return (values + 1) * (self.most / 2)
