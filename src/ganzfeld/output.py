"""Writing of output files to paths that the user names, without ever replacing a user's own file.

Every output file carries a mark of its kind: a PNG in its text chunk ``Software``, a page in its head,
JSON in its first key, a film, an array file (``.npy``, ``.npz``) or a TIFF in its last bytes, where readers
of the format ignore it, FASTA in the description of its first record; a table is known by its first line. A
file is replaced only if it carries the mark of the same kind. A user who edits an output file with a program
that keeps the mark should give it another name.
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
_NPY = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_TIFF = (b"II*\0", b"MM\0*")
_AFTER_HEADER = 33
"""Bytes of a PNG up to the end of its first chunk."""


class Mark(StrEnum):
    """The kinds of output files.

    Of these only single samples and completions are read as training images, and images of a run if they
    are named.
    """

    SAMPLE = "sample"
    SAMPLE_GRID = "sample grid"
    SAMPLES = "samples"
    RUN_SHEET = "sheet of a run"
    CONTACT_SHEET = "contact sheet"
    NEAREST = "nearest images"
    LAB_FIGURE = "lab figure"
    LAB_VERDICT = "lab verdict"
    LAB_REPORT = "lab report"
    BENCHMARKS = "benchmarks"
    ABLATIONS = "ablations"
    LAB_PLAY = "lab play"
    LATENT_WALK = "latent walk"
    LATENT_SUM = "latent sum"
    LATENT_DIRECTIONS = "latent directions"
    LATENTS = "latents"
    INVERSION = "inversion"
    COMPLETION = "completion"
    COMPLETIONS = "completions"
    INSIDE_PAGE = "page of looking inside"
    FEATURES = "features"
    FILTERS = "filters"
    STRONGEST_IMAGES = "strongest images"
    DROPPED_MAPS = "dropped maps"
    ANOMALIES = "anomalies"

    @property
    def text(self) -> str:
        """The mark as written in a file."""
        return f"ganzfeld {self.value}"


TABLES = {Mark.ANOMALIES: "image,score,flagged,label,index_of_map"}
"""The first line of each kind of table."""

_TAIL_BYTES = 64
_MARKED_TAIL = re.compile(rb"ganzfeld ([a-z ]+?)[\0 ;]*$")
_MARKED_TEXT = re.compile(
    rb'(?:<meta name="generator" content="|^\{\s*"software": "|^<!-- |^>\S+ )ganzfeld ([a-z ]+)(?:"| -->|\n)'
)


def mark_of(path: Path) -> str | None:
    """Return the mark of a file; None if it has none, is not a regular file, or cannot be read."""
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD_BYTES)
            is_at_end = _ends_with_mark(head)
            if is_at_end:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            tail = file.read(_TAIL_BYTES)
    except OSError:
        return None
    if head.startswith(_PNG):
        kind = next((mark for mark in Mark if head.startswith(_chunk(mark), _AFTER_HEADER)), None)
        return kind.value if kind else None
    if (table := _table_mark(head)) is not None:
        return table.value
    match = _MARKED_TAIL.search(tail) if is_at_end else _MARKED_TEXT.search(head)
    return match[1].decode() if match else None


def require_replaceable(path: Path, *marks: Mark) -> None:
    """Raise ``UsageError`` unless nothing is at a path, or a file with one of these marks.

    Also raises it for links and for paths among the files of a run, and ``ResourceError`` for folders and
    devices.
    """
    require_outside_runs(path)
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise refused(error, path) from error
    if stat.S_ISLNK(status.st_mode):
        raise UsageError(f"{path} is a link, and links are not written through", "Name the file itself.")
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise ResourceError(f"{path} is {what}, not a file", "Name a file.")
    if mark_of(path) not in marks:
        raise _foreign_file(path, marks[0])


def require_outside_runs(path: Path) -> None:
    """Raise ``UsageError`` for a path among the files of a run."""
    run = run_that_owns(path)
    if run is not None:
        raise UsageError(f"{path} would be among the files of the run {run}", "Name another place.")


def write_output(path: Path, content: bytes, mark: Mark, *replaces: Mark) -> None:
    """Write a PNG, a page, a film or an array file with its mark to a path.

    Replaces only a file with that mark; ``replaces`` are further marks that may be replaced. Raises
    ``UsageError`` if another file is there, ``ResourceError`` if the path cannot be written.
    """
    require_replaceable(path, mark, *replaces)
    content = marked(content, mark)

    def put(part: Path) -> None:
        require_replaceable(path, mark, *replaces)
        if path.exists():
            part.replace(path)
        else:
            _rename_to_free(part, path, mark)

    write_file(path, lambda part: part.write_bytes(content), put)


def write_json_output(path: Path, value: dict[str, Any], mark: Mark) -> None:
    """Write indented JSON with its mark to a path; see ``write_output``."""
    write_output(path, indented_json({"software": mark.text} | value), mark)


def _rename_to_free(part: Path, path: Path, mark: Mark) -> None:
    """Rename a file, unless another process has taken the name in the meantime."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise _foreign_file(path, mark) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EIO, errno.EROFS, errno.ENOENT):
            raise
        # A file system without hard links, such as FAT.
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            raise _foreign_file(path, mark) from None
        part.replace(path)


