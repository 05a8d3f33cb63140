"""Read the members of tars, plain or compressed (gzip, bzip2, xz), as a stream and within limits."""

import bz2
import contextlib
import gzip
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
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
CUT = "it has no end marker, so it may be truncated"
_MORE = (
    "data follows at byte {:,} and is not read: a header was overwritten with zeros, or tars were joined; "
    "unpack everything with tar --ignore-zeros -xf"
)
_COMPRESSED: dict[type, str] = {gzip.GzipFile: "gzip", bz2.BZ2File: "bzip2", lzma.LZMAFile: "xz"}
_MOST_HEADER_BYTES = 2**20
_MOST_CLASS_BYTES = 256
_DAMAGE = (
    *(tarfile.TarError, RecursionError, EOFError, zlib.error, lzma.LZMAError),
    *(OSError, ValueError, OverflowError),
)


def tar_members(path: Path, note: Callable[[str], object] | None = None) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar, with ``offset_data`` in the decompressed tar.

    If the tar is damaged halfway or continues after its end marker, the members before that point are
    yielded and ``note`` is called with what is wrong. Raises ``DataError`` if there are none.
    """
    num_members = 0
    try:
        # The tarfile module reads only headers and trusts the sizes in them, hence the limit.
        with (
            open_stream(path) as stream,
            _detecting_stream_damage(stream, path),
            tarfile.open(fileobj=cast(IO[bytes], _Limited(stream, path)), mode="r:", errorlevel=1) as archive,
        ):
            while (member := archive.next()) is not None:
                archive.members = []  # pyright: ignore[reportAttributeAccessIssue]  it would keep all of them
                num_members += 1
                yield member
            _require_end(stream, archive.offset, path)
    except _DAMAGE as problem:
        if not num_members:
            raise DataError(f"{printable(str(path))} cannot be read as a tar ({problem})") from None
        if note is not None:
            note(f"{printable(path.name)} {_describe_damage(num_members, problem)}")


def _describe_damage(num_members: int, problem: Exception) -> str:
    """Return the note about a tar that is damaged after ``num_members`` members."""
    if isinstance(problem, _StreamError):
        return f"yielded {num_members:,} members, some of which may be wrong or missing: {problem}"
    if isinstance(problem, _MoreError):
        return f"is read up to its end marker, after {num_members:,} members, but {problem}"
    return f"is damaged after {num_members:,} members ({problem})"


def _require_end(stream: BinaryIO, offset: int, path: Path) -> None:
    """Raise ``tarfile.ReadError`` unless ``offset`` holds an end marker, with only zeros after it.

    The tarfile module stops silently at a truncated or invalid header, and takes the first block of zeros
    for the end, although it may be a header that was lost.
    """
    stream.seek(offset)
    block = stream.read(tarfile.BLOCKSIZE)
    if block != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("invalid header" if len(block) == tarfile.BLOCKSIZE else CUT)
    position = offset + len(block)
    for part in _parts(stream, path):
        rest = part.lstrip(b"\0")
        if rest:
            raise _MoreError(_MORE.format(position + len(part) - len(rest)))
        position += len(part)


def _parts(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the rest of a stream; raise ``DataError`` for a decompression bomb."""
    while part := stream.read(_MOST_HEADER_BYTES):
        check_expansion(stream.tell(), path)
        yield part


@contextlib.contextmanager
def _detecting_stream_damage(stream: BinaryIO, path: Path) -> Iterator[None]:
    """Raise ``_StreamError`` for damage in the compressed stream, which shifts or alters the tar in it."""
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
                how = "damaged or truncated" if isinstance(problem, EOFError) else "damaged"
                raise _StreamError(f"its {kind} stream is {how} ({problem})") from None
        raise


def tar_entry(member: tarfile.TarInfo, mtime_ns: int) -> Entry:
    """Return the entry of a member whose name is that of an image."""
    is_plain = member.isreg() and not member.issparse()
    reason = flaw(member.name, member.size) if is_plain else "a link or another kind of special file"
    return Entry(member.name, member.size, mtime_ns, member.offset_data, reason)


def open_stream(path: Path) -> BinaryIO:
    """Open the tar in a file as a stream that is decompressed while it is read."""
    with open_regular(path) as file:
        begin = file.read(2)
    return cast(BinaryIO, _OPENERS[begin](path)) if begin in _OPENERS else path.open("rb")


def read_at(stream: BinaryIO, offset: int, size: int) -> bytes:
    """Return the content of a member; raise ``UnusableImage`` if the tar is damaged there."""
    try:
        stream.seek(offset)
        content = stream.read(size)
    except _DAMAGE as problem:
        raise UnusableImage(f"the tar is damaged here ({problem})") from None
    if len(content) != size:
        raise UnusableImage("the tar ends in the middle of it")
    return content


def sample_classes(tars: Iterable[Path]) -> Iterator[str]:
    """Yield the class of every image in WebDataset tars: the content of its ``.cls`` file, or ``""``.

    The files of a sample (``12.jpg``, ``12.cls``, ``12.json``) are adjacent, as the format requires.
    """
    for path in tars:
        with open_stream(path) as labels:
            sample, images, label = None, 0, ""
            for member in tar_members(path):
                if _sample_name(member.name) != sample:
                    yield from [label] * images
                    sample, images, label = _sample_name(member.name), 0, ""
                if is_image(member.name):
                    images += 1
                elif member.name.endswith(".cls") and member.isreg() and member.size <= _MOST_CLASS_BYTES:
                    label = (
                        read_at(labels, member.offset_data, member.size).decode("utf-8", "replace").strip()
                    )
            yield from [label] * images


def _sample_name(name: str) -> str:
    """Return the name of a member's sample: its path up to the first dot of the file name."""
    folder, base = os.path.split(name)
    return f"{folder}/{base.split('.')[0]}"


class _StreamError(tarfile.ReadError):
    """The compressed stream is damaged."""


class _MoreError(tarfile.ReadError):
    """More data follows the end marker."""


class _Limited:
    """A stream for ``tarfile`` that limits how much is read at once and how far the position may go."""

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
