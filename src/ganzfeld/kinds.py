"""Checks of the types of arguments to Python functions, by argument name, before any work is done.

The command line passes the right types by itself; from Python a function may be called with anything.
"""

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin

from ganzfeld.errors import UsageError
from ganzfeld.printable import printable

LONGEST_SHOWN = 80

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Kind:
    """A kind of argument.

    ``expected`` describes it in messages, ``fits`` checks a value, and ``plain`` converts it to the plain
    Python value that the function receives.
    """

    expected: str
    fits: Callable[[Any], bool]
    plain: Callable[[Any], Any] = lambda value: value


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _plain_number(value: Any) -> int | float:
    return int(value) if isinstance(value, Integral) else float(value)


def _are_settings(value: Any) -> bool:
    is_collection = isinstance(value, Mapping | Sequence) and not isinstance(value, str | bytes)
    return is_collection and all(isinstance(entry, str) for entry in value)


WHOLE = Kind("a whole number", lambda value: _is_number(value, Integral), int)
NUMBER = Kind("a number", lambda value: _is_number(value, Real), _plain_number)
TEXT = Kind("text", lambda value: isinstance(value, str))
TRUTH = Kind("True or False", lambda value: isinstance(value, bool))
PATH = Kind("a path, as text or as a pathlib.Path", lambda value: isinstance(value, str | os.PathLike))
SETTINGS = Kind('a mapping such as {"generator.width": 32}, or a list of texts', _are_settings)

BY_NAME = {
    "auto": TRUTH,
    "batch": WHOLE,
    "checkpoint_seconds": NUMBER,
    "device": TEXT,
    "from_images": WHOLE,
    "images": WHOLE,
    "inexact": TRUTH,
    "minutes": NUMBER,
    "num": WHOLE,
    "on_divergence": TEXT,
    "out": PATH,
    "path": PATH,
    "precision": TEXT,
    "route": PATH,
    "seed": WHOLE,
    "settings": SETTINGS,
    "stop": TEXT,
}
"""The arguments that are checked, by name. None is allowed where it is the default."""


def check_arguments(function: Callable[_Parameters, _Result]) -> Callable[_Parameters, _Result]:
    """Decorate a function to check, in every call, its arguments that are named in ``BY_NAME``.

    A call raises ``UsageError`` for an argument of the wrong kind.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> _Result:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:  # too many or too few arguments: Python's own message is the best one
            return function(*args, **kwargs)
        for name, value in bound.arguments.items():
            if name in BY_NAME and not (value is None and signature.parameters[name].default is None):
                bound.arguments[name] = check_argument(name, value)
        return function(*bound.args, **bound.kwargs)

    return checked


def check_argument(name: str, value: Any) -> Any:
    """Return the plain value of an argument. Raises ``UsageError`` if it is of the wrong kind."""
    kind = BY_NAME[name]
    if not kind.fits(value):
        raise UsageError(f"{name} must be {kind.expected}, not {printable(repr(value), LONGEST_SHOWN)}")
    return kind.plain(value)


def require_numbers(kinds: Mapping[str, Any], fields: Mapping[Any, Any]) -> None:
    """Raise ``UsageError`` for true or false in a field that must hold numbers, or lists of numbers.

    ``kinds`` maps the names of fields to their annotations. Without this check True would pass as 1.
    """
    for name, value in fields.items():
        if name in kinds and _is_numeric(kinds[name]):
            for truth in _truths_in(value):
                verb = "be a number" if kinds[name] in (int, float) else "hold numbers"
                raise UsageError(f"{name} must {verb}, not {str(truth).lower()}")


def _is_numeric(annotation: Any) -> bool:
    """Check whether an annotation stands for numbers only, or for lists of numbers."""
    if get_origin(annotation) is Annotated:
        return _is_numeric(get_args(annotation)[0])
    inner = [argument for argument in get_args(annotation) if argument not in (Ellipsis, NoneType)]
    return annotation in (int, float) or (bool(inner) and all(map(_is_numeric, inner)))


def _truths_in(value: Any) -> Iterator[bool]:
    """Yield every True or False in a value and in its lists, at any depth."""
    if isinstance(value, bool):
        yield value
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _truths_in(entry)
