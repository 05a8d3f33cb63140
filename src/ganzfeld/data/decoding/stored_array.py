"""Read the values that one file holds, as they are stored, for data that are no images."""

import io
from typing import Any

import numpy as np

from ganzfeld.data.axes import axes_of, channels_last_by
from ganzfeld.data.decoding.decode import UnusableImage, stored_values
from ganzfeld.data.decoding.fits import MAGIC, fits_values
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.errors import ResourceError

KEPT = ("uint8", "uint16", "float32")
"""The types in which the cache holds values; all others become float32."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LETTERS = {"Y": "H", "X": "W", "S": "C", "C": "C"}
"""The letters of axes in a TIFF, and here; others (pages, depth, time) may be items or channels."""


def values_of_file(content: bytes, settings: Preprocessing) -> np.ndarray:
    """Return the values of a file: (*size, channels), or (items, *size, channels).

    Reads FITS, TIFF and the formats of images. Raises ``UnusableImage`` for what cannot be read,
    ``UsageError`` where nothing says what an axis means, and ``ResourceError`` without a reader of TIFF.
    """
    if content.startswith(MAGIC):
        values, letters = fits_values(content), None
    elif content.startswith(_TIFF):
        values, letters = _tiff_values(content)
    else:
        values = stored_values(content, 0)
        letters = "HW" if values.ndim == 2 else "HWC"
    if values.dtype.kind not in "biuf":
        raise UnusableImage(f"holds {values.dtype.name}, and only real numbers can be trained on")
    dims = len(settings.shape)
    letters = settings.axes or letters or ("HW" if values.ndim == dims else None)
    # Without any letters, three axes could be channels, items or depth.
    letters = axes_of(letters or "?" * values.ndim, values.ndim, dims, "a file")
    if letters.startswith("N"):
        return np.stack([channels_last_by(letters, item) for item in values])
    return channels_last_by(letters, values)


def facts_of_values(dtype: np.dtype, channels: int) -> dict[str, Any]:
    """Return what the cache must know of values: their type there, and their number of channels."""
    kept = {"bool": "uint8"}.get(dtype.name, dtype.name if dtype.name in KEPT else "float32")
    full = {} if kept == "float32" else {"full": float(np.iinfo(kept).max)}
    return {"dtype": kept, "channels": channels} | full


def _tiff_values(content: bytes) -> tuple[np.ndarray, str | None]:
    """Return the values of a TIFF and the letters of its axes, if the file says what all of them mean."""
    try:
        import tifffile
    except ImportError:
        raise ResourceError(
            "reading the values of a TIFF needs the package tifffile, which is not installed",
            'Install it: pip install "ganzfeld[tiff]"',
        ) from None
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            series = file.series[0]
            values, letters = series.asarray(), [_LETTERS.get(axis) for axis in series.axes]
    except Exception as problem:  # noqa: BLE001  hostile bytes make parsers raise anything
        raise UnusableImage(f"damaged, or of an unknown kind ({type(problem).__name__}: {problem})") from None
    return values, "".join(filter(None, letters)) if all(letters) else None
