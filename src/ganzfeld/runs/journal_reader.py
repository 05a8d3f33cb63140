"""Partial reads of a journal: lines added since the last read, the last entry, entries at a position."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from ganzfeld.health.thinning import MOST_LOOKS, EntrySelection
from ganzfeld.regular import open_regular
from ganzfeld.runs.journal import LONGEST_LINE, RESTORE_HINT, damaged, parse_line, require_size, too_long

_FINGERPRINT = 4096
"""Bytes compared at the beginning and at the end of what was read, to notice that a file was rewritten."""

_PIECE = 2**16

Entry = Mapping[str, Any]


@dataclass
class _ReadState:
    """The state of reading a file up to ``offset``: ``num_lines`` lines, ``last`` is the last with text."""

    identity: tuple[int, int] = (0, 0)
    offset: int = 0
    num_lines: int = 0
    head: bytes = b""
    tail: bytes = b""
    looks: EntrySelection = field(default_factory=EntrySelection)
    last: tuple[int, bytes] = (0, b"")


class JournalReader:
    """Reads a growing journal; each read takes only the lines added since the last one.

    It keeps only what a diagnosis needs, so memory does not grow with the journal: the last entry, and at
    most ``most_looks`` entries with readings of each kind (see ``EntrySelection``). A journal that was cut,
    replaced or rewritten is read again from the start. This is noticed by the file's identity and length, its
    beginning, and the end of the part that was read; a change in the middle that keeps the length is not.
    """

    def __init__(self, path: Path, most_looks: int = MOST_LOOKS) -> None:
        self._path = path
        self._most_looks = most_looks
        self._state = self._new_state()

    def _new_state(self) -> _ReadState:
        return _ReadState(looks=EntrySelection(self._most_looks))

    def read(self) -> list[Entry]:
        """Return the entries with readings and the last entry, oldest first; empty if there is no journal.

        A last line that was cut short is left out until it is complete. Raises ``DamagedError`` on every read
        while a line with readings, or the last line, is not an entry. Other lines are not parsed.
        """
        if not self._path.exists():
            self._state = self._new_state()
            return []
        try:
            with open_regular(self._path) as file:
                self._restart_if_changed(file)
                unfinished = self._read_new_lines(file)
        except OSError as error:
            raise damaged(self._path, error.strerror or str(error), RESTORE_HINT) from None
        number, line = self._state.last
        last = parse_line(line, number, self._path) if line else None
        looks = self._state.looks.entries
        if unfinished is None:
            return looks if last is None else [*looks, last]
        return [*looks, *([last] if last is not None and last.get("health") else []), unfinished]

    def _restart_if_changed(self, file: BufferedReader) -> None:
        """Forget what was read if the file no longer begins with it."""
        status, state = os.fstat(file.fileno()), self._state
        require_size(self._path, status.st_size)
        identity = (status.st_dev, status.st_ino)
        is_same = state.identity == identity and status.st_size >= state.offset
        if is_same:
            is_same = file.read(len(state.head)) == state.head
            file.seek(state.offset - len(state.tail))
            is_same = is_same and file.read(len(state.tail)) == state.tail
        if not is_same:
            self._state = self._new_state()
            self._state.identity = identity

    def _read_new_lines(self, file: BufferedReader) -> Entry | None:
        """Read the complete new lines; return the last line as an entry if only its line end is missing."""
        state = self._state
        file.seek(state.offset)
        try:
            while line := file.readline(LONGEST_LINE + 1):
                number = state.num_lines + 1
                if len(line) > LONGEST_LINE:
                    raise too_long(self._path, number)
                if not line.endswith(b"\n"):
                    return parse_line(line, number, self._path) if line.strip() else None
                if line.strip():
                    self._keep_readings_of_last()
                    state.last = number, line
                state.offset += len(line)
                state.num_lines = number
        finally:
            file.seek(0)
            state.head = file.read(min(_FINGERPRINT, state.offset))
            file.seek(state.offset - len(state.head))
            state.tail = file.read(len(state.head))
        return None

    def _keep_readings_of_last(self) -> None:
        """Add the last line to the looks if it has readings, before a newer line becomes the last."""
        number, line = self._state.last
        entry = parse_line(line, number, self._path) if b'"health"' in line else None
        if entry is not None and entry.get("health"):
            self._state.looks.add(entry)


def last_entry(path: Path) -> Entry | None:
    """Read only the last entry of a journal; return None if there is none.

    Skips a last line that was cut short. Raises ``DamagedError`` if another last line is not an entry.
    """
    if not path.exists():
        return None
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            require_size(path, size)
            begin, tail, length = size, b"", _PIECE
            while begin > 0 and len(tail) <= 2 * LONGEST_LINE:
                begin = max(0, size - length)
                file.seek(begin)
                tail, length = file.read(size - begin), 2 * length
                lines = [line for line in tail.splitlines(keepends=True)[bool(begin) :] if line.strip()]
                for line in reversed(lines[-2:]):
                    if (entry := _parse_unnumbered(line, path)) is not None:
                        return entry
    except OSError as error:
        raise damaged(path, error.strerror or str(error), RESTORE_HINT) from None
    return None


def entries_around(path: Path, images_seen: int) -> tuple[Entry | None, Entry | None]:
    """Read the last entry up to ``images_seen``, and the first one after it; None for one that is missing.

    Entries are ordered by images seen, so a binary search reads only a few lines. Raises ``DamagedError`` if
    one of these lines is not an entry.
    """
    if not path.exists():
        return None, None
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            require_size(path, size)
            file.seek(_offset_before(file, path, size, images_seen))
            before = None
            while line := file.readline(LONGEST_LINE + 1):
                entry = _parse_unnumbered(line, path) if line.strip() else None
                if entry is not None and entry["images_seen"] > images_seen:
                    return before, entry
                before = before if entry is None else entry
            return before, None
    except OSError as error:
        raise damaged(path, error.strerror or str(error), RESTORE_HINT) from None


def _offset_before(file: BufferedReader, path: Path, size: int, images_seen: int) -> int:
    """Return the offset of a line up to ``images_seen`` that is at most ``_PIECE`` before a later one."""
    low, high = 0, size
    while high - low > _PIECE:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(LONGEST_LINE + 1)
        start = file.tell()
        if start >= high:
            break
        line = file.readline(LONGEST_LINE + 1)
        entry = _parse_unnumbered(line, path) if line.strip() else None
        if entry is not None and entry["images_seen"] <= images_seen:
            low = start
        else:
            high = middle
    return low


def _parse_unnumbered(line: bytes, path: Path) -> Entry | None:
    """Parse a line whose line number is not known."""
    if len(line) > LONGEST_LINE:
        raise too_long(path)
    return parse_line(line, None, path)
