"""The input of the measures of other kinds than images: generated and real items, in their units."""

from dataclasses import dataclass, replace

import numpy as np

from ganzfeld.errors import UsageError
from ganzfeld.metrics.comparison import LEAST


@dataclass(frozen=True)
class ItemComparison:
    """Generated items against real ones of one ``kind``, both (N, *size, channels) as the data store them.

    ``training`` (M, *size, channels) holds items that the generator was trained on, perhaps ``real`` itself.
    ``letters`` are those of sequences, whose values are their numbers. ``seed`` decides what a measure draws.
    Raises ``UsageError`` for fewer than 50 items on a side.
    """

    kind: str
    generated: np.ndarray
    real: np.ndarray
    training: np.ndarray
    letters: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        numbers = [len(side) for side in (self.generated, self.real, self.training)]
        if min(numbers) < LEAST:
            shown = " and ".join(map(str, numbers[:2]))
            raise UsageError(f"a comparison needs {LEAST} {self.kind}s on each side, not {shown}")

    @property
    def numbers(self) -> tuple[int, int]:
        """The number of generated and of real items."""
        return len(self.generated), len(self.real)

    def of(self, items: np.ndarray) -> "ItemComparison":
        """Return the same comparison with other items in place of the generated ones."""
        return replace(self, generated=items)
