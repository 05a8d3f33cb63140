"""Sequences: letters along one axis, such as DNA. A longer sequence is cut into windows side by side."""

import hashlib
from typing import Any, ClassVar, final

import numpy as np

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.kinds._base import KindOfValues

COMPLEMENT = {"ACGT": "TGCA", "ACGU": "UGCA"}
"""The letters that pair with those of an alphabet, for the alphabets of nucleic acids."""

UNKNOWN = 255
"""The number of a letter that is not in the alphabet."""


@final
class Kind(KindOfValues):
    """The kind of DNA, RNA and proteins. Duplicates are equal, or reverse complements of each other."""

    DIMS: ClassVar[int] = 1
    WORD: ClassVar[str] = "sequence"
    SCALES: ClassVar[tuple[str, ...]] = ("letters",)
    AUGMENTATIONS: ClassVar[frozenset[str]] = frozenset()

    def require_usable(self, cut: np.ndarray) -> None:
        """Refuse letters that stand for several, such as N: no network can make them."""
        unknown = np.flatnonzero(cut[:, 0] == UNKNOWN)
        if len(unknown):
            raise UnusableImage(
                f"{len(unknown):,} of its {len(cut):,} letters are none of the alphabet (the first is number"
                f" {int(unknown[0]) + 1})"
            )

    def look(self, item: np.ndarray, facts: dict[str, Any]) -> bytes:
        """Return a digest that a sequence shares with its reverse complement."""
        letters = facts["letters"]
        other = item
        if letters in COMPLEMENT:
            pairs = np.array([letters.index(letter) for letter in COMPLEMENT[letters]], np.uint8)
            other = pairs[item[::-1]]
        return hashlib.sha256(min(item.tobytes(), other.tobytes())).digest()
