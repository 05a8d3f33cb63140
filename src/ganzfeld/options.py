"""Options that people give, each declared once: its name, default, help text and what it may be.

An options class is a frozen dataclass whose fields are made by ``option``. The command line is generated from
it, Python functions take the same names with the same defaults, and a run keeps it in its record. What needs
more than the standard library to check (a colour, a file) is checked where it is used.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

from ganzfeld.errors import UsageError
from ganzfeld.printable import printable

_DECLARED = "option"
_MOST_SHOWN = 200
SIZES = "Give one number, 64, or width by height, 96x64."


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of an option: help text, types, and its ``choices`` or its least and greatest value."""

    help: str
    kinds: tuple[type, ...]
    choices: Sequence[Any] = ()
    low: float | None = None
    high: float | None = None

    def is_allowed(self, value: Any) -> bool:
        """Whether the option may have that value. A comparison with NaN is never true."""
        if not isinstance(value, self.kinds) or isinstance(value, bool) is not (bool in self.kinds):
            return False
        if self.choices:
            return value in self.choices
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    @property
    def expected(self) -> str:
        """What the option may be, in words that follow "must be"."""
        if self.choices:
            return " or ".join(map(str, self.choices))
        if self.low is None and self.high is None:
            return " or ".join(kind.__name__ for kind in self.kinds)
        if self.high is None:
            return f"at least {self.low}"
        return f"at most {self.high}" if self.low is None else f"from {self.low} to {self.high}"


def option(
    default: Any,
    help: str,
    *,
    choices: Sequence[Any] = (),
    low: float | None = None,
    high: float | None = None,
    kinds: tuple[type, ...] = (),
) -> Any:
    """Declare a field of an options class. ``None`` is allowed where it is the default.

    Values are of the given ``kinds``; if none are, of the type of the default or of the choices, else text.
    """
    example = choices[0] if default is None and choices else default
    kind = str if example is None else type(example)
    kinds = kinds or ((int, float) if kind is float else (kind,))
    return field(default=default, metadata={_DECLARED: Declared(help, kinds, choices, low, high)})


def declared(options: Any) -> dict[str, Declared]:
    """Map the names of an options class (or of one of its instances) to what is known of each option."""
    return {each.name: each.metadata[_DECLARED] for each in fields(options)}


def defaults(options: Any) -> dict[str, Any]:
    """Map the names of an options class (or of one of its instances) to the default values."""
    return {each.name: each.default for each in fields(options)}


def changed(options: Any) -> dict[str, Any]:
    """Return those values of an instance that are not the defaults."""
    usual = defaults(options)
    return {name: value for name, value in asdict(options).items() if value != usual[name]}


def dashed(name: str) -> str:
    """Return the name of an option as it is typed: ``max_bad`` is ``max-bad``."""
    return name.replace("_", "-")


def check(options: Any) -> None:
    """Raise ``UsageError`` for the first value of an instance that is not allowed."""
    usual = defaults(options)
    for name, known in declared(options).items():
        value = getattr(options, name)
        if (value is None and usual[name] is None) or known.is_allowed(value):
            continue
        raise UsageError(f"{dashed(name)} must be {known.expected}, not {shown(value)}")


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


@dataclass(frozen=True, slots=True)
class PreparationOptions:
    """How images become what is trained on, alike for ``check``, ``train`` and all that reads them later."""

    channels: int | None = option(
        None, "1 (grey) or 3 (colour). Default: 1 if every picture is grey.", choices=(1, 3)
    )
    background: str = option("white", "Colour behind transparent pixels.")
    range: str | None = option(
        None,
        "LOW:HIGH, stored values that become black and white, or auto. Default: those of the format.",
    )
    alpha: str | None = option(
        None,
        "Fourth channel: over (opacity), none (left out) or band. Default: over, and guesses are said.",
        choices=("none", "over", "band"),
    )
    frames: str = option(
        FIRST_FRAME, "Of animations and stacks: first, all, or N evenly spaced frames of each file."
    )
    labels: str | None = option(
        None, "CSV or other text file: a column of file names, one of classes. Columns are guessed, and told."
    )
    max_bad: float = option(
        0.5, "Share of pictures that may be unusable before training is refused.", low=0, high=1
    )

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    def __post_init__(self) -> None:
        # Python may give numbers where the command line has text; what is kept is that text.
        object.__setattr__(self, "range", range_as_text(self.range))
        object.__setattr__(self, "frames", frames_as_text(self.frames))
        check(self)
        if self.range not in (None, AUTO):
            range_of(self.range)
        if not are_frames(self.frames):
            limits = f"{FIRST_FRAME}, {ALL_FRAMES} or a number from 1 to {MOST_FRAMES:,}"
            raise UsageError(f"frames must be {limits}, not {self.frames!r}")
