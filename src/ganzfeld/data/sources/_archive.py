"""The rules for members of every kind of archive.

Nothing is ever extracted: each member is read into memory, up to a limit, and decoded there.
"""

from pathlib import Path

from ganzfeld.data.decoding.decode import MOST_BYTES
from ganzfeld.data.decoding.extensions import EXTENSIONS, extension
from ganzfeld.data.walk import is_shown
from ganzfeld.errors import DataError
from ganzfeld.printable import printable

_ROOM_BYTES = 2**30
_MOST_EXPANSION = 100


def is_image(name: str) -> bool:
    """Return whether the name of a member is that of an image."""
    parts = name.replace("\\", "/").split("/")
    return extension(name) in EXTENSIONS and all(is_shown(part) or part in (".", "..") for part in parts)


def flaw(name: str, size: int) -> str:
    """Return why a member with this name and decompressed size is not read, or ``""``."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or ":" in parts[0]:
        return "its name leads out of the archive"
    if size > MOST_BYTES:
        return f"larger than {MOST_BYTES // 2**20} MiB"
    return ""


def check_expansion(decompressed: int, path: Path) -> None:
    """Raise ``DataError`` if a file claims to hold far more than its own size: a decompression bomb."""
    if decompressed > _ROOM_BYTES + _MOST_EXPANSION * path.stat().st_size:
        shown = f"{decompressed / 2**30:.0f} GiB in {path.stat().st_size / 2**20:.1f} MiB"
        hint = f"More than {_MOST_EXPANSION} times its size looks like a bomb; unpack it if you trust it."
        raise DataError(f"{printable(str(path))} would decompress to {shown}", hint)
