"""The command line: parse, call, show. No numerics here.

A command is one file in ``commands/``, found by its name. It is imported only when it is called or listed,
and imports torch only when it runs, so that help answers at once.
"""

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import typer

from ganzfeld.cli.commands import commands
from ganzfeld.cli.groups import CommandGroup
from ganzfeld.cli.speech import show_error, warnings_in_words
from ganzfeld.cli.streams import ReaderGone, safe_streams
from ganzfeld.errors import GanzfeldError, Interrupted, ResourceError, UsageError
from ganzfeld.signals import HANGUP, signals_to_handle
from ganzfeld.system import in_words, ran_out_of_memory, require_working_folder

READER_GONE = 141
"""128 + SIGPIPE: what a shell says of a program whose reader has gone."""

# The root of all complaints about the command line, of the click that typer brings or of the installed one.
_Complaint: type[Exception] = importlib.import_module(typer.BadParameter.__module__).ClickException


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code: see ``ganzfeld.errors`` for what the numbers mean."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    # Threads of one step wait for each other at every operation. Where another program holds a core, spinning
    # while they wait slows training tenfold. OpenMP reads this once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with safe_streams(), _striking():
        sys.exit(_code_of(given))


def _code_of(given: list[str]) -> int:
    """Run a command; whatever ends it is said, and becomes its exit code."""
    try:
        try:
            code = _run(given)
            sys.stdout.flush()
            return code
        except GanzfeldError as error:
            return _told(error, given)
        except _Struck as struck:
            return _told(Interrupted("interrupted", signal_number=struck.number), given)
    except (ReaderGone, BrokenPipeError):
        return READER_GONE
    except _Struck as struck:  # a second signal, or one that came while an error was being printed
        return Interrupted("interrupted", signal_number=struck.number).exit_code


def _told(error: GanzfeldError, given: list[str]) -> int:
    """Say what went wrong; its exit code, even where nothing can be said any more."""
    with contextlib.suppress(GanzfeldError):
        show_error(error, "--json" in given)
        sys.stdout.flush()
    return error.exit_code


class _Struck(BaseException):
    """A signal where no training catches it; typer would take KeyboardInterrupt for itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _strike(number: int, frame: object) -> None:
    if number == HANGUP:  # a terminal that closes may send it more than once
        signal.signal(number, signal.SIG_IGN)
    raise _Struck(number)


@contextlib.contextmanager
def _striking() -> Iterator[None]:
    """Let signals end a command by way of ``_Struck`` while the block runs."""
    before = {number: signal.signal(number, _strike) for number in signals_to_handle()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(given: list[str]) -> int:
    try:
        with in_words(), warnings_in_words():
            require_working_folder()
            return _application(given)(args=given, prog_name="ganzfeld", standalone_mode=False) or 0
    except _Complaint as complaint:
        raise _as_usage_error(complaint, given) from None
    except OverflowError as error:
        raise UsageError(f"a number is too large ({error})", "Use a smaller one.") from error
    except UnicodeError as error:  # wherever a name that is no text has come to something that needs one
        raise UsageError(
            f"a name or a text that was given cannot be used: it is not UTF-8 ({error})",
            "Rename what it names, or write it in UTF-8.",
        ) from error
    except (MemoryError, RuntimeError) as error:
        if ran_out_of_memory(error):
            raise ResourceError(
                "memory ran out", "Use a smaller --batch, --size or width, or free some memory."
            ) from error
        raise


def _application(given: list[str]) -> typer.Typer:
    """The commands that this call needs: the one it names, or all of them to list."""
    application = typer.Typer(
        name="ganzfeld",
        cls=CommandGroup,
        help="Train and understand deep convolutional generative adversarial networks.",
        epilog="Begin with: ganzfeld train, or ganzfeld train my-images/ --minutes 10",
        add_completion=False,
        rich_markup_mode=None,  # plain help: without importing rich it answers in half the time
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(_root)
    known = commands.names()
    for name in [given[0]] if given and given[0] in known else known:
        module = commands.load(name)
        group: typer.Typer | None = getattr(module, "application", None)
        if group is not None:
            application.add_typer(group, name=name, cls=CommandGroup)
        else:
            application.command(name)(module.command)
    return application


def _print_version(wanted: bool) -> None:
    if wanted:
        import ganzfeld

        print(ganzfeld.__version__)
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
    ),
) -> None:
    """The options before a command."""


def _as_usage_error(complaint: Any, given: list[str]) -> UsageError:
    """What the parser found wrong, as one of our errors."""
    message = complaint.format_message().rstrip(".")
    context = getattr(complaint, "ctx", None)
    if isinstance(complaint, typer.BadParameter) and complaint.param is not None and complaint.message:
        option = next((each for each in complaint.param.opts if each in given[:-1]), None)
        if option is not None:
            value = given[given.index(option) + 1]
            message = f"{option} cannot be {value!r}: {complaint.message.rstrip('.')}"
    where = context.command_path if context else "ganzfeld"
    return UsageError(message[:1].lower() + message[1:], f"See {where} --help.")
