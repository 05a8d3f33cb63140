"""Checks of the types of arguments to Python functions, by argument name, before any work is done.

The command line passes the right types by itself; from Python a function may be called with anything.
"""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import NoneType
from typing import Annotated, Any, ParamSpec, TypeVar, get_args, get_origin

from ganzfeld.errors import UsageError
from ganzfeld.options import ResumeOptions, TrainOptions, declared
from ganzfeld.value_kinds import ANYTHING, PATH, WHOLE

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


BY_NAME = {
    **{
        name: declaration.kind
        for options in (TrainOptions, ResumeOptions)
        for name, declaration in declared(options).items()
        if declaration.kind is not ANYTHING
    },
    "num": WHOLE,
    "path": PATH,
}
"""The arguments that are checked, by name: options as they are declared, and those that are no options.

None is allowed where it is the default.
"""


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
                bound.arguments[name] = BY_NAME[name].require(name, value)
        return function(*bound.args, **bound.kwargs)

    return checked


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