def marked(content: bytes, mark: Mark) -> bytes:
    """Return a PNG, a page, a film, an array file (.npy, .npz), a TIFF, FASTA or a table with its mark."""
    text = mark.text.encode()
    if _table_mark(content) is mark:
        return content
    if content.startswith(_PNG):
        return content[:_AFTER_HEADER] + _chunk(mark) + content[_AFTER_HEADER:]
    if content.startswith(b"GIF8"):  # a comment before the trailer
        return content[:-1] + b"\x21\xfe" + bytes([len(text)]) + text + b"\0;"
    if _is_webp(content):  # a chunk of a kind that readers do not know
        whole = content[8:] + b"gzfd" + struct.pack("<I", len(text)) + text + b"\0" * (len(text) % 2)
        return b"RIFF" + struct.pack("<I", len(whole)) + whole
    if _is_mp4(content):
        return content + struct.pack(">I", 8 + len(text)) + b"free" + text
    if content.startswith((_NPY, *_TIFF)):
        return content + text
    if content.startswith(b">"):  # the description of the first record of a FASTA file
        name, end, rest = content.partition(b"\n")
        return name + b" " + text + end + rest
    if content.startswith(_ZIP):  # a comment, whose length stands in the last two bytes of an archive
        return content[:-2] + struct.pack("<H", len(text)) + text
    meta = f'<head>\n<meta name="generator" content="{mark.text}">'.encode()
    return content.replace(b"<head>", meta, 1)


def _table_mark(content: bytes) -> Mark | None:
    """Return the kind of a table by its first line; None if it is no table that is written here."""
    first = content.partition(b"\n")[0].rstrip(b"\r")
    return next((mark for mark, line in TABLES.items() if first == line.encode()), None)


def _ends_with_mark(head: bytes) -> bool:
    """Check by its first bytes whether a file has its mark at the end."""
    return head.startswith((b"GIF8", _NPY, _ZIP, *_TIFF)) or _is_webp(head) or _is_mp4(head)


def _is_webp(head: bytes) -> bool:
    return head.startswith(b"RIFF") and head[8:12] == b"WEBP"


def _is_mp4(head: bytes) -> bool:
    return head[4:8] == b"ftyp"


def _chunk(mark: Mark) -> bytes:
    """Return the text chunk of a PNG for a mark."""
    body = b"tEXtSoftware\0" + mark.text.encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _foreign_file(path: Path, mark: Mark) -> UsageError:
    article = "" if mark.value.endswith("s") else "a "
    return UsageError(
        f"{path} exists already, and is not {article}{mark.value} that ganzfeld wrote",
        "Name another file, or delete this one; your files are never overwritten.",
    )
