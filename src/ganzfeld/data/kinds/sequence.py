"""Sequences: letters along one axis, such as DNA. A longer sequence is cut into windows side by side."""

import colorsys
import hashlib
from typing import Any, ClassVar, final

import numpy as np

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.kinds._base import KindOfValues
from ganzfeld.data.scales import Scale

COMPLEMENT = {"ACGT": "TGCA", "ACGU": "UGCA"}
"""The letters that pair with those of an alphabet, for the alphabets of nucleic acids."""

UNKNOWN = 255
"""The number of a letter that is not in the alphabet."""

_OF_BASES = np.array([(0, 150, 60), (40, 80, 200), (240, 170, 0), (210, 40, 40)], np.uint8)
"""The usual colours of sequence logos: A green, C blue, G orange, T red (Schneider and Stephens 1990)."""

_BAR_PX = 8
"""The height of the bar of a sequence."""


@final
class Kind(KindOfValues):
    """The kind of DNA, RNA and proteins. Duplicates are equal, or reverse complements of each other."""

    DIMS: ClassVar[int] = 1
    WORD: ClassVar[str] = "sequence"
    RECIPE: ClassVar[str] = "dna"
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

    def view(self, items: np.ndarray, scale: Scale) -> np.ndarray:
        """Return one bar per sequence, with a column per letter in the colour of that letter."""
        num = scale.num_channels(1)
        colours = _OF_BASES if num == len(_OF_BASES) else _hues(num)
        return np.repeat(colours[items[:, None, :, 0]], _BAR_PX, 1)


def _hues(num: int) -> np.ndarray:
    """Return that many colours around the wheel, uint8 (num, 3)."""
    wheel = [colorsys.hsv_to_rgb(number / num, 0.7, 0.85) for number in range(num)]
    return np.rint(255 * np.array(wheel)).astype(np.uint8)
