"""How the command line speaks: results on stdout, all else on stderr, and with ``--json`` one object."""

import json
import sys
from typing import Annotated, Any

import typer

from ganzfeld.errors import GanzfeldError, Interrupted
from ganzfeld.printable import printable

LONGEST_MESSAGE = 3_000
"""Characters: a refusal names three pictures, each with its reason."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")]


def show_result(result: dict[str, Any], text: str, as_json: bool) -> None:
    """The outcome of a command, for a program or for a person."""
    print(json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else text)


def show_error(error: GanzfeldError, as_json: bool) -> None:
    """What went wrong and what to do; with ``--json`` as an object on stdout too."""
    message, hint = (printable(text, LONGEST_MESSAGE) for text in (error.message, error.hint))
    if as_json:
        print(json.dumps({"error": message, "hint": hint}))
    what = "" if isinstance(error, Interrupted) else "error: "
    print(f"{what}{message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)


def tell(text: str) -> None:
    """A line on the way, for people."""
    print(printable(text), file=sys.stderr, flush=True)
