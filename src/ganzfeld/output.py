"""Files that go where the user says: nothing is written over unless it is known to be ours.

Every such file carries a mark that says what wrote it: a PNG in its text chunk ``Software``, a page in its
head, JSON in its first key. A file is replaced only by what wrote it before. Whoever edits a file of ours
with a program that keeps the mark should give it another name.
"""

import errno
import os
import re
import stat
import struct
import zlib
from enum import StrEnum
from pathlib import Path
from typing import Any

from ganzfeld.durable import refused, write_file
from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.regular import open_regular
from ganzfeld.run_layout import run_that_owns
from ganzfeld.strict_json import indented_json

_HEAD_BYTES = 4096
_PNG = b"\x89PNG\r\n\x1a\n"
_AFTER_HEADER = 33
"""Bytes of a PNG up to the end of its first chunk."""


class Mark(StrEnum):
    """What wrote a file. Single samples may be trained on, and sheets of a run where they are asked for."""

    SAMPLE = "sample"
    SAMPLE_GRID = "sample grid"
    RUN_SHEET = "sheet of a run"
    CONTACT_SHEET = "contact sheet"
    NEAREST = "nearest images"
    LAB_FIGURE = "lab figure"
    LAB_VERDICT = "lab verdict"
    LAB_REPORT = "lab report"
    BENCHMARKS = "benchmarks"

    @property
    def text(self) -> str:
        """How it stands in a file."""
        return f"ganzfeld {self.value}"


_MARKED_TEXT = re.compile(
    rb'(?:<meta name="generator" content="|^\{\s*"software": "|^<!-- )ganzfeld ([a-z ]+)(?:"| -->)'
)


def mark_of(path: Path) -> str | None:
    """The mark that a file carries; None if it carries none, is no regular file, or cannot be read."""
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    if head.startswith(_PNG):
        found = next((mark for mark in Mark if head.startswith(_chunk(mark), _AFTER_HEADER)), None)
        return found.value if found else None
    said = _MARKED_TEXT.search(head)
    return said[1].decode() if said else None


def require_replaceable(path: Path, *marks: Mark) -> None:
    """Raise ``UsageError`` unless a file with one of these marks is at a path, or nothing.

    So are links refused, and places that belong to a run; ``ResourceError`` for folders and devices.
    """
    require_outside_runs(path)
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise refused(error, path) from error
    if stat.S_ISLNK(found.st_mode):
        raise UsageError(f"{path} is a link, and nothing is written through one", "Name the file itself.")
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
        raise ResourceError(f"{path} is {what}, not a file", "Name a file.")
    if mark_of(path) not in marks:
        raise _not_ours(path, marks[0])


def require_outside_runs(path: Path) -> None:
    """Raise ``UsageError`` for a place that belongs to a run."""
    run = run_that_owns(path)
    if run is not None:
        raise UsageError(f"{path} would lie among the files of the run {run}", "Name another place.")


def write_output(path: Path, content: bytes, mark: Mark, *replaces: Mark) -> None:
    """Write a PNG or a page where the user says, with its mark, in the place of one with that mark.

    ``replaces`` are further marks. Raises ``UsageError`` where another file is, ``ResourceError`` where it
    cannot be written.
    """
    require_replaceable(path, mark, *replaces)
    content = marked(content, mark)

    def put(part: Path) -> None:
        require_replaceable(path, mark, *replaces)
        if path.exists():
            part.replace(path)
        else:
            _give_name(part, path, mark)

    write_file(path, lambda part: part.write_bytes(content), put)


def write_json_output(path: Path, value: dict[str, Any], mark: Mark) -> None:
    """Write indented JSON where the user says; see ``write_output``."""
    write_output(path, indented_json({"software": mark.text} | value), mark)


def _give_name(part: Path, path: Path, mark: Mark) -> None:
    """Give a file its name, unless somebody else has taken it in the meantime."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise _not_ours(path, mark) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.ENOENT):
            raise
        # A file system without hard links, such as FAT.
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            raise _not_ours(path, mark) from None
        part.replace(path)


def marked(content: bytes, mark: Mark) -> bytes:
    """Give a PNG or a page its mark."""
    if content.startswith(_PNG):
        return content[:_AFTER_HEADER] + _chunk(mark) + content[_AFTER_HEADER:]
    meta = f'<head>\n<meta name="generator" content="{mark.text}">'.encode()
    return content.replace(b"<head>", meta, 1)


def _chunk(mark: Mark) -> bytes:
    """The text chunk of a PNG that carries a mark."""
    said = b"tEXtSoftware\0" + mark.text.encode()
    return struct.pack(">I", len(said) - 4) + said + struct.pack(">I", zlib.crc32(said))


def _not_ours(path: Path, mark: Mark) -> UsageError:
    article = "" if mark.value.endswith("s") else "a "
    return UsageError(
        f"{path} is there already, and is not {article}{mark.value} that ganzfeld wrote",
        "Name another file, or delete this one; nothing of yours is overwritten.",
    )
