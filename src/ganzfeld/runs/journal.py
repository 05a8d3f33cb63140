"""The journal of a run: one JSON object per line, appended during training."""

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
from ganzfeld.value_kinds import is_number

JOURNAL = "journal.jsonl"
RESTORE_HINT = "Restore it from a copy."
LONGEST_LINE = 2**18
"""Bytes; a line with all readings takes about two thousand."""
MOST_BYTES = 2**25
"""Bytes; every line of a journal up to this size is read, which is over a day at one line per second."""
LARGEST = 2**32
"""Bytes; a larger journal is refused."""
LARGEST_NUMBER = 1e100
"""Far above every float32, and small enough that its square is still a float64."""


class Journal:
    """``journal.jsonl`` of a run folder, opened for appending; use as a context manager."""

    def __init__(self, folder: OwnFolder) -> None:
        self.path = folder.path / JOURNAL
        self._folder = folder
        self._file = folder.appending(JOURNAL)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # a full disk: ``write`` has already reported it
            self._file.close()

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line and flush it, so that other programs can read it at once.

        A number that is not finite becomes null, since JSON has no such numbers. If the journal was deleted
        or replaced by another file, the line goes to the file that now has its name, where readers look.
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
        return {name: _finite(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def cut_journal(folder: OwnFolder, images_seen: int) -> None:
    """Remove the entries after ``images_seen``: a run that goes back writes them again."""
    copy_journal(folder.path / JOURNAL, folder, images_seen)


def copy_journal(path: Path, folder: OwnFolder, images_seen: int) -> None:
    """Copy the entries of a journal up to ``images_seen`` into a run folder; do nothing if it is missing.

    Copies line by line, so memory does not grow with the journal, and leaves every line unchanged.
    """
    if not path.exists():
        return

    def lines() -> Iterator[bytes]:
        for number, line in _lines(path):
            entry = parse_line(line, number, path)
            if entry is not None and entry["images_seen"] <= images_seen:
                yield line.rstrip(b"\n") + b"\n"

    folder.write_pieces(JOURNAL, lines())


def read_journal(path: Path, most_bytes: int = MOST_BYTES) -> list[dict[str, Any]]:
    """Read the entries of a journal, without a last line that was cut short by a crash.

    From a journal larger than ``most_bytes``, reads an even selection and the last entry: see ``every``.
    Raises ``DamagedError`` for any other line that is not an entry, and for a line longer than
    ``LONGEST_LINE`` bytes.
    """
    if not path.exists():
        return []
    step = every(path, most_bytes)
    entries: list[dict[str, Any]] = []
    counts, skipped = [0, 0], (0, b"")
    for number, line in _lines(path):
        kind = b'"health"' in line  # counted apart: entries with readings are rare, and the doctor needs them
        counts[kind] += 1
        if (counts[kind] - 1) % step == 0:
            skipped = (0, b"")
            entry = parse_line(line, number, path)
            entries += [] if entry is None else [entry]
        else:
            skipped = (number, line)
    if skipped[0] and (entry := parse_line(skipped[1], skipped[0], path)) is not None:
        entries.append(entry)
    return entries


def every(path: Path, most_bytes: int = MOST_BYTES) -> int:
    """Return n where every nth line of the journal is read; n grows with the file, so memory is bounded.

    Raises ``DamagedError`` for a journal larger than any run writes.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return 1
    require_size(path, size)
    return max(1, -(-size // most_bytes))


def require_size(path: Path, size: int) -> None:
    """Raise ``DamagedError`` for a journal larger than any run writes."""
    if size > LARGEST:
        raise damaged(path, f"it has {size:,} bytes, and at most {LARGEST:,} are read", RESTORE_HINT)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not empty, with their line numbers (from 1) and line ends."""
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
        raise damaged(path, error.strerror or str(error), RESTORE_HINT) from None


def parse_line(line: bytes, number: int | None, path: Path) -> dict[str, Any] | None:
    """Parse a line as an entry; return None for a line without a line end that was cut short.

    Raises ``DamagedError`` for any other line that is not an entry; ``number`` is its line number, if known.
    """
    try:
        entry = strict_json(line)
        mistake = _mistake_in(entry)
    except ValueError as error:
        if not line.endswith(b"\n"):
            return None
        entry, mistake = None, str(error)
    if mistake:
        raise damaged(path, f"{_line_name(number)} is not a journal entry: {mistake}", "Remove that line.")
    return entry


def _mistake_in(entry: Any) -> str:
    """Describe the first mistake in the content of a line; empty if there is none."""
    if not isinstance(entry, dict):
        return f"it is a {type(entry).__name__}, not an object"
    if "images_seen" not in entry:
        return "it has no images_seen"
    for name in ("images_seen", "step"):
        value = entry.get(name, 0)
        if type(value) is not int or value < 0:
            return f"{name} is {_quoted(value)}, not a whole number"
    seconds = entry.get("seconds", 0.0)
    if not _is_usable(seconds) or seconds < 0:
        return f"seconds is {_quoted(seconds)}, not a number of seconds"
    health = entry.get("health")
    if health is not None and not isinstance(health, dict):
        return f"health is {_quoted(health)}, not an object"
    for name, value in {**entry, **(health or {}), "health": None}.items():
        if not (value is None or isinstance(value, str) or _is_usable(value)):
            return f"{printable(name)} is {_quoted(value)}, not a number"
    texts = [name for name in entry if isinstance(entry[name], str)]
    return f"{printable(texts[0])} is {_quoted(entry[texts[0]])}, not a number" if texts else ""


def _is_usable(value: Any) -> bool:
    return is_number(value) and abs(value) <= LARGEST_NUMBER


def _quoted(value: Any) -> str:
    return printable(json.dumps(value), 60)


def _line_name(number: int | None) -> str:
    return "a line" if number is None else f"line {number}"


def too_long(path: Path, number: int | None = None) -> DamagedError:
    """Return the error for a line that is longer than any entry; ``number`` is its line number, if known."""
    return damaged(path, f"{_line_name(number)} is longer than {LONGEST_LINE:,} bytes", "Remove that line.")


def damaged(path: Path, why: str, hint: str) -> DamagedError:
    """Return the error for a damaged journal."""
    return DamagedError(f"{path} is damaged: {why}", hint)
