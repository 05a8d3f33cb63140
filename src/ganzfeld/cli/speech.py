"""Output of the command line: results on stdout (with ``--json`` one object), all else on stderr.

Of several ranks, only rank 0 prints, except that every rank prints its own errors.
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

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, and all else on stderr.")
]


def show_result(result: dict[str, Any], text: str, as_json: bool) -> None:
    """Print the result of a command: as JSON for programs, or as text for people."""
    if launch().speaks:
        # In ASCII, so that it is valid JSON in any encoding of the output.
        print(json.dumps(result, allow_nan=False) if as_json else visible(text))


@contextlib.contextmanager
def warnings_in_words() -> Iterator[None]:
    """Print each ``GanzfeldWarning`` on one line while the block runs; leave other warnings to Python."""
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
    """Print what went wrong and what to do; with ``--json``, also as an object on stdout."""
    here = launch()
    message, hint = (
        printable(with_short_words(text), LONGEST_MESSAGE) for text in (error.message, error.hint)
    )
    # The launcher's summary shows the rank that ended first, which may be any of them.
    tell_launcher("\n".join(filter(None, (message, hint))))
    if not here.speaks and isinstance(error, Followed | Interrupted | UsageError):
        return  # rank 0 prints the same
    if as_json and here.speaks:
        print(json.dumps({"error": message, "hint": hint}))
    what = "" if isinstance(error, Interrupted) else "error: "
    what = what if here.speaks else f"rank {here.rank}: {what}"
    print(f"{what}{message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)
