"""Read a table of labels from a text file such as CSV: check its bytes, find its encoding, yield its rows.

The file is read line by line, so that even a large one needs little memory. Nothing here knows of images.
"""

import codecs
import csv
import hashlib
import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganzfeld.errors import DataError, UsageError
from ganzfeld.printable import printable
from ganzfeld.regular import Irregular, open_regular

MOST_BYTES = 2**29
EXPECTED = (
    "Expected a text file with a column of file names and a column of labels, separated by commas, "
    "semicolons or tabs, such as: file,label"
)
DELIMITERS = (",", ";", "\t", "|", " ")
_MOST_LINE = 2**16
_PIECE_BYTES = 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class LabelTable:
    """A text file of rows; ``sha256`` is the digest of its content."""

    path: Path
    encoding: str
    sha256: str

    @property
    def shown(self) -> str:
        """Its name, safe to print."""
        return printable(self.path.name)

    def rows(self, delimiter: str) -> Iterator[list[str]]:
        """Yield the cells of every row that is not empty, without surrounding whitespace."""
        reader = csv.reader(self._lines(), delimiter=delimiter, skipinitialspace=True)
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield cells
        except (csv.Error, UnicodeError) as problem:
            where = f"{self.shown}, line {reader.line_num + 1}"
            raise DataError(f"{where}: it cannot be read as a table ({problem})", EXPECTED) from None

    def first_rows(self, delimiter: str, number: int) -> list[list[str]]:
        """Return up to ``number`` rows from the beginning."""
        return list(itertools.islice(self.rows(delimiter), number))

    def _lines(self) -> Iterator[str]:
        """Yield lines; raise ``DataError`` for a line that is too long or not text."""
        try:
            with io.TextIOWrapper(open_regular(self.path), self.encoding, newline="") as text:
                for number in itertools.count(1):
                    line = text.readline(_MOST_LINE)
                    if not line:
                        return
                    if len(line) >= _MOST_LINE and not line.endswith("\n"):
                        reason = f"is longer than {_MOST_LINE:,} characters"
                        raise DataError(f"{self.shown}: line {number} {reason}", EXPECTED)
                    if "\0" in line:
                        reason = "holds a zero byte, so it is not text or has an encoding without a mark"
                        hint = f"Save it as UTF-8. {EXPECTED}"
                        raise DataError(f"{self.shown}: line {number} {reason}", hint)
                    yield line
        except OSError as problem:
            raise _unreadable(self.path, problem) from None


def open_table(labels: str | os.PathLike[str]) -> LabelTable:
    """Read a file once to find its digest and its encoding.

    A byte order mark determines the encoding. Without a mark it is UTF-8, or Latin-1 if the content is not
    valid UTF-8. Raises ``UsageError`` if there is no such file, ``DataError`` if it is too large or empty.
    """
    path = Path(os.path.expanduser(labels))  # noqa: PTH111  Path.expanduser raises for unknown users
    digest, decoder, encoding, size = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), "utf-8", 0
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                most = f"more than {MOST_BYTES // 2**20} MiB"
                raise DataError(
                    f"{printable(str(labels))} is too large for a table of labels: {most}", EXPECTED
                )
            begin = file.read(4)
            file.seek(0)
            while piece := file.read(_PIECE_BYTES):
                size += len(piece)
                digest.update(piece)
                encoding = encoding if encoding == "latin-1" else _encoding_of(decoder, piece)
    except OSError as problem:
        raise _unreadable(path, problem) from None
    encoding = encoding if encoding == "latin-1" else _encoding_of(decoder, b"", final=True)
    if not size:
        raise DataError(f"{printable(str(labels))} is empty", EXPECTED)
    encoding = next((name for mark, name in _MARKS if begin.startswith(mark)), encoding)
    return LabelTable(path, encoding, digest.hexdigest())


def _encoding_of(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> str:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _unreadable(path: Path, problem: OSError) -> UsageError:
    shown = printable(str(path))
    if isinstance(problem, FileNotFoundError):
        return UsageError(f"there is no file of labels {shown}", EXPECTED)
    reason = problem.strerror or str(problem)
    what = "is not a file of labels" if isinstance(problem, Irregular) else "cannot be read"
    return UsageError(f"{shown} {what}: {reason}", EXPECTED)
