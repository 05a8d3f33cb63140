"""The Jinja environment in which all templates of self-contained pages are rendered."""

import base64
import functools
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from ganzfeld.printable import visible


@functools.cache
def environment(package: str, *, tidy: bool = False) -> Environment:
    """Return the environment for the templates of a package, with all values escaped for HTML.

    The names of folders, classes and recipes come from other people. Control characters and direction marks
    could change how a page reads, so they are shown as escapes. ``tidy`` drops the lines that hold only a
    block tag.
    """
    return Environment(
        loader=PackageLoader(package),
        autoescape=select_autoescape(default=True),
        finalize=_shown,
        trim_blocks=tidy,
        lstrip_blocks=tidy,
    )


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def data_url(kind: str, content: bytes) -> str:
    """Return a file of media type ``kind`` as an address that holds all of it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
