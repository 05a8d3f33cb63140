"""A table of labels in a text file, such as CSV: its bytes checked, its encoding and its rows.

Reads line by line, so that a large file costs time and no memory. Knows nothing of images.
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
    "Expected is a text file with a column of file names and one of labels, divided by commas, semicolons or "
    "tabs, such as: file,label"
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
    """A text file that holds rows; ``sha256`` is the digest of its content."""

    path: Path
    encoding: str
    sha256: str

    @property
    def shown(self) -> str:
        """Its name, safe to show."""
        return printable(self.path.name)

    def rows(self, delimiter: str) -> Iterator[list[str]]:
        """Yield the cells of every row that is not empty, without space around them."""
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
        """Return up to so many rows from the beginning."""
        return list(itertools.islice(self.rows(delimiter), number))

    def _lines(self) -> Iterator[str]:
        """Yield lines; raise ``DataError`` for one that no table has."""
        try:
            with io.TextIOWrapper(open_regular(self.path), self.encoding, newline="") as text:
                for number in itertools.count(1):
                    line = text.readline(_MOST_LINE)
                    if not line:
                        return
                    if len(line) >= _MOST_LINE and not line.endswith("\n"):
                        why = f"is longer than {_MOST_LINE:,} characters"
                        raise DataError(f"{self.shown}: line {number} {why}", EXPECTED)
                    if "\0" in line:
                        why = (
                            "holds a zero byte, so it is no text, or one in an encoding that it does not tell"
                        )
                        raise DataError(f"{self.shown}: line {number} {why}", f"Save it as UTF-8. {EXPECTED}")
                    yield line
        except OSError as problem:
            raise _unreadable(self.path, problem) from None


def open_table(given: str | os.PathLike[str]) -> LabelTable:
    """Look through a file once: its digest and its encoding.

    That is told by its mark, and is UTF-8 without one, or Latin-1 where it cannot be that. Raises
    ``UsageError`` if there is no such file, ``DataError`` if it is too large or empty.
    """
    path = Path(os.path.expanduser(given))  # noqa: PTH111  the other way raises for the home of nobody
    digest, decoder, encoding, size = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), "utf-8", 0
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                most = f"more than {MOST_BYTES // 2**20} MiB"
                raise DataError(
                    f"{printable(str(given))} is too large for a table of labels: {most}", EXPECTED
                )
            begin = file.read(4)
            file.seek(0)
            while piece := file.read(_PIECE_BYTES):
                size += len(piece)
                digest.update(piece)
                encoding = encoding if encoding == "latin-1" else _tried(decoder, piece)
    except OSError as problem:
        raise _unreadable(path, problem) from None
    encoding = encoding if encoding == "latin-1" else _tried(decoder, b"", final=True)
    if not size:
        raise DataError(f"{printable(str(given))} is empty", EXPECTED)
    encoding = next((name for mark, name in _MARKS if begin.startswith(mark)), encoding)
    return LabelTable(path, encoding, digest.hexdigest())


def _tried(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool = False) -> str:
    try:
        decoder.decode(piece, final)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _unreadable(path: Path, problem: OSError) -> UsageError:
    shown = printable(str(path))
    if isinstance(problem, FileNotFoundError):
        return UsageError(f"there is no file {shown} with labels", EXPECTED)
    why = problem.strerror or str(problem)
    what = "is no file with labels" if isinstance(problem, Irregular) else "cannot be read"
    return UsageError(f"{shown} {what}: {why}", EXPECTED)
