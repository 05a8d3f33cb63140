"""The command line: parse, call, show. No numerics here.

A command is one file in ``commands/``, found by its name. It is imported only when it is called or listed,
and imports torch only when it runs, so that ``--help`` is fast.
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
"""128 + SIGPIPE: the exit code for a program whose output is no longer read."""

# The root of the parser's errors, in typer's own click or in the installed one.
_ParserError: type[Exception] = importlib.import_module(typer.BadParameter.__module__).ClickException


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its exit code; ``ganzfeld.errors`` lists the codes."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    # The threads of one step wait for each other at every operation. If another program uses a core, spinning
    # while they wait slows training tenfold. OpenMP reads this once, when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with safe_streams(), _raising_at_signals():
        sys.exit(_exit_code(words))


def _exit_code(words: list[str]) -> int:
    """Run a command, print the error that ends it, and return the exit code."""
    try:
        try:
            code = _run(words)
            sys.stdout.flush()
            return code
        except GanzfeldError as error:
            return _report(error, words)
        except _SignalReceived as received:
            return _report(Interrupted("interrupted", signal_number=received.number), words)
    except (ReaderGone, BrokenPipeError):
        return READER_GONE
    except _SignalReceived as received:  # a second signal, or one while an error was being printed
        return Interrupted("interrupted", signal_number=received.number).exit_code


def _report(error: GanzfeldError, words: list[str]) -> int:
    """Print an error and return its exit code, even if nothing can be printed."""
    with contextlib.suppress(GanzfeldError):
        show_error(error, "--json" in words)
        sys.stdout.flush()
    return error.exit_code


class _SignalReceived(BaseException):
    """A signal outside training. Typer would handle KeyboardInterrupt itself."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _raise_signal(number: int, frame: object) -> None:
    if number == HANGUP:  # a closing terminal may send it more than once
        signal.signal(number, signal.SIG_IGN)
    raise _SignalReceived(number)


@contextlib.contextmanager
def _raising_at_signals() -> Iterator[None]:
    """Let signals raise ``_SignalReceived`` while the block runs."""
    before = {number: signal.signal(number, _raise_signal) for number in signals_to_handle()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(words: list[str]) -> int:
    try:
        with in_words(), warnings_in_words():
            require_working_folder()
            return (
                _application(words)(args=words, prog_name="ganzfeld", standalone_mode=False, obj=words) or 0
            )
    except _ParserError as error:
        raise _as_usage_error(error, words) from None
    except OverflowError as error:
        raise UsageError(f"a number is too large ({error})", "Use a smaller number.") from error
    except UnicodeError as error:  # wherever undecodable text reaches code that needs valid text
        raise UsageError(
            f"a name or text on the command line cannot be used: it is not UTF-8 ({error})",
            "Rename the file, or write the text in UTF-8.",
        ) from error
    except (MemoryError, RuntimeError) as error:
        if ran_out_of_memory(error):
            raise ResourceError(
                "memory ran out", "Use a smaller --batch, --size or width, or free some memory."
            ) from error
        raise


def _application(words: list[str]) -> typer.Typer:
    """Build the application with the command that is named, or with all commands to list them."""
    application = typer.Typer(
        name="ganzfeld",
        cls=CommandGroup,
        help="Train and understand deep convolutional generative adversarial networks.",
        epilog="Begin with: ganzfeld train, or ganzfeld train my-images/ --minutes 10",
        add_completion=False,
        rich_markup_mode=None,  # plain help, which takes half the time since rich is not imported
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(_root)
    known = commands.names()
    for name in [words[0]] if words and words[0] in known else known:
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
    """Declare the options before a command."""


def _as_usage_error(error: Any, words: list[str]) -> UsageError:
    """Return a parser's error as a ``UsageError``."""
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if isinstance(error, typer.BadParameter) and error.param is not None and error.message:
        option = next((name for name in error.param.opts if name in words[:-1]), None)
        if option is not None:
            value = words[words.index(option) + 1]
            message = f"{option} cannot be {value!r}: {error.message.rstrip('.')}"
    command = context.command_path if context else "ganzfeld"
    return UsageError(message[:1].lower() + message[1:], f"See {command} --help.")
