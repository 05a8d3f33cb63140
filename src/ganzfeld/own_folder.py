"""A folder that this program made: what is written or deleted in it never reaches what lies elsewhere.

Names are opened one folder after the other, without following links, from the folder itself. While it is
held, it is also known again: whoever deletes, moves or replaces it is noticed at the next write. The folder
itself may be reached through links; that is for whoever names it to decide.
"""

import contextlib
import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ganzfeld.durable import final_name, refused
from ganzfeld.errors import DamagedError, ResourceError
from ganzfeld.strict_json import indented_json

_HANDLES = {os.open, os.stat, os.mkdir, os.rename, os.unlink} <= os.supports_dir_fd
"""Whether names can be opened relative to a folder that is open (POSIX). Elsewhere their paths are looked at
before they are used, which leaves a moment in which a link could take their place."""

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NOT_WAITING = getattr(os, "O_NONBLOCK", 0)

Identity = tuple[int, int]
"""Device and inode."""


class LostFolder(ResourceError):
    """A folder that was held is gone, or is at ``now_at`` (exit code 6)."""

    def __init__(self, message: str, now_at: Path | None, hint: str = "") -> None:
        super().__init__(message, hint)
        self.now_at = now_at


class OwnFolder:
    """A folder with what is in it, by name; ``folder / "name"`` is a folder in it, made when it is needed.

    All methods raise ``DamagedError`` for a link, ``ResourceError`` for another thing that is in the way and
    for what the system refuses, and ``LostFolder`` once a held folder is lost.
    """

    def __init__(self, path: Path, *, mark: str | None = None) -> None:
        """``mark`` names the file without which the folder is not itself; it may come later."""
        self._root, self._inside = _Root(path, mark), ()

    def __truediv__(self, name: str) -> "OwnFolder":
        inner = OwnFolder.__new__(OwnFolder)
        inner._root, inner._inside = self._root, (*self._inside, name)
        return inner

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._root.path.joinpath(*self._inside)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Know it again while the block runs."""
        with self._root.held():
            yield

    def require(self) -> None:
        """Raise ``LostFolder`` if it is held and lost."""
        self._root.require()

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a whole file: a reader sees the old one or the new one, never a part."""
        self.write_pieces(name, [content])

    def write_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        """The same with a content that is too large to be in memory at once."""
        with self._told(name), self._made() as place:
            place.require_regular(name)
            part = f".{name}.{secrets.token_hex(4)}.part"
            try:
                with os.fdopen(place.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                    file.writelines(pieces)
                    file.flush()
                    os.fsync(file.fileno())
                self.require()
                place.rename(part, name)
            except BaseException:
                with contextlib.suppress(OSError):
                    place.unlink(part)
                raise
            place.flush()
        if not self._inside:
            self._root.has_written(name)

    def write_json(self, name: str, value: Any) -> None:
        """Write ``value`` as indented JSON; see ``write_bytes``."""
        self.write_bytes(name, indented_json(value))

    def appending(self, name: str) -> TextIO:
        """Open a text file to write at its end."""
        with self._told(name), self._made() as place:
            place.require_regular(name)
            handle = place.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NOT_WAITING)
            return os.fdopen(handle, "a", encoding="utf-8")

    def is_still(self, name: str, file: TextIO) -> bool:
        """Whether a file that was opened is the one of that name."""
        with self._told(name), self._there() as place:
            found = place.stat(name) if place else None
            return found is not None and os.path.samestat(found, os.fstat(file.fileno()))

    def remove(self, name: str) -> None:
        """Delete a file; nothing happens if it is not there."""
        with self._told(name), self._there() as place:
            if place and place.require_regular(name):
                place.unlink(name)

    def unfinished(self, is_written: Callable[[str], bool]) -> list[str]:
        """Names of temporary files that ``write_bytes`` could not remove, since its process was killed.

        ``is_written`` says of a name whether a file of that name is written here; others are the user's.
        """
        found = [path.name for path in self.path.glob(".*.part")]
        return [name for name in found if is_written(final_name(name) or "")]

    def remove_unfinished(self, is_written: Callable[[str], bool]) -> None:
        """Delete them. Only for the one writer of the folder."""
        for name in self.unfinished(is_written):
            self.remove(name)

    def require_no_links(self, names: Callable[[str], bool] = lambda name: True) -> None:
        """Raise ``DamagedError`` if something in it, among what ``names`` says yes to, is a link."""
        with self._told(), self._there() as place:
            for name in sorted(filter(names, place.names() if place else [])):
                found = place.stat(name) if place else None
                if found is not None and _is_link(found):
                    raise _link(self.path / name)

    def _told(self, *name: str) -> contextlib.AbstractContextManager[None]:
        return self._root.told(self.path.joinpath(*name))

    @contextlib.contextmanager
    def _there(self) -> Iterator["_Place | None"]:
        """The folder, opened from its root on; None where one in the root is missing, or is none."""
        with self._root.opened() as place, contextlib.ExitStack() as opened:
            for name in self._inside:
                found = place.stat(name)
                if found is None or not (stat.S_ISDIR(found.st_mode) or _is_link(found)):
                    yield None
                    return
                place = opened.enter_context(place.inner(name))
            yield place

    @contextlib.contextmanager
    def _made(self) -> Iterator["_Place"]:
        """The folder, opened from its root on; folders in the root are made where they are missing."""
        with self._root.opened() as place, contextlib.ExitStack() as opened:
            for name in self._inside:
                place.make(name)
                place = opened.enter_context(place.inner(name))
            yield place


