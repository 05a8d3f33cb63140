"""The kinds of values that options and other arguments may have: number, text, path and so on."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ganzfeld.errors import UsageError
from ganzfeld.printable import shown


@dataclass(frozen=True)
class Kind:
    """A kind of value, of an option or of another argument.

    ``expected`` describes it in messages, ``fits`` checks a value, and ``plain`` converts it to the plain
    Python value that a function receives.
    """

    expected: str
    fits: Callable[[Any], bool]
    plain: Callable[[Any], Any] = lambda value: value

    def require(self, name: str, value: Any) -> Any:
        """Return the plain value. Raises ``UsageError``, which says ``name``, if it is of another kind."""
        if not self.fits(value):
            raise UsageError(f"{name} must be {self.expected}, not {shown(value)}")
        return self.plain(value)


def is_number(value: Any) -> bool:
    """Check whether a value is a real number, of Python or of a library such as NumPy; bool is none."""
    # First the types that nearly all numbers have: the check of an abstract class takes longer.
    return isinstance(value, int | float | Real) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Check whether a value is a number of an integer type; bool is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _plain_number(value: Any) -> int | float:
    return int(value) if isinstance(value, Integral) else float(value)


def _are_settings(value: Any) -> bool:
    is_collection = isinstance(value, Mapping | Sequence) and not isinstance(value, str | bytes)
    return is_collection and all(isinstance(entry, str) for entry in value)


WHOLE = Kind("a whole number", is_whole, int)
NUMBER = Kind("a number", is_number, _plain_number)
TEXT = Kind("text", lambda value: isinstance(value, str))
TRUTH = Kind("True or False", lambda value: isinstance(value, bool))
PATH = Kind("a path, as text or as a pathlib.Path", lambda value: isinstance(value, str | os.PathLike))
SETTINGS = Kind('a mapping such as {"generator.width": 32}, or a list of texts', _are_settings)
ANYTHING = Kind("any value", lambda value: True)
"""The kind of options that are checked where they are used, such as names of recipes."""
