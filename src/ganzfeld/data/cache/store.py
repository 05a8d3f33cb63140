"""Store decoded datasets (sets) in the cache, and identify them by a key.

    <cache>/sets/<key>/   one set: its listing, its shards, and a manifest once it is complete
    <cache>/new/          listings that are not part of a set yet
    <cache>/ranges/       the ranges determined by ``--range auto``, see ``ganzfeld.data.ingest.auto_range``
    <cache>/lab/          short runs of the lab, see ``ganzfeld.lab.live``
    <cache>/inversion/    encoders of generators, see ``ganzfeld.inversion.encoder``

The key is a digest of the listing, the preprocessing and the version of the decoding rules. Every run finds
the same images again, even if their folder was moved, and never confuses them with others.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_origin

import platformdirs

from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.file_list import FileList, is_whole
from ganzfeld.data.scales import BYTES, scale_of
from ganzfeld.durable import make_folder, refused, write_bytes
from ganzfeld.errors import ResourceError
from ganzfeld.lock import locked
from ganzfeld.regular import read_regular
from ganzfeld.strict_json import strict_json

FORMAT = 10
"""Increased when the layout of a set or any decoding rule changes; older sets are then no longer found."""

DTYPES = ("uint8", "uint16", "float32")
"""The types of stored values, by NumPy's names."""

LOCK = "lock"
"""The lock file in the folder of a set, held by the process that makes or removes the set."""
LARGEST_MANIFEST = 2**28
_KEY = re.compile("[0-9a-f]{64}")
_PREFIX = "ganzfeld-"
"""The prefix of temporary folders, which identifies those that were left behind."""

_MANIFEST = "manifest.json"
_BEGUN = "begun"


@dataclass(slots=True)
class Manifest:
    """The content of a complete set: ``shards`` holds their numbers of rows.

    ``seen_at`` holds the places where the source was seen. ``dtype`` is the type of the stored values, and
    ``scale`` holds the settings of the scale that was fitted to them (see ``ganzfeld.data.scales``).
    """

    kind: str
    name: str
    seen_at: list[str]
    framing: dict[str, Any]
    num_entries: int
    num_pictures: int
    channels: int
    shards: list[int]
    content_hash: str
    listing_digest: str
    class_names: list[str] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    label_problems: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    credit: str = ""
    version: str = ""
    decode_seconds: float = 0.0
    dtype: str = DTYPES[0]
    scale: dict[str, Any] = field(default_factory=lambda: dict(BYTES))
    format: int = FORMAT


def cache_root(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the cache: ``folder``, or else GANZFELD_CACHE, or else the system's default."""
    chosen = folder or os.environ.get("GANZFELD_CACHE")
    try:
        return (
            Path(chosen or platformdirs.user_cache_dir("ganzfeld", appauthor=False)).expanduser().absolute()
        )
    except RuntimeError:
        hint = "Set the environment variable GANZFELD_CACHE to a folder."
        raise ResourceError("there is no folder for the cache: the home folder is unknown", hint) from None


def set_key(
    listing: FileList, kind: str, version: str, framing: Preprocessing, labels_sha256: str = ""
) -> str:
    """Return the key of a set, 64 hexadecimal digits; ``labels_sha256`` is that of the table of labels."""
    identity = [FORMAT, listing.digest, kind, version, framing.as_json()]
    identity += [labels_sha256] if labels_sha256 else []
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def is_ours(folder: Path) -> bool:
    """Return whether a folder of sets or of the lab was made here: it is not a link, and its name is a key.

    If a user chooses a folder of their own as the cache, everything else in it is left alone.
    """
    return bool(_KEY.fullmatch(folder.name)) and not folder.is_symlink() and folder.is_dir()


def require_no_link(folder: Path) -> None:
    """Raise ``ResourceError`` if a folder of the cache is a link, since nothing is written through links."""
    if folder.is_symlink():
        raise ResourceError(
            f"{folder} in the cache is a link, and nothing is written through it", "Remove the link."
        )


@contextlib.contextmanager
def new_folder(root: Path) -> Iterator[Path]:
    """Make a temporary folder inside the cache, and remove it afterwards unless it was moved."""
    make_folder(root / "new")
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root / "new"))
    except OSError as problem:
        raise refused(problem, root) from problem
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _remove_stale(root / "new")


@contextlib.contextmanager
def claimed(folder: Path, set_folder: Path, waiting: Callable[[], object]) -> Iterator[bool]:
    """Make ``folder`` the folder of a set, or wait for the process that makes this set; hold its lock.

    Yields False, without a lock, if the set was pruned in the meantime; the caller then tries again. The
    folder is locked before it is moved to its place, so that no process can remove it in between.
    """
    with contextlib.ExitStack() as held:
        held.enter_context(locked(folder / LOCK, waiting))
        if _move_into_place(folder, set_folder):
            yield True
            return
    with locked_in(set_folder, waiting) as is_there:
        yield is_there


@contextlib.contextmanager
def locked_in(folder: Path, waiting: Callable[[], object]) -> Iterator[bool]:
    """Hold the lock of a folder of the cache; yield False if the folder was pruned in the meantime."""
    require_no_link(folder)
    with contextlib.ExitStack() as held:
        try:
            is_still_there = held.enter_context(locked(folder / LOCK, waiting))
        except ResourceError:
            if folder.is_dir():
                raise
            is_still_there = None
        yield is_still_there is not None and is_still_there()


