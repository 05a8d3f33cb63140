"""The journal of a run: one JSON object a line, appended while it trains."""

import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganzfeld.durable import refused
from ganzfeld.errors import DamagedError
from ganzfeld.own_folder import OwnFolder
from ganzfeld.printable import printable
from ganzfeld.regular import open_regular
from ganzfeld.strict_json import strict_json

JOURNAL = "journal.jsonl"
LONGEST_LINE = 2**18
"""Bytes; a line with all readings has about two thousand."""
MOST_BYTES = 2**25
"""Of which all lines are read: a day and more of training at a line a second."""
LARGEST = 2**32
LARGEST_NUMBER = 1e100
"""Far above all that float32 can hold, and far below what squares of it could not."""


class Journal:
    """``journal.jsonl`` of a run folder, opened for appending; use as a context manager."""

    def __init__(self, folder: OwnFolder) -> None:
        self.path = folder.path / JOURNAL
        self._folder = folder
        self._file = folder.appending(JOURNAL)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # a full disk: the line that could not be written was told before
            self._file.close()

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line and hand it to the system, so that other programs can follow.

        A number that is not finite becomes null: JSON has no word for it. Where somebody has put another file
        in the place of the journal, or deleted it, the line goes where readers look for it.
        """
        if not self._folder.is_still(JOURNAL, self._file):
            self._file.close()
            self._file = self._folder.appending(JOURNAL)
        try:
            self._file.write(json.dumps(_finite(entry)) + "\n")
            self._file.flush()
        except OSError as error:
            raise refused(error, self.path) from error


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cut_journal(folder: OwnFolder, images_seen: int) -> None:
    """Leave out what was written after that many images: a training that goes back tells it anew."""
    copy_journal(folder.path / JOURNAL, folder, images_seen)


def copy_journal(path: Path, folder: OwnFolder, images_seen: int) -> None:
    """Write what a journal says until so many images as that of a run folder; nothing if it is not there.

    A line at a time, whatever the length of the journal, and every line as it stands.
    """
    if not path.exists():
        return

    def left() -> Iterator[bytes]:
        for number, line in _lines(path):
            entry = parse_line(line, number, path)
            if entry is not None and entry["images_seen"] <= images_seen:
                yield line.rstrip(b"\n") + b"\n"

    folder.write_pieces(JOURNAL, left())


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The entries of a journal. A last line cut short by a crash is left out.

    Of a journal that is larger than ``MOST_BYTES`` an even selection, and the last entry: see ``every``.
    Raises ``DamagedError`` for any other line that is no entry, and for one that is longer than
    ``LONGEST_LINE`` bytes.
    """
    if not path.exists():
        return []
    step = every(path)
    entries: list[dict[str, Any]] = []
    met, last = [0, 0], (0, b"")
    for number, line in _lines(path):
        kind = b'"health"' in line  # readings are far between, and what the doctor goes by
        met[kind] += 1
        if (met[kind] - 1) % step == 0:
            last = (0, b"")
            entry = parse_line(line, number, path)
            entries += [] if entry is None else [entry]
        else:
            last = (number, line)
    if last[0] and (entry := parse_line(last[1], last[0], path)) is not None:
        entries.append(entry)
    return entries


def every(path: Path) -> int:
    """Which share of its lines is read: every line, every second, ...; so memory does not grow without end.

    Raises ``DamagedError`` for a journal that is larger than any training writes.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 1
    require_size(path, size)
    return max(1, -(-size // MOST_BYTES))


def require_size(path: Path, size: int) -> None:
    """Raise ``DamagedError`` for a journal that is larger than any training writes."""
    if size > LARGEST:
        raise damaged(path, f"it has {size:,} bytes; at most {LARGEST:,} are read", "Put back a copy of it.")


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers, from 1, but for empty ones; with its end, but for the last one."""
    try:
        with open_regular(path) as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise too_long(path, number)
                if line.strip():
                    yield number, line
    except OSError as error:
        raise damaged(path, error.strerror or str(error), "Put back a copy of it.") from None


def parse_line(line: bytes, number: int | None, path: Path) -> dict[str, Any] | None:
    """Return a line as an entry; None for one without an end that is none, since it was cut short.

    Raises ``DamagedError`` for any other line that is none; ``number`` is its number, if that is known.
    """
    try:
        entry = strict_json(line)
        wrong = _wrong(entry)
    except ValueError as error:
        if not line.endswith(b"\n"):
            return None
        entry, wrong = None, str(error)
    if wrong:
        raise damaged(path, f"{_line(number)} is not a journal entry: {wrong}", "Remove that line.")
    return entry


def _wrong(entry: Any) -> str:
    """What is wrong with the content of a line, in words; empty if nothing is."""
    if not isinstance(entry, dict):
        return f"it is a {type(entry).__name__}, not an object"
    if "images_seen" not in entry:
        return "it has no images_seen"
    for name in ("images_seen", "step"):
        value = entry.get(name, 0)
        if type(value) is not int or value < 0:
            return f"{name} is {_shown(value)}, not a whole number"
    seconds = entry.get("seconds", 0.0)
    if not _is_number(seconds) or seconds < 0:
        return f"seconds is {_shown(seconds)}, not a number of seconds"
    health = entry.get("health")
    if health is not None and not isinstance(health, dict):
        return f"health is {_shown(health)}, not an object"
    for name, value in {**entry, **(health or {}), "health": None}.items():
        if not (value is None or isinstance(value, str) or _is_number(value)):
            return f"{printable(name)} is {_shown(value)}, not a number"
    texts = [name for name in entry if isinstance(entry[name], str)]
    return f"{printable(texts[0])} is {_shown(entry[texts[0]])}, not a number" if texts else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def _shown(value: Any) -> str:
    return printable(json.dumps(value), 60)


def _line(number: int | None) -> str:
    return "a line" if number is None else f"line {number}"


def too_long(path: Path, number: int | None = None) -> DamagedError:
    """Return the error that a line is longer than any entry; ``number`` is its number, if that is known."""
    return damaged(path, f"{_line(number)} is longer than {LONGEST_LINE:,} bytes", "Remove that line.")


def damaged(path: Path, why: str, hint: str) -> DamagedError:
    """Return the error that says what is wrong with a journal."""
    return DamagedError(f"{path} is damaged: {why}", hint)
