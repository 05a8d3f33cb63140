"""Command-line options: generated from the classes of ``ganzfeld.options``, and written back as words."""

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

    The command is called with instances of these classes. Raises ``UsageError`` for values not allowed.
    """
    signature = inspect.signature(command, eval_str=True)
    classes: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if is_dataclass(parameter.annotation)
    }
    parameters = [
        expanded
        for name, parameter in signature.parameters.items()
        for expanded in (_parameters(classes[name]) if name in classes else [parameter])
    ]

    @functools.wraps(command)
    def expanded_command(**values: Any) -> None:
        for name, options in classes.items():
            arguments = {entry.name: values.pop(entry.name) for entry in fields(options)}
            usual = defaults(options)
            values[name] = options(
                **{key: usual[key] if value is None else value for key, value in arguments.items()}
            )
        command(**values)

    vars(expanded_command)["__signature__"] = signature.replace(parameters=parameters)
    expanded_command.__annotations__ = {entry.name: entry.annotation for entry in parameters}
    return expanded_command


def words_of(options: Any) -> list[str]:
    """Return the command-line words for these options, without those that have their defaults."""
    words = []
    for name, value in changed(options).items():
        words += [f"--{dashed(name)}", f"{value:g}" if isinstance(value, float) else str(value)]
    return words


def _parameters(options: Any) -> list[inspect.Parameter]:
    """Return one parameter for each field of an options class."""
    kinds, known = typing.get_type_hints(options), declared(options)
    return [
        inspect.Parameter(
            entry.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=_typed_default(known[entry.name], entry.default),
            annotation=Annotated[
                known[entry.name].typed or kinds[entry.name], _typer_option(known[entry.name])
            ],
        )
        for entry in fields(options)
    ]


def _typer_option(known: Declared) -> Any:
    """Return typer's declaration of an option, with its own name on the command line if it has one."""
    return typer.Option(*([known.flag] if known.flag else []), help=known.help)


def _typed_default(known: Declared, default: Any) -> Any:
    """Return the default as shown on the command line: None for an option that may be repeated."""
    return None if default == () else Path(default) if known.typed is Path else default