def _move_into_place(folder: Path, set_folder: Path) -> bool:
    """Move a folder to the place of the set and return True; return False if the set has a folder already."""
    make_folder(set_folder.parent)
    if set_folder.is_dir() and not is_whole(set_folder):
        shutil.rmtree(set_folder, ignore_errors=True)
    try:
        folder.rename(set_folder)
    except OSError as problem:
        if problem.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) and not set_folder.is_dir():
            raise refused(problem, set_folder) from problem
        return False
    return True


def discard(root: Path, folder: Path) -> bool:
    """Remove a folder of the cache atomically and return True; the caller must hold its lock.

    Files that other processes have mapped into memory stay usable (POSIX). Returns False if the system
    refuses to move the folder.
    """
    try:
        make_folder(root / "new")
        trash = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root / "new"))
        folder.replace(trash)
    except OSError:
        return False
    shutil.rmtree(trash, ignore_errors=True)
    return True


def read_manifest(set_folder: Path) -> Manifest | None:
    """Return the manifest of a set; None if the set is incomplete or was made by another version."""
    try:
        content = strict_json(read_regular(set_folder / _MANIFEST, LARGEST_MANIFEST), undecodable=True)
        manifest = Manifest(**content)
        return manifest if manifest.format == FORMAT and _is_valid(manifest) else None
    except (OSError, ValueError, TypeError):  # a UsageError of a scale is a ValueError
        return None


def _is_valid(manifest: Manifest) -> bool:
    """Return whether all values have the right types."""
    for entry in fields(Manifest):
        value, kind = getattr(manifest, entry.name), get_origin(entry.type) or entry.type
        if type(value) is not kind and not (kind is float and type(value) is int):
            return False
    lists, counts = (manifest.seen_at, manifest.class_names, manifest.notes), manifest.shards
    return (
        all(isinstance(text, str) for texts in lists for text in texts)
        and all(type(count) is int and count >= 0 for count in (*counts, *manifest.ignored.values()))
        and min(manifest.num_entries, manifest.num_pictures) >= 0
        and (manifest.channels in (1, 3) or (manifest.channels > 0 and "kind" in manifest.framing))
        and manifest.framing.keys() >= {"width", "height"}
        and manifest.dtype in DTYPES
        and scale_of(manifest.scale) is not None
    )


def write_manifest(set_folder: Path, manifest: Manifest) -> None:
    """Write the manifest, which marks a set as complete; in ASCII, since paths may be undecodable."""
    write_bytes(set_folder / _MANIFEST, json.dumps(asdict(manifest), indent=1).encode("ascii"))


def mark_used(set_folder: Path, manifest: Manifest, path: str) -> None:
    """Record when and from which source a set was last used; ignore any failure to do so."""
    with contextlib.suppress(Exception):
        if path not in manifest.seen_at:
            manifest.seen_at.append(path)
            write_manifest(set_folder, manifest)
        if not (set_folder / _MANIFEST).is_symlink():
            os.utime(set_folder / _MANIFEST)


def mark_begun(set_folder: Path, path: str) -> None:
    """Record the source of a set that is being made, for the list of unfinished sets."""
    with contextlib.suppress(ResourceError):
        write_bytes(set_folder / _BEGUN, path.encode("utf-8", "surrogatepass"))


def begun_at(set_folder: Path) -> str:
    """Return the source that a set is being made from, or ``""``."""
    try:
        return (set_folder / _BEGUN).read_bytes().decode("utf-8", "surrogatepass")
    except (OSError, ValueError):
        return ""


def last_used(set_folder: Path) -> float:
    """Return when a set was last opened, in seconds since 1970; 0 if it no longer exists."""
    times = []
    for path in (set_folder / _MANIFEST, set_folder):
        with contextlib.suppress(FileNotFoundError):
            times.append(path.stat().st_mtime)
    return max(times, default=0.0)


def disk_bytes(folder: Path) -> int:
    """Return the total size of the files in a folder, in bytes; ignore files that are being removed."""
    total = 0
    with contextlib.suppress(FileNotFoundError):
        for file in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += file.stat().st_size
    return total


def drop_manifest(set_folder: Path) -> None:
    """Mark a set as incomplete, because one of its files is damaged; it will be decoded again."""
    with contextlib.suppress(FileNotFoundError):
        (set_folder / _MANIFEST).unlink()


def _is_temporary(folder: Path) -> bool:
    """Return whether a folder has a name that ``tempfile`` makes from the prefix."""
    return re.fullmatch(f"{_PREFIX}[a-z0-9_]{{8}}", folder.name, re.ASCII) is not None


def _remove_stale(new: Path) -> None:
    """Remove temporary folders that killed processes left more than a day ago."""
    with contextlib.suppress(OSError):
        for folder in filter(_is_temporary, new.iterdir()):
            if not folder.is_symlink() and time.time() - folder.stat().st_mtime > 86_400:
                shutil.rmtree(folder, ignore_errors=True)
