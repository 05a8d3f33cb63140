"""Atomic writing: a file is written beside its final name, flushed, then renamed to it."""

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
"""Temporary names as made with ``tempfile`` or ``secrets.token_hex(4)``."""


def write_file(
    path: Path, write: Callable[[Path], object], put: Callable[[Path], object] | None = None
) -> None:
    """Let ``write`` fill a temporary file in the folder of ``path``, then rename it to ``path``.

    ``put`` is called with the temporary file in place of the rename, where an existing file must not simply
    be replaced. A reader sees the old file or the new one, never a part. Raises ``ResourceError`` if the disk
    is full or the folder is not writable; the old file is then unchanged and the temporary one is deleted.
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
    """Return the temporary files in a folder that remain from writers that were killed."""
    return [path for path in folder.glob(".*.part") if final_name(path.name) is not None]


def final_name(name: str) -> str | None:
    """Return the final name that belongs to the name of a temporary file; None for any other name.

    >>> final_name(".card.json.0a1b2c3d.part"), final_name(".notes.part")
    ('card.json', None)
    """
    match = _TEMPORARY.fullmatch(name)
    return match[1] if match else None


def make_folder(path: Path, *, exist_ok: bool = True) -> None:
    """Create a folder and its parents. Raises ``ResourceError`` if the system refuses.

    With ``exist_ok=False`` raises ``FileExistsError`` for an existing folder.
    """
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if not exist_ok:
            raise
        raise ResourceError(f"{path} is a file, and a folder is needed there", "Move it away.") from None
    except OSError as error:
        raise refused(error, path) from error


def free_bytes(folder: Path) -> int:
    """Return how many bytes are free on the disk of a folder. Raises ``ResourceError`` if unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise refused(error, folder) from error


def refused(error: OSError, path: Path) -> ResourceError:
    """Return the ``ResourceError`` for a path that could not be written, with a hint."""
    refusal = worded(error, path, "written")
    return refusal if refusal.hint else ResourceError(refusal.message, "Name a folder that you may write to.")


def _umask() -> int:
    """Return the file mode mask of the process.

    Temporary files are readable by their owner alone, and get the usual mode when they are complete.
    """
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut, on systems where a folder can be opened (not Windows)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
