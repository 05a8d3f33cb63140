"""Reading a journal without reading all of it: what is new in it, its last entry, a place in it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any

from ganzfeld.health.thinning import MOST_LOOKS, KeptLooks
from ganzfeld.regular import open_regular
from ganzfeld.runs.journal import LONGEST_LINE, damaged, parse_line, require_size, too_long

_FINGERPRINT = 4096
"""Bytes at the beginning and before the place that has been read, by which a rewritten one is noticed."""

_PIECE = 2**16

Entry = Mapping[str, Any]


@dataclass
class _Read:
    """What has been read of one file, up to ``offset``: ``num_lines`` lines, ``last`` the last with text."""

    identity: tuple[int, int] = (0, 0)
    offset: int = 0
    num_lines: int = 0
    head: bytes = b""
    tail: bytes = b""
    looks: KeptLooks = field(default_factory=KeptLooks)
    last: tuple[int, bytes] = (0, b"")


class JournalReader:
    """Reads a journal that grows: each time only what has been added since.

    What is kept of it is what a verdict goes by, and no more than that however long it gets: entries with
    readings, at most ``most_looks`` of each kind (see ``KeptLooks``), and the last entry. Of a journal that
    was cut, replaced or rewritten everything is read again. That is noticed by its file, its length, its
    beginning and the end of what was read; another content of the same length in the middle is not.
    """

    def __init__(self, path: Path, most_looks: int = MOST_LOOKS) -> None:
        self._path = path
        self._most_looks = most_looks
        self._read = self._nothing()

    def _nothing(self) -> _Read:
        return _Read(looks=KeptLooks(self._most_looks))

    def read(self) -> list[Entry]:
        """Return the entries with readings and the last entry, oldest first; none where there is no journal.

        A last line cut short is left out, and read when it is whole. Raises ``DamagedError`` where a line
        with readings, or the last one, is no entry, each time until it is gone. Others are not looked at.
        """
        if not self._path.exists():
            self._read = self._nothing()
            return []
        try:
            with open_regular(self._path) as file:
                self._require_same(file)
                unfinished = self._read_on(file)
        except OSError as error:
            raise damaged(self._path, error.strerror or str(error), "Put back a copy of it.") from None
        number, line = self._read.last
        last = parse_line(line, number, self._path) if line else None
        looks = self._read.looks.entries
        if unfinished is None:
            return looks if last is None else [*looks, last]
        return [*looks, *([last] if last is not None and last.get("health") else []), unfinished]

    def _require_same(self, file: BufferedReader) -> None:
        """Begin again unless the file begins with what has been read."""
        state, read = os.fstat(file.fileno()), self._read
        require_size(self._path, state.st_size)
        identity = (state.st_dev, state.st_ino)
        is_same = read.identity == identity and state.st_size >= read.offset
        if is_same:
            is_same = file.read(len(read.head)) == read.head
            file.seek(read.offset - len(read.tail))
            is_same = is_same and file.read(len(read.tail)) == read.tail
        if not is_same:
            self._read = self._nothing()
            self._read.identity = identity

    def _read_on(self, file: BufferedReader) -> Entry | None:
        """Read the lines that are whole; return the last line as an entry where only its end is missing."""
        read = self._read
        file.seek(read.offset)
        try:
            while line := file.readline(LONGEST_LINE + 1):
                number = read.num_lines + 1
                if len(line) > LONGEST_LINE:
                    raise too_long(self._path, number)
                if not line.endswith(b"\n"):
                    return parse_line(line, number, self._path) if line.strip() else None
                if line.strip():
                    self._take_last()
                    read.last = number, line
                read.offset += len(line)
                read.num_lines = number
        finally:
            file.seek(0)
            read.head = file.read(min(_FINGERPRINT, read.offset))
            file.seek(read.offset - len(read.head))
            read.tail = file.read(len(read.head))
        return None

    def _take_last(self) -> None:
        """Put the last line, which will not be the last any more, to the looks where it has readings."""
        number, line = self._read.last
        entry = parse_line(line, number, self._path) if b'"health"' in line else None
        if entry is not None and entry.get("health"):
            self._read.looks.add(entry)


def last_entry(path: Path) -> Entry | None:
    """Read the last entry of a journal alone; None where there is none.

    Raises ``DamagedError`` where it is no entry, though a last line cut short is passed over.
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
                    if (entry := _entry_at(line, path)) is not None:
                        return entry
    except OSError as error:
        raise damaged(path, error.strerror or str(error), "Put back a copy of it.") from None
    return None


def entries_around(path: Path, images_seen: int) -> tuple[Entry | None, Entry | None]:
    """Read the last entry up to that many images, and the first one after it; None where there is none.

    Entries are ordered by images, so only some lines are read, whatever the length of the journal. Raises
    ``DamagedError`` where one of these is no entry.
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
                entry = _entry_at(line, path) if line.strip() else None
                if entry is not None and entry["images_seen"] > images_seen:
                    return before, entry
                before = before if entry is None else entry
            return before, None
    except OSError as error:
        raise damaged(path, error.strerror or str(error), "Put back a copy of it.") from None


def _offset_before(file: BufferedReader, path: Path, size: int, images_seen: int) -> int:
    """Find a line, of at most so many images, from which it is not far to the first of more."""
    low, high = 0, size
    while high - low > _PIECE:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline(LONGEST_LINE + 1)
        start = file.tell()
        if start >= high:
            break
        line = file.readline(LONGEST_LINE + 1)
        entry = _entry_at(line, path) if line.strip() else None
        if entry is not None and entry["images_seen"] <= images_seen:
            low = start
        else:
            high = middle
    return low


def _entry_at(line: bytes, path: Path) -> Entry | None:
    """Read a line whose number is not known."""
    if len(line) > LONGEST_LINE:
        raise too_long(path)
    return parse_line(line, None, path)
