"""Parsing and writing of option values: frames, ranges, sizes and paths, to and from text.

Values that need more than the standard library to check (a colour, a file) are checked where they are used.
"""

import math
import os
from pathlib import Path
from typing import Any

from ganzfeld.errors import UsageError
from ganzfeld.printable import printable
from ganzfeld.value_kinds import is_number, is_whole

SIZES = "Give one number, 64, or width by height, 96x64."


FIRST_FRAME, ALL_FRAMES = "first", "all"
MOST_FRAMES = 1_000_000


def are_frames(text: str) -> bool:
    """Check whether a text is a valid value of the option ``frames``."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_FRAMES))
    return text in (FIRST_FRAME, ALL_FRAMES) or (is_number and 1 <= int(text) <= MOST_FRAMES)


def as_text(path: Any) -> Any:
    """Return a path object as text; return any other value unchanged."""
    return os.fspath(path) if isinstance(path, os.PathLike) else path


def absolute(path: Any) -> Any:
    """Return a path as text in absolute form; return any other value unchanged."""
    text = as_text(path)
    return str(Path(text).expanduser().absolute()) if isinstance(text, str) else text


AUTO = "auto"
"""The value of ``range`` that takes the range from the images themselves."""


def range_of(text: str) -> tuple[float, float]:
    """Return the two numbers of ``LOW:HIGH``. Raises ``UsageError`` unless LOW is below HIGH."""
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


def sides_of(size: Any) -> Any:
    """Return [width, height] of a size: ``N`` is a square, ``WxH`` is width by height.

    Returns any other value unchanged. Raises ``UsageError`` for text that is not a size.
    """
    if isinstance(size, str):
        parts = [part.strip() for part in size.lower().split("x")]
        if not 1 <= len(parts) <= 2 or not all(part.isdecimal() and len(part) < 10 for part in parts):
            raise UsageError(f"size {printable(size, 60)!r} is not a size", SIZES)
        size = [int(part) for part in parts]
    if isinstance(size, int):
        size = [size]
    return [*size, *size] if isinstance(size, list | tuple) and len(size) == 1 else size


def range_as_text(value: Any) -> Any:
    """Return a pair of numbers as ``LOW:HIGH``; return any other value unchanged."""
    if not isinstance(value, tuple | list) or len(value) != 2 or not all(map(is_number, value)):
        return value
    try:
        low, high = (float(end) for end in value)
    except OverflowError:
        return "a number too large"
    return text_of_range(low, high) if math.isfinite(low) and math.isfinite(high) else f"{low}:{high}"


def frames_as_text(value: Any) -> Any:
    """Return a number of frames as text; return any other value unchanged."""
    return str(int(value)) if is_whole(value) else value


def text_of_range(low: float, high: float) -> str:
    """Return the text that ``range_of`` reads as exactly these two numbers."""
    return ":".join(str(int(end)) if end == int(end) else repr(float(end)) for end in (low, high))


def text_of_enclosing_range(low: float, high: float) -> str:
    """Return a range of few digits that contains both ends; ``low`` must be below ``high``.

    The ends are exact if both are whole numbers.
    """
    if (low == int(low) and high == int(high)) or not 1e-300 < high - low < 1e300:
        return text_of_range(low, high)
    digits = 2 - math.floor(math.log10(high - low))  # decimals, for steps of a hundredth of the width or less
    step = 10.0**-digits
    below = round(math.floor(low / step) * step, digits)
    above = round(math.ceil(high / step) * step, digits)
    return text_of_range(min(low, below), max(high, above))
