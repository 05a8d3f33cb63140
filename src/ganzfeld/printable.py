"""Text for people: file names that are safe to show on a terminal or a page, counts, and durations."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

LONGEST_NAME = 300
LONGEST_VALUE = 200

_TOO_LONG = re.compile(r"[^\s/\\]{256,}")


def printable(name: str, longest: int = LONGEST_NAME) -> str:
    """Return text that is safe to show, on one line: control characters and undecodable bytes are escaped.

    If it is longer than ``longest`` characters, the middle is left out.
    """
    shown = _escaped(name)
    half = longest // 2 - 10
    return shown if len(shown) <= longest else f"{shown[:half]}...{shown[-half:]}"


def shown(value: Any) -> str:
    """Return the text of a value for a message: its type alone if it is long, such as an array."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE and "\n" not in text else f"a {type(value).__name__}"


def with_short_words(text: str) -> str:
    """Leave out the middle of every word that is longer than any file name, such as a very long number."""
    return _TOO_LONG.sub(lambda match: printable(match[0], 80), text)


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return ``train and test`` or ``a, b, c and 7 more``: the first ``most`` names, safe to show."""
    shown = [printable(name) for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most:,} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def visible(text: str) -> str:
    """Return text of several lines, with every character escaped that could move or hide other text.

    These are control characters, except line ends, and marks that change the writing direction.
    """
    return text if text.isprintable() else "\n".join(_escaped(line) for line in text.split("\n"))


def in_shell(word: str | Path) -> str:
    """Quote a word of a command, such as a path, so that the command can be pasted into bash or zsh.

    A word with unprintable characters, such as control characters or undecodable bytes, is written with
    escapes in ``$'...'``; any other word is quoted as by ``shlex.quote``.
    """
    text = str(word)
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_in_ansi_c, text)) + "'"


def _in_ansi_c(c: str) -> str:
    """Return a character as written between ``$'`` and ``'``: unprintable ones as UTF-8 bytes."""
    if c.isprintable():
        return f"\\{c}" if c in "'\\" else c
    errors = "surrogateescape" if "\udc80" <= c <= "\udcff" else "surrogatepass"
    return "".join(f"\\x{byte:02x}" for byte in c.encode(errors=errors))


def _escaped(text: str) -> str:
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def counted(number: int, noun: str) -> str:
    """Return ``1 image`` or ``2,000 images``, for nouns with a regular plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a number of seconds as 42 s, 5 min 03 s or 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def by_axis(sizes: Iterable[object]) -> str:
    """Return the numbers of all axes, such as those of a size or a kernel, as 4x4."""
    return "x".join(map(str, sizes))
