"""Maps: measured fields on two axes with any number of channels, in the units of their instrument.

Larger fields are cut into tiles of the training size; nothing is resampled, since that would change what is
measured. A field may be turned over, and its window moved.
"""

from typing import ClassVar, final

from ganzfeld.data.kinds._base import KindOfValues


@final
class Kind(KindOfValues):
    """The kind of telescope, microscope and simulation fields."""

    DIMS: ClassVar[int] = 2
    WORD: ClassVar[str] = "map"
    SCALES: ClassVar[tuple[str, ...]] = ("linear", "log", "asinh", "standard", "peak", "bytes")
    AUGMENTATIONS: ClassVar[frozenset[str]] = frozenset(("mirror", "crop"))
