"""Files that are whole or not there: written beside their final name, flushed, then renamed over it."""

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganzfeld.errors import ResourceError
from ganzfeld.strict_json import indented_json
from ganzfeld.system import worded

_TEMPORARY = re.compile(r"\.(.+)\.[a-z0-9_]{8}\.part", re.ASCII)
"""What ``tempfile`` and ``secrets.token_hex(4)`` make of a name."""


def write_file(
    path: Path, write: Callable[[Path], object], put: Callable[[Path], object] | None = None
) -> None:
    """Let ``write`` fill a temporary file in the folder of ``path``, then put it in its place at once.

    ``put`` gives it its name where it is not simply to replace what is there.
    A reader sees the old file or the new one, never a part. Raises ``ResourceError`` when the disk is full or
    the folder cannot be written; the old file is then still there and the temporary one is gone.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise refused(error, path) from error
    part = Path(name)
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        if put:
            put(part)
        else:
            part.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise refused(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file; see ``write_file``."""
    write_file(path, lambda part: part.write_bytes(content))


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; see ``write_file``."""
    write_bytes(path, indented_json(value))


def unfinished(folder: Path) -> list[Path]:
    """Temporary files in a folder that ``write_file`` could not remove, since its process was killed."""
    return [path for path in folder.glob(".*.part") if final_name(path.name) is not None]


def final_name(name: str) -> str | None:
    """Give the name that a temporary file was to get; None for a name of another form.

    >>> final_name(".card.json.0a1b2c3d.part"), final_name(".notes.part")
    ('card.json', None)
    """
    found = _TEMPORARY.fullmatch(name)
    return found[1] if found else None


def make_folder(path: Path, *, exist_ok: bool = True) -> None:
    """Create a folder with its parents; raises ``ResourceError`` where that is not allowed.

    With ``exist_ok=False`` an existing folder raises ``FileExistsError``.
    """
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if not exist_ok:
            raise
        raise ResourceError(f"{path} is a file; a folder is needed there") from None
    except OSError as error:
        raise refused(error, path) from error


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written to the disk of a folder."""
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise refused(error, folder) from error


def refused(error: OSError, path: Path) -> ResourceError:
    """What the operating system said, in words."""
    told = worded(error, path, "written")
    return told if told.hint else ResourceError(told.message, "Name a folder that you may write to.")


def _umask() -> int:
    """The process's mask: temporary files are their owner's alone and get the usual mode at the end."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system lets a folder be opened (not on Windows)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
