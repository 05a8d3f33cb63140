"""A tar of picture files, plain or compressed (gzip, bzip2, xz), read forward only.

Pictures come in the order of the tar; sub-folders are the classes.
"""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, BinaryIO, cast, final

import numpy as np

from ganzfeld.data.classes import classes_by_folder
from ganzfeld.data.decode import Decoded, UnusablePicture, decode_file
from ganzfeld.data.framing import Framing
from ganzfeld.data.source import Entry, Source, printable
from ganzfeld.data.sources._archive import check_expansion, flaw, is_picture
from ganzfeld.data.walk import count_ignored
from ganzfeld.errors import DataError

_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
_MOST_HEADER_BYTES = 2**20
_DAMAGE = (
    tarfile.TarError,
    RecursionError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    ValueError,
    OverflowError,
)


def recognises(path: Path) -> int:
    """A file that is called a tar."""
    return 2 if path.name.lower().endswith(_ENDINGS) and path.is_file() else 0


@final
class Pictures(Source):
    """The picture files in a tar."""

    @cached_property
    def _stream(self) -> BinaryIO:
        return self.files.enter_context(open_stream(self.path))

    def entries(self) -> Iterator[Entry]:
        """One entry a picture file; raises ``DataError`` if the tar is damaged or a bomb."""
        self.ignored.clear()
        mtime_ns = self.path.stat().st_mtime_ns
        for member in tar_members(self.path):
            if is_picture(member.name):
                regular = member.isreg() and not member.issparse()
                why = (
                    flaw(member.name, member.size)
                    if regular
                    else "a link or something else that is not a plain file"
                )
                yield Entry(member.name, member.size, mtime_ns, member.offset_data, why)
            elif member.isreg():
                count_ignored(self.ignored, member.name)

    def read(self, entry: Entry) -> bytes:
        """The content of a member."""
        try:
            self._stream.seek(entry.locator)
            content = self._stream.read(entry.size)
        except _DAMAGE as problem:
            raise UnusablePicture(f"the tar is damaged here ({problem})") from None
        if len(content) != entry.size:
            raise UnusablePicture("the tar ends before the end of it")
        return content

    def decode(self, raw: bytes | np.ndarray, framing: Framing) -> Decoded:
        """See ``decode_file``."""
        return decode_file(bytes(raw), framing)

    def classes(self, names: Iterable[str]) -> Iterable[str] | None:
        """The sub-folders."""
        return classes_by_folder(names)


def tar_members(path: Path) -> Iterator[tarfile.TarInfo]:
    """The members of a tar as a stream, with ``offset_data`` in the decompressed tar.

    A tar that ends too soon or is damaged half way gives the members before; raises ``DataError`` if there
    are none.
    """
    found = 0
    try:
        # The tarfile module reads headers only, and believes the sizes in them: hence the limit.
        with (
            open_stream(path) as stream,
            tarfile.open(fileobj=cast(IO[bytes], _Limited(stream, path)), mode="r:", errorlevel=1) as archive,
        ):
            while (member := archive.next()) is not None:
                archive.members = []  # pyright: ignore[reportAttributeAccessIssue]  it would keep all of them
                found += 1
                yield member
    except _DAMAGE as problem:
        if not found:
            raise DataError(f"{printable(str(path))} is no tar that can be read ({problem})") from None


def open_stream(path: Path) -> BinaryIO:
    """The tar in a file, decompressed while it is read."""
    with path.open("rb") as file:
        begin = file.read(2)
    return cast(BinaryIO, _OPENERS[begin](path)) if begin in _OPENERS else path.open("rb")


class _Limited:
    """A stream that refuses to read much at once or to go absurdly far; what ``tarfile`` needs of one."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path = stream, path

    def read(self, size: int) -> bytes:
        if size > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)

    def seek(self, position: int) -> int:
        check_expansion(position, self._path)
        return self._stream.seek(position)

    def tell(self) -> int:
        return self._stream.tell()
