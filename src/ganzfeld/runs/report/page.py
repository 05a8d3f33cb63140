"""Self-contained pages: how every template is filled in."""

import base64
import functools
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup

from ganzfeld.printable import visible


@functools.cache
def environment(package: str, *, tidy: bool = False) -> Environment:
    """The templates of a package. What is put into them is escaped for HTML, and shows what it holds.

    Names of folders, classes and recipes are other people's: control characters and marks of direction, which
    could make a page read otherwise than it is, appear as escapes. ``tidy``: without the lines of blocks.
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
