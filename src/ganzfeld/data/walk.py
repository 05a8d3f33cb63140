"""Find the image files below a folder: every real folder once, in the order of names, in bounded time.

Only names, links and kinds of files matter here, not their content.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ganzfeld.data.decoding.decode import MOST_BYTES, UnusableImage
from ganzfeld.data.decoding.extensions import EXTENSIONS, extension
from ganzfeld.data.source import Entry
from ganzfeld.run_layout import is_run


class Skipped(NamedTuple):
    """A run folder, or a file without the extension of an image."""

    name: str
    is_run: bool


def image_files(root: str) -> Iterator[Entry | Skipped]:
    """Yield one entry for each file below ``root`` with the extension of an image, depth first.

    Links are followed. Folders visited before, broken links, folders that cannot be opened, and special files
    yield an entry with a flaw. Other files are skipped, and so are run folders below ``root``, since their
    images are generated. Names are relative to ``root``, with ``/`` between their parts.
    """
    visited: set[tuple[int, int]] = set()
    pending = [""]  # an explicit stack, since folders may nest deeper than Python's recursion limit
    while pending:
        name = pending.pop()
        path = f"{root}/{name}" if name else root
        try:
            info = os.stat(path)  # noqa: PTH116  a million Path objects take seconds
            if stat.S_ISDIR(info.st_mode):
                if (info.st_dev, info.st_ino) in visited:
                    yield Entry(name, 0, 0, flaw="a link to a folder that is already read")
                    continue
                visited.add((info.st_dev, info.st_ino))
                names = os.listdir(path)  # noqa: PTH208
                if name and is_run(names):
                    yield Skipped(name, is_run=True)
                    continue
                inside = sorted(filter(is_shown, names), reverse=True)
                pending += [f"{name}/{child}" for child in inside] if name else inside
                continue
        except OSError as problem:
            if extension(name) in EXTENSIONS or not extension(name):
                yield Entry(name, 0, 0, flaw=_describe_error(problem))
            continue
        if extension(name) not in EXTENSIONS:
            yield Skipped(name, is_run=False)
        elif stat.S_ISREG(info.st_mode):
            yield Entry(name, info.st_size, info.st_mtime_ns, info.st_mode & 0o777)
        else:
            yield Entry(name, 0, 0, flaw=f"{_kind(info.st_mode)}, not a regular file")


def read_file(path: Path, entry: Entry) -> bytes:
    """Return the content of a regular file; raise ``UnusableImage`` if it is too large or has changed."""
    # Without O_NONBLOCK, opening would block forever if a pipe had replaced the file.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(path, "rb", buffering=0, opener=lambda name, _: os.open(name, flags)) as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise UnusableImage("not a regular file")
        if info.st_size > MOST_BYTES:
            raise UnusableImage(f"larger than {MOST_BYTES // 2**20} MiB")
        content = file.readall()
    if (info.st_size, info.st_mtime_ns) != (entry.size, entry.mtime_ns) or len(content) != entry.size:
        raise UnusableImage("changed while it was being read")
    return content


def is_shown(part: str) -> bool:
    """Return whether a part of a name is meant for people: not a dot file or a Macintosh resource fork."""
    return not part.startswith(".") and part != "__MACOSX"


def _describe_error(problem: OSError) -> str:
    if problem.errno == errno.ELOOP:
        return "a link that leads back to itself"
    if isinstance(problem, FileNotFoundError):
        return "a broken link"
    return f"cannot be opened ({problem.strerror or problem})"


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")
