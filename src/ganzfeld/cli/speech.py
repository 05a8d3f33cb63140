"""How the command line speaks: results on stdout, all else on stderr, and with ``--json`` one object."""

import json
import sys
from typing import Annotated, Any

import typer

from ganzfeld.errors import GanzfeldError, Interrupted
from ganzfeld.printable import printable

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")]


def show_result(result: dict[str, Any], text: str, as_json: bool) -> None:
    """The outcome of a command, for a program or for a person."""
    print(json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else text)


def show_error(error: GanzfeldError, as_json: bool) -> None:
    """What went wrong and what to do; with ``--json`` as an object on stdout too."""
    if as_json:
        print(json.dumps({"error": printable(error.message), "hint": printable(error.hint)}))
    what = "" if isinstance(error, Interrupted) else "error: "
    print(f"{what}{printable(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"  {printable(error.hint)}", file=sys.stderr)


def tell(text: str) -> None:
    """A line on the way, for people."""
    print(printable(text), file=sys.stderr, flush=True)
