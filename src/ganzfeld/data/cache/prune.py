"""List the content of the cache, and remove what is no longer wanted."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzfeld.data.cache import store as cache
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.ingest.auto_range import RANGES, is_range


@dataclass(frozen=True, slots=True)
class CachedSet:
    """A folder of the cache; ``manifest`` is None if unfinished, ``used_at`` in seconds since 1970."""

    folder: Path
    manifest: cache.Manifest | None
    disk_bytes: int
    used_at: float
    begun_at: str = ""
    """The source of an unfinished set."""

    def as_json(self) -> dict[str, Any]:
        """Return the set as plain data."""
        manifest = self.manifest
        return {
            "key": self.folder.name,
            "name": manifest.name if manifest else None,
            "complete": manifest is not None,
            "pictures": manifest.num_pictures if manifest else None,
            "size": list(Preprocessing.from_json(manifest.framing).shape[::-1]) if manifest else None,
            "channels": manifest.channels if manifest else None,
            "seen_at": manifest.seen_at if manifest else [self.begun_at] if self.begun_at else [],
            "disk_bytes": self.disk_bytes,
            "used_at": self.used_at,
        }


def cached_sets(root: Path) -> list[CachedSet]:
    """Return all sets of a cache, the last used first."""
    cached = []
    with contextlib.suppress(FileNotFoundError):
        for folder in filter(cache.is_ours, (root / "sets").iterdir()):
            with contextlib.suppress(OSError):  # another process may be removing it
                size = cache.disk_bytes(folder)
                manifest, used_at = cache.read_manifest(folder), cache.last_used(folder)
                cached.append(CachedSet(folder, manifest, size, used_at, cache.begun_at(folder)))
    return sorted(cached, key=lambda entry: entry.used_at, reverse=True)


def prune(root: Path, older_than_s: float | None = None, keep_bytes: int | None = None) -> list[CachedSet]:
    """Remove and return sets: old ones, unfinished ones idle for an hour, and those beyond ``keep_bytes``.

    With ``keep_bytes``, the last used sets stay as long as their total size allows. Sets that are being made
    always stay. On POSIX systems, runs that use a removed set keep the files they have open.
    """
    removed, kept_bytes, now = [], 0, time.time()
    for entry in cached_sets(root):
        idle_s = now - entry.used_at
        fits = keep_bytes is None or kept_bytes + entry.disk_bytes <= keep_bytes
        is_recent = idle_s <= (older_than_s if older_than_s is not None else float("inf"))
        if fits and is_recent and (entry.manifest or idle_s < 3600):
            kept_bytes += entry.disk_bytes
            continue
        if _remove(root, entry.folder):
            removed.append(entry)
    if older_than_s is not None:
        _prune_ranges(root, now - older_than_s)
    return removed


def _prune_ranges(root: Path, before: float) -> None:
    """Remove stored ranges that are older than a time; they are determined again when needed."""
    with contextlib.suppress(OSError):
        for path in filter(is_range, (root / RANGES).iterdir()):
            with contextlib.suppress(OSError):  # another process may be removing it
                if path.stat().st_mtime <= before:
                    path.unlink()


def _remove(root: Path, folder: Path) -> bool:
    """Remove a folder and return True; return False if it is in use or another process removed it."""
    with contextlib.suppress(_InUse), cache.locked_in(folder, _raise_in_use) as is_there:
        return is_there and cache.discard(root, folder)
    return False


@dataclass(frozen=True, slots=True)
class CachedFolder:
    """A folder of the cache that is not a set; ``used_at`` in seconds since 1970."""

    folder: Path
    disk_bytes: int
    used_at: float


def lab_runs(root: Path) -> list[CachedFolder]:
    """Return all short runs of the lab in a cache (``ganzfeld.lab.live``)."""
    return _folders(root / "lab")


def encoders(root: Path) -> list[CachedFolder]:
    """Return all encoders of generators in a cache (``ganzfeld.inversion.encoder``)."""
    return _folders(root / "inversion")


def prune_lab_runs(root: Path, older_than_s: float) -> list[CachedFolder]:
    """Remove short runs of the lab unused for ``older_than_s`` seconds, unless in use, and return them."""
    return _prune_folders(root, lab_runs(root), older_than_s)


def prune_encoders(root: Path, older_than_s: float) -> list[CachedFolder]:
    """Remove encoders unused for ``older_than_s`` seconds, and return them; they are fitted again."""
    return _prune_folders(root, encoders(root), older_than_s)


def _folders(place: Path) -> list[CachedFolder]:
    """Return the folders in a place of the cache that were made here; none if the place is a link."""
    cached = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for folder in [] if place.is_symlink() else sorted(filter(cache.is_ours, place.iterdir())):
            with contextlib.suppress(OSError):
                files = [path for path in folder.rglob("*") if path.is_file()]
                used_at = max((path.stat().st_mtime for path in files), default=folder.stat().st_mtime)
                size = sum(path.stat().st_size for path in files)
                cached.append(CachedFolder(folder, size, used_at))
    return cached


def _prune_folders(root: Path, folders: list[CachedFolder], older_than_s: float) -> list[CachedFolder]:
    now = time.time()
    idle = [entry for entry in folders if now - entry.used_at >= older_than_s]
    return [entry for entry in idle if _remove(root, entry.folder)]


class _InUse(Exception):
    """Raised for a folder that another process is making."""


def _raise_in_use() -> None:
    raise _InUse
