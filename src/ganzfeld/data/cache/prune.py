"""Lists what the cache holds and removes from it what is no longer wanted."""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganzfeld.data.cache import store as cache
from ganzfeld.data.ingest.auto_range import RANGES, is_range


@dataclass(frozen=True, slots=True)
class CachedSet:
    """A folder of the cache; ``manifest`` is None if unfinished, ``used_at`` in seconds since 1970."""

    folder: Path
    manifest: cache.Manifest | None
    disk_bytes: int
    used_at: float
    begun_at: str = ""
    """Where an unfinished set is read from."""

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        known = self.manifest
        return {
            "key": self.folder.name,
            "name": known.name if known else None,
            "complete": known is not None,
            "pictures": known.num_pictures if known else None,
            "size": [known.framing["width"], known.framing["height"]] if known else None,
            "channels": known.channels if known else None,
            "seen_at": known.seen_at if known else [self.begun_at] if self.begun_at else [],
            "disk_bytes": self.disk_bytes,
            "used_at": self.used_at,
        }


def cached_sets(root: Path) -> list[CachedSet]:
    """All sets of a cache, the last used first."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for folder in filter(cache.is_ours, (root / "sets").iterdir()):
            with contextlib.suppress(OSError):  # another process may be removing it
                size = cache.disk_bytes(folder)
                manifest, used_at = cache.read_manifest(folder), cache.last_used(folder)
                found.append(CachedSet(folder, manifest, size, used_at, cache.begun_at(folder)))
    return sorted(found, key=lambda each: each.used_at, reverse=True)


def prune(root: Path, older_than_s: float | None = None, keep_bytes: int | None = None) -> list[CachedSet]:
    """Removes and returns sets: unfinished ones idle for an hour, those older, those beyond ``keep_bytes``.

    With ``keep_bytes`` the last used stay as long as they fit together. Those that are being made stay. Runs
    that use a removed set on POSIX systems keep what they have open.
    """
    removed, kept_bytes, now = [], 0, time.time()
    for each in cached_sets(root):
        idle = now - each.used_at
        fits = keep_bytes is None or kept_bytes + each.disk_bytes <= keep_bytes
        fresh = idle <= (older_than_s if older_than_s is not None else float("inf"))
        if fits and fresh and (each.manifest or idle < 3600):
            kept_bytes += each.disk_bytes
            continue
        if _removed(root, each.folder):
            removed.append(each)
    if older_than_s is not None:
        _prune_ranges(root, now - older_than_s)
    return removed


def _prune_ranges(root: Path, before: float) -> None:
    """Removes the ranges that were found in images before a time; they are found again when asked for."""
    with contextlib.suppress(OSError):
        for path in filter(is_range, (root / RANGES).iterdir()):
            with contextlib.suppress(OSError):  # another process may be removing it
                if path.stat().st_mtime <= before:
                    path.unlink()


def _removed(root: Path, folder: Path) -> bool:
    """Whether a folder is removed; one that is being made, or that another process has removed, is not."""
    with contextlib.suppress(_InUse), cache.alone_in(folder, _leave) as is_there:
        return is_there and cache.discard(root, folder)
    return False


@dataclass(frozen=True, slots=True)
class KeptTraining:
    """A short training that the lab keeps in the cache (``ganzfeld.lab.live``); ``used_at`` as of a set."""

    folder: Path
    disk_bytes: int
    used_at: float


def kept_trainings(root: Path) -> list[KeptTraining]:
    """All short trainings of a cache."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for folder in sorted(filter(cache.is_ours, (root / "lab").iterdir())):
            with contextlib.suppress(OSError):
                files = [path for path in folder.rglob("*") if path.is_file()]
                used_at = max((path.stat().st_mtime for path in files), default=folder.stat().st_mtime)
                found.append(KeptTraining(folder, sum(path.stat().st_size for path in files), used_at))
    return found


def prune_trainings(root: Path, older_than_s: float) -> list[KeptTraining]:
    """Removes and returns short trainings that were not used for so long, but none that is being made."""
    removed = []
    for each in kept_trainings(root):
        if time.time() - each.used_at < older_than_s:
            continue
        if _removed(root, each.folder):
            removed.append(each)
    return removed


class _InUse(Exception):
    """Somebody makes it at this moment."""


def _leave() -> None:
    raise _InUse
