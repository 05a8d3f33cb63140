"""Text for people: names of files that are safe to show on a terminal or a page, and counted things."""

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

LONGEST_NAME = 300

_TOO_LONG = re.compile(r"[^\s/\\]{256,}")


def printable(name: str, longest: int = LONGEST_NAME) -> str:
    """A file name that is safe to show: control characters and undecodable bytes as escapes, on one line.

    Of what is longer than ``longest`` characters, the middle is left out.
    """
    shown = _escaped(name)
    kept = longest // 2 - 10
    return shown if len(shown) <= longest else f"{shown[:kept]}...{shown[-kept:]}"


def with_short_words(text: str) -> str:
    """Leave out the middle of all that is longer than any name that a file can have, such as long numbers."""
    return _TOO_LONG.sub(lambda found: printable(found[0], 80), text)


def listed(names: Sequence[str], most: int = 4) -> str:
    """``train and test``, ``a, b, c and 7 more``: the first ``most`` names, safe to show."""
    shown = [printable(name) for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most:,} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def visible(text: str) -> str:
    """Text of any length with all that could move or hide other text as escapes, but for ends of lines.

    Such are control characters and the marks that turn the direction of writing.
    """
    return text if text.isprintable() else "\n".join(_escaped(line) for line in text.split("\n"))


def in_shell(word: str | Path) -> str:
    """Quote a word of a command, such as a path, so that the command can be pasted into bash or zsh.

    What cannot be shown as it is, such as a control character or an undecodable byte, becomes an escape that
    the shell reads, in ``$'...'``; all others are quoted as by ``shlex.quote``.
    """
    text = str(word)
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_in_ansi_c, text)) + "'"


def _in_ansi_c(c: str) -> str:
    """Write a character as it stands between ``$'`` and ``'``: unprintable ones as bytes of UTF-8."""
    if c.isprintable():
        return f"\\{c}" if c in "'\\" else c
    errors = "surrogateescape" if "\udc80" <= c <= "\udcff" else "surrogatepass"
    return "".join(f"\\x{byte:02x}" for byte in c.encode(errors=errors))


def _escaped(text: str) -> str:
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def counted(number: int, noun: str) -> str:
    """``1 image``, ``2,000 images``: for nouns with a regular plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 5 min 03 s, 2 h 07 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def by_axis(sizes: Iterable[object]) -> str:
    """Write numbers by axis, such as a size or a kernel: 4x4."""
    return "x".join(map(str, sizes))
