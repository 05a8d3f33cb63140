"""Write ``docs/benchmarks.md``: one section per benchmark, replaced when it is measured again."""

import platform
import re
from datetime import date
from pathlib import Path

from ganzfeld.durable import make_folder, write_bytes
from ganzfeld.errors import ResourceError
from ganzfeld.output import Mark, require_replaceable

_HEAD = (
    f"<!-- {Mark.BENCHMARKS.text} -->\n\n# Benchmarks\n\n"
    "Every section is written by the command that it names, on the machine that it names.\n"
)


def require_page(page: Path) -> None:
    """Create the page and its folder if they do not exist.

    Raises ``ResourceError`` if the page cannot be written, ``UsageError`` for a file that no benchmark wrote.
    """
    require_replaceable(page, Mark.BENCHMARKS)
    text = _text(page)
    make_folder(page.parent)
    write_bytes(page, text.encode())


def write_section(page: Path, title: str, command: str, rows: dict[str, str]) -> None:
    """Write a section with a table of two columns into the page, replacing one with the same title.

    Raises ``ResourceError`` for a page that cannot be read or written.
    """
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    source = f"`{command}`, {date.today()}, {_machine()}"
    section = f"## {title}\n\n{source}\n\n| | |\n|---|---|\n{table}\n"
    text = _text(page)
    old = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
    spaced = f"{section}\n"
    text = old.sub(lambda _: spaced, text) if old.search(text) else f"{text.rstrip()}\n\n{section}"
    write_bytes(page, (text.rstrip() + "\n").encode())


def _text(page: Path) -> str:
    try:
        return page.read_text("utf-8") if page.exists() else _HEAD
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceError(
            f"{page} cannot be read: {error}",
            "Give a Markdown file that ganzfeld bench wrote, or the path of a new one.",
        ) from error


def _machine() -> str:
    import torch

    return f"{torch.get_num_threads()} threads, {platform.machine()}, Python {platform.python_version()}"
