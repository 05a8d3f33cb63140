"""Values of options as people write them: frames, ranges, sizes and paths, as text and as what it means.

What needs more than the standard library to check (a colour, a file) is checked where it is used.
"""

import math
import os
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ganzfeld.errors import UsageError
from ganzfeld.printable import printable

_MOST_SHOWN = 200
SIZES = "Give one number, 64, or width by height, 96x64."


def shown(value: Any) -> str:
    """Return a value for a message: what is long, such as an array, by its type alone."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN and "\n" not in text else f"a {type(value).__name__}"


FIRST_FRAME, ALL_FRAMES = "first", "all"
MOST_FRAMES = 1_000_000


def are_frames(text: str) -> bool:
    """Return whether a text says which frames of a file are read."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_FRAMES))
    return text in (FIRST_FRAME, ALL_FRAMES) or (is_number and 1 <= int(text) <= MOST_FRAMES)


def as_text(path: Any) -> Any:
    """Return a path object as text, which is what options that name files hold; anything else as it is."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def absolute(path: Any) -> Any:
    """Return a path as text that holds from any folder; anything else as it is."""
    text = as_text(path)
    return str(Path(text).expanduser().absolute()) if isinstance(text, str) else text


AUTO = "auto"
"""The range that is found in the images themselves."""


def range_of(text: str) -> tuple[float, float]:
    """Return the two numbers of ``LOW:HIGH``; raises ``UsageError`` where they are none, or not in order."""
    try:
        low, high = (float(part) for part in text.split(":"))
        width = high - low
        if width > 0 and math.isfinite(width) and math.isfinite(1_000 / width):
            return low, high
    except ValueError:
        pass
    raise UsageError(
        f"range must be LOW:HIGH or {AUTO}, with LOW below HIGH, not {text!r}",
        'Give the stored values that become black and white, such as "0:4095".',
    )


def sides_of(given: Any) -> Any:
    """Return [width, height] of a size: one number is a square, ``WxH`` width by height; the rest as it is.

    Raises ``UsageError`` for text that is no size.
    """
    if isinstance(given, str):
        parts = [part.strip() for part in given.lower().split("x")]
        if not 1 <= len(parts) <= 2 or not all(part.isdecimal() and len(part) < 10 for part in parts):
            raise UsageError(f"size {printable(given, 60)!r} is not a size", SIZES)
        given = [int(part) for part in parts]
    if isinstance(given, int):
        given = [given]
    return [*given, *given] if isinstance(given, list | tuple) and len(given) == 1 else given


def range_as_text(given: Any) -> Any:
    """Return a pair of numbers as ``LOW:HIGH``; anything else as it is."""
    if not isinstance(given, tuple | list) or len(given) != 2 or not all(map(_is_number, given)):
        return given
    try:
        low, high = (float(each) for each in given)
    except OverflowError:
        return "a number too large"
    return text_of_range(low, high) if math.isfinite(low) and math.isfinite(high) else f"{low}:{high}"


def frames_as_text(given: Any) -> Any:
    """Return a number of frames as text; anything else as it is."""
    return str(int(given)) if isinstance(given, Integral) and not isinstance(given, bool) else given


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def text_of_range(low: float, high: float) -> str:
    """Return the text that ``range_of`` reads as exactly these two numbers."""
    return ":".join(str(int(each)) if each == int(each) else repr(float(each)) for each in (low, high))


def text_of_enclosing_range(low: float, high: float) -> str:
    """Return a range of few digits that holds both; that of whole numbers is exact, and ``low`` is less."""
    if (low == int(low) and high == int(high)) or not 1e-300 < high - low < 1e300:
        return text_of_range(low, high)
    digits = 2 - math.floor(math.log10(high - low))  # after the point: a hundredth of the width or less
    step = 10.0**-digits
    below = round(math.floor(low / step) * step, digits)
    above = round(math.ceil(high / step) * step, digits)
    return text_of_range(min(low, below), max(high, above))
