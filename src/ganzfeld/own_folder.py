"""A folder that this program made: writing and deleting in it never affects files elsewhere.

Names are opened one folder after the other, from the folder itself, without following links. While the folder
is held, the next write also detects whether it was deleted, moved or replaced. The path to the folder itself
may contain links, as its user decides.
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
"""Whether names can be opened relative to an open folder (POSIX). Elsewhere paths are checked before use,
which leaves a moment in which a link could take their place."""

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NOT_WAITING = getattr(os, "O_NONBLOCK", 0)

Identity = tuple[int, int]
"""Device and inode."""


class LostFolder(ResourceError):
    """A held folder was deleted, or moved to ``now_at`` (exit code 6)."""

    def __init__(self, message: str, now_at: Path | None, hint: str = "") -> None:
        super().__init__(message, hint)
        self.now_at = now_at


class OwnFolder:
    """A folder and its files, by name; ``folder / "name"`` is a subfolder, made when something is written.

    All methods raise ``DamagedError`` for a link, ``ResourceError`` if something else is in the way or the
    system refuses, and ``LostFolder`` once a held folder was deleted, moved or replaced.
    """

    def __init__(self, path: Path, *, mark: str | None = None) -> None:
        """Name a folder. ``mark`` is a file that identifies it; the file may be written later."""
        self._root, self._inside = _Root(path, mark), ()

    def __truediv__(self, name: str) -> "OwnFolder":
        inner = OwnFolder.__new__(OwnFolder)
        inner._root, inner._inside = self._root, (*self._inside, name)
        return inner

    @property
    def path(self) -> Path:
        """The path of the folder."""
        return self._root.path.joinpath(*self._inside)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder while the block runs: notice if it is deleted, moved or replaced."""
        with self._root.held():
            yield

    def require(self) -> None:
        """Raise ``LostFolder`` if the folder is held and was deleted, moved or replaced."""
        self._root.require()

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file atomically: a reader sees the old one or the new one, never a part."""
        self.write_pieces(name, [content])

    def write_pieces(self, name: str, pieces: Iterable[bytes]) -> None:
        """Write a file atomically, in pieces: for content that is too large for memory."""
        with self._wording(name), self._made() as folder:
            folder.require_regular(name)
            part = f".{name}.{secrets.token_hex(4)}.part"
            try:
                with os.fdopen(folder.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
                    file.writelines(pieces)
                    file.flush()
                    os.fsync(file.fileno())
                self.require()
                folder.rename(part, name)
            except BaseException:
                with contextlib.suppress(OSError):
                    folder.unlink(part)
                raise
            folder.flush()
        if not self._inside:
            self._root.has_written(name)

    def write_json(self, name: str, value: Any) -> None:
        """Write ``value`` as indented JSON; see ``write_bytes``."""
        self.write_bytes(name, indented_json(value))

    def appending(self, name: str) -> TextIO:
        """Open a text file for appending."""
        with self._wording(name), self._made() as folder:
            folder.require_regular(name)
            handle = folder.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NOT_WAITING)
            return os.fdopen(handle, "a", encoding="utf-8")

    def is_still(self, name: str, file: TextIO) -> bool:
        """Check whether an open file is still the file of that name."""
        with self._wording(name), self._existing() as folder:
            status = folder.stat(name) if folder else None
            return status is not None and os.path.samestat(status, os.fstat(file.fileno()))

    def remove(self, name: str) -> None:
        """Delete a file; do nothing if it does not exist."""
        with self._wording(name), self._existing() as folder:
            if folder and folder.require_regular(name):
                folder.unlink(name)

    def unfinished(self, is_written: Callable[[str], bool]) -> list[str]:
        """Return the names of the temporary files that remain from writers that were killed.

        ``is_written`` tells whether this program writes files of a given final name here; others belong to
        the user.
        """
        names = [path.name for path in self.path.glob(".*.part")]
        return [name for name in names if is_written(final_name(name) or "")]

    def remove_unfinished(self, is_written: Callable[[str], bool]) -> None:
        """Delete the ``unfinished`` files. Only the single writer of the folder may call this."""
        for name in self.unfinished(is_written):
            self.remove(name)

    def require_no_links(self, names: Callable[[str], bool] = lambda name: True) -> None:
        """Raise ``DamagedError`` if an entry whose name ``names`` accepts is a link."""
        with self._wording(), self._existing() as folder:
            for name in sorted(filter(names, folder.names() if folder else [])):
                status = folder.stat(name) if folder else None
                if status is not None and _is_link(status):
                    raise _link_error(self.path / name)

    def _wording(self, *name: str) -> contextlib.AbstractContextManager[None]:
        return self._root.wording(self.path.joinpath(*name))

    @contextlib.contextmanager
    def _existing(self) -> Iterator["_OpenFolder | None"]:
        """Open the folder, starting from its root; yield None if a folder on the way does not exist."""
        with self._root.opened() as folder, contextlib.ExitStack() as opened:
            for name in self._inside:
                status = folder.stat(name)
                if status is None or not (stat.S_ISDIR(status.st_mode) or _is_link(status)):
                    yield None
                    return
                folder = opened.enter_context(folder.inner(name))
            yield folder

    @contextlib.contextmanager
    def _made(self) -> Iterator["_OpenFolder"]:
        """Open the folder, starting from its root, and make the folders that are missing."""
        with self._root.opened() as folder, contextlib.ExitStack() as opened:
            for name in self._inside:
                folder.make(name)
                folder = opened.enter_context(folder.inner(name))
            yield folder


class _Root:
    """The outermost folder: its path and, while it is held, its handle and its identity."""

    def __init__(self, path: Path, mark: str | None) -> None:
        self.path, self._mark = path, mark
        self._open_folder: _OpenFolder | None = None
        self._identity: Identity | None = None
        self._marked = False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        if self._identity is not None:  # by an outer block
            yield
            return
        with self.wording(self.path), self.opened() as folder:
            # While the handle is open, the system does not give the inode of a deleted folder to another one.
            status = os.fstat(folder.handle) if folder.handle is not None else self.path.stat()
            self._open_folder, self._identity = folder, (status.st_dev, status.st_ino)
            self._marked = self._mark is not None and folder.stat(self._mark) is not None
            try:
                yield
            finally:
                self._open_folder = self._identity = None

    @contextlib.contextmanager
    def opened(self) -> Iterator["_OpenFolder"]:
        if self._open_folder is not None:
            self.require()
            yield self._open_folder
            return
        if not _HANDLES:
            yield _OpenFolder(self.path, None)
            return
        handle = os.open(self.path, _FOLDER)
        try:
            yield _OpenFolder(self.path, handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def wording(self, path: Path) -> Iterator[None]:
        """Raise one of our errors in place of an ``OSError``, which may be due to a lost folder or a link."""
        try:
            yield
        except OSError as error:
            self.require()
            if error.errno == errno.ELOOP:
                raise _link_error(path) from None
            raise refused(error, path) from error

    def has_written(self, name: str) -> None:
        self._marked = self._marked or name == self._mark

    def require(self) -> None:
        if self._identity is None or self._open_folder is None:
            return
        try:
            status = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise self._lost(is_replaced=False) from None
        except OSError as error:
            raise refused(error, self.path) from error
        if (status.st_dev, status.st_ino) != self._identity:
            raise self._lost(is_replaced=True)
        if self._marked and self._mark is not None and self._open_folder.stat(self._mark) is None:
            raise LostFolder(f"{self._mark} in {self.path} was deleted while the folder was in use", None)

    def _lost(self, *, is_replaced: bool) -> LostFolder:
        now_at = self._current_path()
        if now_at is None:
            what = "was replaced by another one" if is_replaced else "was deleted"
        else:
            what = f"was moved to {now_at}"
            what += ", and another folder has taken its place," if is_replaced else ""
        return LostFolder(f"{self.path} {what} while it was in use", now_at)

    def _current_path(self) -> Path | None:
        """Return where the folder is now; None if the system does not tell."""
        if self._open_folder is None or self._open_folder.handle is None:
            return None
        with contextlib.suppress(OSError, ValueError):
            path = Path(_path_of(self._open_folder.handle))
            status = path.stat()
            if (status.st_dev, status.st_ino) == self._identity:
                return path
        return None


def _path_of(handle: int) -> str:
    """Return the path of an open folder, on Linux or macOS."""
    import fcntl

    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(handle, fcntl.F_GETPATH, b"\0" * 1024).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115


@dataclass(frozen=True)
class _OpenFolder:
    """An open folder. Its methods raise ``OSError`` as the system does."""

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
        """Check whether a file of that name exists; raise for a link or anything else but a file."""
        status = self.stat(name)
        if status is None:
            return False
        if _is_link(status):
            raise _link_error(self.path / name)
        if not stat.S_ISREG(status.st_mode):
            raise ResourceError(
                f"{self.path / name} is not a regular file, but ganzfeld writes a file there", "Remove it."
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
        """Make renames survive a power cut, on systems where a folder can be opened."""
        if self.handle is not None:
            os.fsync(self.handle)

    def make(self, name: str) -> None:
        """Make a folder in this one, unless something of that name exists."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._at(name), dir_fd=self.handle)

    @contextlib.contextmanager
    def inner(self, name: str) -> Iterator["_OpenFolder"]:
        """Open a folder in this one while the block runs."""
        path, status = self.path / name, self.stat(name)
        if status is not None and _is_link(status):
            raise _link_error(path)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise ResourceError(f"{path} is a file, but ganzfeld needs a folder there", "Remove it.")
        handle = None if self.handle is None else self.open(name, _FOLDER)
        try:
            yield _OpenFolder(path, handle)
        finally:
            if handle is not None:
                os.close(handle)


def _is_link(status: os.stat_result) -> bool:
    """Check whether a status is that of a link, or of a junction (a link to a folder on Windows)."""
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) == junction


def _link_error(path: Path) -> DamagedError:
    return DamagedError(
        f"{path} is a link, and ganzfeld writes and deletes nothing through links",
        "Replace the link by the file or folder it points to, or remove it.",
    )
