"""Read the labels stored in an array beside the array of images.

Valid labels are whole numbers from 0 (also as floats), bool, text, and one-hot rows. Everything else is
refused with the reason, since nobody expects existing labels to be dropped silently.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import BinaryIO

import numpy as np

from ganzfeld.data.sources._rows import Rows

_BYTES_AT_ONCE = 2**22
_MOST_WHOLE = 2.0**53
MOST_CHARACTERS = 255
_MOST_TEXT_BYTES = 4 * MOST_CHARACTERS
_EXPECTED = "Expected whole numbers from 0 or text (N,), or one-hot rows (N, K)."

Open = Callable[[ExitStack], BinaryIO]


class Rejected(ValueError):
    """Raised when an array cannot be used as labels; the text is the reason."""


def array_labels(rows: Rows, num_images: int, open_stream: Open) -> list[str]:
    """Return the label of every image, ``""`` for none; raise ``Rejected`` if they are invalid."""
    try:
        _check(rows, num_images)
        with ExitStack() as files:
            parts = list(_parts(rows, open_stream(files)))
        numbers = np.concatenate([_column(part) for part in parts])
        return _as_text(numbers)
    except Rejected as problem:
        shown = f"{rows.dtype.name} of the shape {(rows.count, *rows.shape)}"
        raise Rejected(f"{shown}: {problem}. {_EXPECTED}") from None


def labels_of_values(values: np.ndarray) -> list[str]:
    """Return the label of every image from values (N,) or (N, K) in memory; see ``array_labels``."""
    content = BytesIO(np.ascontiguousarray(values).tobytes() if values.dtype.kind in "iufbUS" else b"")
    rows = Rows(0, len(values), values.shape[1:], values.dtype)
    return array_labels(rows, len(values), lambda _: content)


def _check(rows: Rows, num_images: int) -> None:
    """Raise ``Rejected`` if the type or shape shows that the rows cannot be labels."""
    width = int(np.prod(rows.shape, dtype=object))
    if rows.dtype.kind not in "iufbUS":
        raise Rejected("values of this type cannot be labels")
    if rows.count != num_images:
        transposed = "; it would fit transposed" if rows.count == 1 and width == num_images else ""
        raise Rejected(f"{rows.count:,} labels for {num_images:,} images{transposed}")
    if sum(side != 1 for side in rows.shape) > 1 or width == 0:
        raise Rejected("neither one label per image nor a one-hot row")
    if width > 1 and rows.dtype.kind in "US":
        raise Rejected(f"{width:,} texts per image instead of one")
    if rows.dtype.itemsize == 0:
        raise Rejected("empty texts")
    if rows.dtype.itemsize > _MOST_TEXT_BYTES:
        raise Rejected(f"texts of more than {MOST_CHARACTERS} characters")


def _parts(rows: Rows, stream: BinaryIO) -> Iterator[np.ndarray]:
    """Yield the rows in parts (n, width), to avoid holding all one-hot rows of many classes in memory."""
    width = int(np.prod(rows.shape, dtype=object))
    at_once = max(1, _BYTES_AT_ONCE // rows.row_bytes)
    try:
        stream.seek(rows.offset)
        for begin in range(0, rows.count, at_once):
            content = stream.read(min(at_once, rows.count - begin) * rows.row_bytes)
            yield np.frombuffer(content, rows.dtype).reshape(min(at_once, rows.count - begin), width)
    except Rejected:
        raise
    except Exception as problem:  # noqa: BLE001  zlib, gzip and zipfile name damage in many ways
        raise Rejected(f"damaged ({type(problem).__name__}: {problem})") from None


def _column(part: np.ndarray) -> np.ndarray:
    """Return one value per row: the value itself, or the position of the one in a one-hot row."""
    if part.shape[1] == 1:
        return part[:, 0]
    if part.dtype.kind == "f" and not np.isfinite(part).all():
        raise Rejected("it holds NaN or infinite values")
    is_one_hot = ((part == 0) | (part == 1)).all(axis=1) & ((part == 1).sum(axis=1) == 1)
    if not is_one_hot.all():
        first = part[int(np.argmin(is_one_hot))]
        shown = ", ".join(f"{value:g}" for value in first[:6].astype(float)) + (
            ", ..." if len(first) > 6 else ""
        )
        raise Rejected(f"its rows are not one-hot, such as ({shown})")
    return part.argmax(axis=1)


def _as_text(labels: np.ndarray) -> list[str]:
    """Return labels as text; raise ``Rejected`` for numbers that cannot be classes."""
    kind = labels.dtype.kind
    if kind == "S":
        try:
            return [label.decode("utf-8") for label in labels.tolist()]
        except UnicodeDecodeError:
            raise Rejected("bytes that are not UTF-8 text") from None
    if kind == "U":
        try:
            return [str(label).strip() for label in labels.tolist()]
        except ValueError:
            raise Rejected("damaged text") from None
    if kind == "f":
        if not np.isfinite(labels).all():
            raise Rejected("it holds NaN or infinite values")
        fractions = labels[labels != np.floor(labels)]
        if len(fractions):
            raise Rejected(f"it holds fractions such as {fractions[0]:g}, which cannot be classes")
        if (np.abs(labels.astype(np.float64)) > _MOST_WHOLE).any():
            raise Rejected("it holds numbers too large to be whole numbers of that type")
        labels = labels.astype(np.int64)
    if kind in "if" and len(labels) and labels.min() < 0:
        hint = "which may be a class or mean no class; number classes from 0"
        raise Rejected(f"it holds negative numbers such as {labels.min()}, {hint}")
    return [str(label) for label in labels.tolist()]
