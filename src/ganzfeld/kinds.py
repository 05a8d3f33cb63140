"""What arguments of Python functions must be, by name: a wrong kind is told before any work is done.

The command line gives the right kinds by itself; in Python anything can be handed over.
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

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Kind:
    """A kind of argument: what it is in words, whether a value is one, and what the function gets for it."""

    expected: str
    fits: Callable[[Any], bool]
    plain: Callable[[Any], Any] = lambda value: value


def _is_number(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _plain_number(value: Any) -> int | float:
    return int(value) if isinstance(value, Integral) else float(value)


def _are_settings(value: Any) -> bool:
    names = isinstance(value, Mapping | Sequence) and not isinstance(value, str | bytes)
    return names and all(isinstance(each, str) for each in value)


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
"""The arguments that are checked. None is allowed where it is the default."""


def of_right_kinds(function: Callable[_Given, _Result]) -> Callable[_Given, _Result]:
    """Check the arguments in ``BY_NAME`` of every call: ``UsageError`` for one of another kind."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: _Given.args, **kwargs: _Given.kwargs) -> _Result:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:  # an argument too many or too few: Python says it best
            return function(*args, **kwargs)
        for name, value in bound.arguments.items():
            if name in BY_NAME and not (value is None and signature.parameters[name].default is None):
                bound.arguments[name] = required(name, value)
        return function(*bound.args, **bound.kwargs)

    return checked


def required(name: str, value: Any) -> Any:
    """Return what a function gets for an argument of that name; ``UsageError`` for one of another kind."""
    kind = BY_NAME[name]
    if not kind.fits(value):
        raise UsageError(f"{name} must be {kind.expected}, not {printable(repr(value), LONGEST_SHOWN)}")
    return kind.plain(value)


def require_numbers(kinds: Mapping[str, Any], fields: Mapping[Any, Any]) -> None:
    """Raise ``UsageError`` for true or false in a field that holds a number, or numbers in lists.

    ``kinds`` maps the names of fields to their annotations. To Python, True is the number 1.
    """
    for name, value in fields.items():
        if name in kinds and _holds_numbers_alone(kinds[name]):
            for truth in _truths_in(value):
                verb = "be a number" if kinds[name] in (int, float) else "hold numbers"
                raise UsageError(f"{name} must {verb}, not {str(truth).lower()}")


def _holds_numbers_alone(kind: Any) -> bool:
    """Return whether an annotation is of numbers, or of lists of them."""
    if get_origin(kind) is Annotated:
        return _holds_numbers_alone(get_args(kind)[0])
    inner = [each for each in get_args(kind) if each not in (Ellipsis, NoneType)]
    return kind in (int, float) or (bool(inner) and all(map(_holds_numbers_alone, inner)))


def _truths_in(value: Any) -> Iterator[bool]:
    """Yield all that is True or False in a value or its lists, however deep."""
    if isinstance(value, bool):
        yield value
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _truths_in(each)
