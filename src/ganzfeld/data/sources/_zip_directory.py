"""Read the directory of a zip file as a stream, one member at a time.

The standard library's reader keeps every member in memory (half a kilobyte each, in every worker) and trusts
their sizes. This one keeps one member, and never reads more than its stated size. Format: APPNOTE.TXT 6.3.10.
"""

import bz2
import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ganzfeld.data.decoding.decode import MOST_BYTES, UnusableImage
from ganzfeld.errors import DataError

_END = struct.Struct("<4s4H2LH")
_END_64_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ABSENT = 0xFFFFFFFF  # the value is in the zip64 extra field
_LINK = 0o120000
_PIECE_BYTES = 2**16


class Member(NamedTuple):
    """One file in a zip; ``position`` is the start of its entry in the directory."""

    position: int
    name: str
    size: int
    compressed_size: int
    method: int
    crc: int
    encrypted: bool
    link: bool
    header_offset: int


def members(file: BinaryIO) -> Iterator[Member]:
    """Yield the files of a zip (no folders) in directory order; raise ``DataError`` if it is damaged."""
    begin, length, _ = directory(file)
    position = begin
    while position < begin + length:
        member, position = _member_at(file, position)
        if not member.name.endswith("/"):
            yield member


def member_at(file: BinaryIO, position: int) -> Member:
    """Return the member whose directory entry begins at ``position``."""
    return _member_at(file, position)[0]


def read_member(file: BinaryIO, member: Member) -> bytes:
    """Return the content of a member, verified; raise ``UnusableImage`` with the reason if that fails."""
    if member.encrypted:
        raise UnusableImage("encrypted")
    if max(member.size, member.compressed_size) > MOST_BYTES:
        raise UnusableImage(f"larger than {MOST_BYTES // 2**20} MiB")
    file.seek(member.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        raise UnusableImage("damaged (the directory of the zip points to no member)")
    name_length, extra_length = _LOCAL.unpack(header)[-2:]
    file.seek(name_length + extra_length, 1)
    content = _decompress(file, member)
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        raise UnusableImage("damaged (its checksum in the zip does not match)")
    return content


def directory(file: BinaryIO) -> tuple[int, int, int]:
    """Return the start of the directory, its length, and the offset to add to its positions, in bytes."""
    length = file.seek(0, 2)
    tail_length = min(length, _END.size + 0xFFFF)
    file.seek(length - tail_length)
    tail = file.read(tail_length)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise DataError("it has no directory: it is truncated or not a zip")
    _, _, _, _, _, size, offset, _ = _END.unpack_from(tail, at)
    end = length - tail_length + at
    locator = at - _END_64_LOCATOR.size
    if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
        size, offset, end = _directory_64(file, end)
    shift = end - size - offset  # above 0 if something precedes the zip, such as a self-extractor
    if shift < 0 or size > end:
        raise DataError("its directory is damaged")
    return offset + shift, size, shift


def _directory_64(file: BinaryIO, end: int) -> tuple[int, int, int]:
    """Return the length of a directory with 64-bit fields, its start, and its end, in bytes."""
    at = end - _END_64_LOCATOR.size - _END_64.size
    file.seek(max(at, 0))
    record = file.read(_END_64.size)
    if at < 0 or record[:4] != b"PK\x06\x06":
        raise DataError("its directory is damaged")
    size, offset = _END_64.unpack(record)[8:]
    return size, offset, at


def _member_at(file: BinaryIO, position: int) -> tuple[Member, int]:
    """Return the member whose entry begins at ``position``, and the position of the next entry."""
    file.seek(position)
    head = file.read(_CENTRAL.size)
    if len(head) < _CENTRAL.size or head[:4] != b"PK\x01\x02":
        raise DataError("its directory is damaged")
    field = _CENTRAL.unpack(head)
    flags, method, crc, compressed, size = field[3], field[4], field[7], field[8], field[9]
    name_length, extra_length, comment_length, attributes, offset = *field[10:13], field[15], field[16]
    raw_name, extra = file.read(name_length), file.read(extra_length)
    size, compressed, offset = _apply_zip64(extra, size, compressed, offset)
    name = raw_name.decode("utf-8" if flags & 0x800 else "cp437", "surrogateescape")
    link = (attributes >> 16) & 0o170000 == _LINK
    member = Member(position, name, size, compressed, method, crc, bool(flags & 1), link, offset)
    return member, position + _CENTRAL.size + name_length + extra_length + comment_length


def _apply_zip64(extra: bytes, size: int, compressed: int, offset: int) -> tuple[int, int, int]:
    """Replace values that did not fit with the 64-bit values of the zip64 extra field."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == 1:
            wide = (int.from_bytes(body[at : at + 8], "little") for at in range(0, len(body), 8))
            size, compressed, offset = (
                next(wide, v) if v == _ABSENT else v for v in (size, compressed, offset)
            )
    return size, compressed, offset


def _decompress(file: BinaryIO, member: Member) -> bytes:
    """Decompress the member at the current position, up to one byte more than its stated size."""
    if member.method == 0:
        return file.read(member.compressed_size)
    if member.method == 8:
        reader = zlib.decompressobj(-zlib.MAX_WBITS)
    elif member.method == 12:
        reader = bz2.BZ2Decompressor()
    else:
        raise UnusableImage(f"compressed by method {member.method}, which is not supported; use deflate")
    # Decompressing in pieces never holds both the compressed and the decompressed form as a whole.
    content, left = io.BytesIO(), member.compressed_size
    try:
        while left > 0 and not reader.eof and content.tell() <= member.size:
            piece = file.read(min(_PIECE_BYTES, left))
            left = left - len(piece) if piece else 0
            content.write(reader.decompress(piece, member.size + 1 - content.tell()))
    except (zlib.error, OSError, ValueError) as problem:
        raise UnusableImage(f"damaged ({problem})") from None
    return content.getvalue()
