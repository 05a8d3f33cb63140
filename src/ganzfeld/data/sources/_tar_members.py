"""The members of tars, plain or compressed (gzip, bzip2, xz), as a stream and within limits."""

import bz2
import contextlib
import gzip
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.source import Entry
from ganzfeld.data.sources._archive import check_expansion, flaw, is_image
from ganzfeld.errors import DataError
from ganzfeld.printable import printable
from ganzfeld.regular import open_regular

ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_OPENERS = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
CUT = "it ends without the mark of an end, so it may have been cut off"
_MORE = (
    "data follows at byte {:,} and is not read: a header was overwritten with zeros, or tars were joined; "
    "tar --ignore-zeros -xf unpacks what is there"
)
_COMPRESSED: dict[type, str] = {gzip.GzipFile: "gzip", bz2.BZ2File: "bzip2", lzma.LZMAFile: "xz"}
_MOST_HEADER_BYTES = 2**20
_MOST_CLASS_BYTES = 256
_DAMAGE = (
    *(tarfile.TarError, RecursionError, EOFError, zlib.error, lzma.LZMAError),
    *(OSError, ValueError, OverflowError),
)


def tar_members(path: Path, notes: list[str] | None = None) -> Iterator[tarfile.TarInfo]:
    """The members of a tar, with ``offset_data`` in the decompressed tar.

    A tar that is damaged half way, or goes on after its mark of an end, gives the members before, and a note;
    raises ``DataError`` if there are none.
    """
    found = 0
    try:
        # The tarfile module reads headers only, and believes the sizes in them: hence the limit.
        with (
            open_stream(path) as stream,
            _telling_of_the_stream(stream, path),
            tarfile.open(fileobj=cast(IO[bytes], _Limited(stream, path)), mode="r:", errorlevel=1) as archive,
        ):
            while (member := archive.next()) is not None:
                archive.members = []  # pyright: ignore[reportAttributeAccessIssue]  it would keep all of them
                found += 1
                yield member
            _require_end(stream, archive.offset, path)
    except _DAMAGE as problem:
        if not found:
            raise DataError(f"{printable(str(path))} is no tar that can be read ({problem})") from None
        if notes is not None:
            notes.append(f"{printable(path.name)} {_after(found, problem)}")


def _after(found: int, problem: Exception) -> str:
    """What is the matter with a tar after so many members."""
    if isinstance(problem, _StreamError):
        return f"gave {found:,} members, of which some may be wrong or missing: {problem}"
    if isinstance(problem, _MoreError):
        return f"is read up to its mark of an end, after {found:,} members, but {problem}"
    return f"is damaged after {found:,} members ({problem})"


def _require_end(stream: BinaryIO, offset: int, path: Path) -> None:
    """Raises ``tarfile.ReadError`` unless the tar has its mark of an end at ``offset``, and only zeros after.

    The tarfile module ends without a word at a header that is cut off or is none, and takes the first block
    of zeros for the end, though it may be a header that was lost.
    """
    stream.seek(offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if block != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("what follows is no header" if len(block) == tarfile.BLOCKSIZE else CUT)
    position = offset + len(block)
    for part in _parts(stream, path):
        rest = part.lstrip(b"\0")
        if rest:
            raise _MoreError(_MORE.format(position + len(part) - len(rest)))
        position += len(part)


def _parts(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """The rest of a stream; raises ``DataError`` for a bomb."""
    while part := stream.read(_MOST_HEADER_BYTES):
        check_expansion(stream.tell(), path)
        yield part


@contextlib.contextmanager
def _telling_of_the_stream(stream: BinaryIO, path: Path) -> Iterator[None]:
    """Say of any damage whether it is in the compressed stream, which shifts or alters the tar in it."""
    try:
        yield
    except _DAMAGE:
        kind = _COMPRESSED.get(type(stream))
        if kind:
            try:
                stream.seek(0)
                for _ in _parts(stream, path):
                    pass
            except _DAMAGE as problem:
                how = "damaged or cut off" if isinstance(problem, EOFError) else "damaged"
                raise _StreamError(f"its {kind} stream is {how} ({problem})") from None
        raise


def tar_entry(member: tarfile.TarInfo, mtime_ns: int) -> Entry:
    """The entry of a member that is an image by its name."""
    plain = member.isreg() and not member.issparse()
    why = flaw(member.name, member.size) if plain else "a link or something else that is no plain file"
    return Entry(member.name, member.size, mtime_ns, member.offset_data, why)


def open_stream(path: Path) -> BinaryIO:
    """The tar in a file, decompressed while it is read."""
    with open_regular(path) as file:
        begin = file.read(2)
    return cast(BinaryIO, _OPENERS[begin](path)) if begin in _OPENERS else path.open("rb")


def read_at(stream: BinaryIO, offset: int, size: int) -> bytes:
    """The content of a member; raises ``UnusableImage`` if the tar is damaged there."""
    try:
        stream.seek(offset)
        content = stream.read(size)
    except _DAMAGE as problem:
        raise UnusableImage(f"the tar is damaged here ({problem})") from None
    if len(content) != size:
        raise UnusableImage("the tar ends before the end of it")
    return content


def sample_classes(tars: Iterable[Path]) -> Iterator[str]:
    """The class of every image in WebDataset tars: what the ``.cls`` of the same name says, or ``""``.

    The files of a sample (``12.jpg``, ``12.cls``, ``12.json``) follow one another, as the format demands.
    """
    for path in tars:
        with open_stream(path) as labels:
            sample, images, label = None, 0, ""
            for member in tar_members(path):
                if _sample(member.name) != sample:
                    yield from [label] * images
                    sample, images, label = _sample(member.name), 0, ""
                if is_image(member.name):
                    images += 1
                elif member.name.endswith(".cls") and member.isreg() and member.size <= _MOST_CLASS_BYTES:
                    label = (
                        read_at(labels, member.offset_data, member.size).decode("utf-8", "replace").strip()
                    )
            yield from [label] * images


def _sample(name: str) -> str:
    """The name of the sample that a member belongs to: everything up to the first dot of the last part."""
    folder, base = os.path.split(name)
    return f"{folder}/{base.split('.')[0]}"


class _StreamError(tarfile.ReadError):
    """The compressed stream is damaged."""


class _MoreError(tarfile.ReadError):
    """More follows the mark of an end."""


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