class _Root:
    """The outermost folder: where it was named, and while it is held its handle and its identity."""

    def __init__(self, path: Path, mark: str | None) -> None:
        self.path, self._mark = path, mark
        self._place: _Place | None = None
        self._identity: Identity | None = None
        self._marked = False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        if self._identity is not None:  # by an outer block
            yield
            return
        with self.told(self.path), self.opened() as place:
            # The open handle keeps the system from giving the inode of a deleted folder to another one.
            found = os.fstat(place.handle) if place.handle is not None else self.path.stat()
            self._place, self._identity = place, (found.st_dev, found.st_ino)
            self._marked = self._mark is not None and place.stat(self._mark) is not None
            try:
                yield
            finally:
                self._place = self._identity = None

    @contextlib.contextmanager
    def opened(self) -> Iterator["_Place"]:
        if self._place is not None:
            self.require()
            yield self._place
            return
        if not _HANDLES:
            yield _Place(self.path, None)
            return
        handle = os.open(self.path, _FOLDER)
        try:
            yield _Place(self.path, handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def told(self, path: Path) -> Iterator[None]:
        """What the system refuses, in words. It may do so because the folder is lost, or for a new link."""
        try:
            yield
        except OSError as error:
            self.require()
            if error.errno == errno.ELOOP:
                raise _link(path) from None
            raise refused(error, path) from error

    def has_written(self, name: str) -> None:
        self._marked = self._marked or name == self._mark

    def require(self) -> None:
        if self._identity is None or self._place is None:
            return
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise self._lost("was deleted") from None
        except OSError as error:
            raise refused(error, self.path) from error
        if (found.st_dev, found.st_ino) != self._identity:
            raise self._lost("was replaced by another one")
        if self._marked and self._mark is not None and self._place.stat(self._mark) is None:
            raise LostFolder(f"{self._mark} in {self.path} was deleted while the folder was in use", None)

    def _lost(self, what: str) -> LostFolder:
        now_at = self._whereabouts()
        if now_at is not None:
            there = what == "was deleted"
            what = f"was moved to {now_at}" + ("" if there else ", and another folder has taken its place,")
        return LostFolder(f"{self.path} {what} while it was in use", now_at)

    def _whereabouts(self) -> Path | None:
        """Where the folder is now, as far as the system says."""
        if self._place is None or self._place.handle is None:
            return None
        with contextlib.suppress(OSError, ValueError):
            found = Path(_path_of(self._place.handle))
            now = found.stat()
            if (now.st_dev, now.st_ino) == self._identity:
                return found
        return None


def _path_of(handle: int) -> str:
    """The path of an open folder, from Linux or from macOS."""
    import fcntl

    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(handle, fcntl.F_GETPATH, b"\0" * 1024).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115


@dataclass(frozen=True)
class _Place:
    """An open folder. What is asked of it raises ``OSError`` as the system does."""

    path: Path
    handle: int | None

    def _at(self, name: str) -> str | Path:
        return self.path / name if self.handle is None else name

    def names(self) -> list[str]:
        return os.listdir(self.path if self.handle is None else self.handle)  # noqa: PTH208  a handle

    def stat(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(self._at(name), dir_fd=self.handle, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def require_regular(self, name: str) -> bool:
        """Whether there is a file of that name; raise for a link, or another thing that is no file."""
        found = self.stat(name)
        if found is None:
            return False
        if _is_link(found):
            raise _link(self.path / name)
        if not stat.S_ISREG(found.st_mode):
            raise ResourceError(
                f"{self.path / name} is not a regular file, and a file of ours should be there", "Remove it."
            )
        return True

    def open(self, name: str, flags: int) -> int:
        return os.open(self._at(name), flags | _NO_LINKS, 0o666, dir_fd=self.handle)

    def rename(self, old: str, new: str) -> None:
        rename = os.rename if self.handle is not None else os.replace
        rename(self._at(old), self._at(new), src_dir_fd=self.handle, dst_dir_fd=self.handle)

    def unlink(self, name: str) -> None:
        os.unlink(self._at(name), dir_fd=self.handle)

    def flush(self) -> None:
        """Make renames survive a power cut, where the system lets a folder be opened."""
        if self.handle is not None:
            os.fsync(self.handle)

    def make(self, name: str) -> None:
        """A folder in this one, if there is nothing of that name."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._at(name), dir_fd=self.handle)

    @contextlib.contextmanager
    def inner(self, name: str) -> Iterator["_Place"]:
        """A folder in this one."""
        path, found = self.path / name, self.stat(name)
        if found is not None and _is_link(found):
            raise _link(path)
        if found is not None and not stat.S_ISDIR(found.st_mode):
            raise ResourceError(f"{path} is a file, and a folder of ours should be there", "Remove it.")
        handle = None if self.handle is None else self.open(name, _FOLDER)
        try:
            yield _Place(path, handle)
        finally:
            if handle is not None:
                os.close(handle)


def _is_link(found: os.stat_result) -> bool:
    """Whether it is a link, or the junction that Windows has for folders."""
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISLNK(found.st_mode) or getattr(found, "st_reparse_tag", 0) == junction


def _link(path: Path) -> DamagedError:
    return DamagedError(
        f"{path} is a link, and nothing of ours is written or deleted through one",
        "Put what it leads to in its place, or remove the link.",
    )
