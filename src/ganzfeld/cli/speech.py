"""How the command line speaks: results on stdout, all else on stderr, and with ``--json`` one object.

Of several processes that were launched together only the first one speaks, as long as the others have no
trouble of their own.
"""

import contextlib
import json
import sys
import warnings
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from ganzfeld.errors import Followed, GanzfeldError, GanzfeldWarning, Interrupted, UsageError
from ganzfeld.launch import launch, tell_launcher
from ganzfeld.printable import printable, visible, with_short_words

LONGEST_MESSAGE = 3_000
"""Characters: a refusal names three images, each with its reason."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")]


def show_result(result: dict[str, Any], text: str, as_json: bool) -> None:
    """The outcome of a command, for a program or for a person."""
    if launch().speaks:
        # In ASCII: it is JSON whatever the encoding of the output is.
        print(json.dumps(result, allow_nan=False) if as_json else visible(text))


@contextlib.contextmanager
def warnings_in_words() -> Iterator[None]:
    """Say our own warnings in one line each while the block runs; those of others look as Python has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", GanzfeldWarning)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if not issubclass(category, GanzfeldWarning):
                usual(message, category, *where, **more)
            elif launch().speaks:
                print(f"warning: {printable(str(message), LONGEST_MESSAGE)}", file=sys.stderr)

        warnings.showwarning = show
        yield


def show_error(error: GanzfeldError, as_json: bool) -> None:
    """What went wrong and what to do; with ``--json`` as an object on stdout too."""
    here = launch()
    message, hint = (
        printable(with_short_words(text), LONGEST_MESSAGE) for text in (error.message, error.hint)
    )
    # Its summary is of the process that ended first, which any of them may be.
    tell_launcher("\n".join(filter(None, (message, hint))))
    if not here.speaks and isinstance(error, Followed | Interrupted | UsageError):
        return  # the first one has the same to say
    if as_json and here.speaks:
        print(json.dumps({"error": message, "hint": hint}))
    what = "" if isinstance(error, Interrupted) else "error: "
    what = what if here.speaks else f"rank {here.rank}: {what}"
    print(f"{what}{message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)
