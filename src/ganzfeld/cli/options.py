"""The options of a command, generated from an options class of ``ganzfeld.options``, and back into words."""

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ganzfeld.options import Declared, changed, dashed, declared, defaults


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of the options classes among its parameters.

    The command itself is called with instances of these classes. What is not allowed raises ``UsageError``.
    """
    signature = inspect.signature(command, eval_str=True)
    classes: dict[str, Any] = {
        name: given.annotation
        for name, given in signature.parameters.items()
        if is_dataclass(given.annotation)
    }
    parameters = [
        expanded
        for name, given in signature.parameters.items()
        for expanded in (_parameters(classes[name]) if name in classes else [given])
    ]

    @functools.wraps(command)
    def expanded_command(**values: Any) -> None:
        for name, options in classes.items():
            given = {each.name: values.pop(each.name) for each in fields(options)}
            usual = defaults(options)
            values[name] = options(
                **{each: usual[each] if value is None else value for each, value in given.items()}
            )
        command(**values)

    vars(expanded_command)["__signature__"] = signature.replace(parameters=parameters)
    expanded_command.__annotations__ = {each.name: each.annotation for each in parameters}
    return expanded_command


def words_of(options: Any) -> list[str]:
    """Return the words of a command line that give these options; none for what is the default."""
    words = []
    for name, value in changed(options).items():
        words += [f"--{dashed(name)}", f"{value:g}" if isinstance(value, float) else str(value)]
    return words


def _parameters(options: Any) -> list[inspect.Parameter]:
    """Return the parameters that stand for the fields of an options class."""
    kinds, known = typing.get_type_hints(options), declared(options)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=_typed_default(known[each.name], each.default),
            annotation=Annotated[known[each.name].typed or kinds[each.name], _typer_option(known[each.name])],
        )
        for each in fields(options)
    ]


def _typer_option(known: Declared) -> Any:
    """Return the option of typer; with a name of its own where it has one."""
    return typer.Option(*([known.flag] if known.flag else []), help=known.help)


def _typed_default(known: Declared, default: Any) -> Any:
    """Return the default of an option as the command line shows it: none for one that may be repeated."""
    return None if default == () else Path(default) if known.typed is Path else default
