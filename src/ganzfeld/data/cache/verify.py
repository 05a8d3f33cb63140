"""Compare the files of a source, by their digests, with the files that were decoded.

Otherwise, a source counts as unchanged if names, sizes and times are the same, which misses a flipped bit.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzfeld.data import sources
from ganzfeld.data.cache import store as cache
from ganzfeld.data.decoding.decode import UnusableImage
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.file_list import FileList
from ganzfeld.data.images import Unusable
from ganzfeld.data.ingest.finalize import RECORDS
from ganzfeld.data.kinds import kind_of_data
from ganzfeld.data.record import RECORD
from ganzfeld.data.source import Entry, EntryReader, Source, place_of
from ganzfeld.progress import CountCallback, counting


@dataclass(frozen=True, slots=True)
class Verification:
    """How a source differs from the last set decoded from it; ``against`` is None if there is none."""

    against: Path | None
    num_read: int
    changed: tuple[Unusable, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]


def verify(
    data: str | os.PathLike[str] | None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: bool | CountCallback | None = True,
) -> Verification:
    """Read and hash every file of a source again and compare; raise ``DataError`` if there is no source."""
    kind, path = sources.find_source(data)
    with sources.open_source(kind, path) as source:
        baseline = _last_set(cache.cache_root(cache_dir), kind, source.place)
        if baseline is None:
            return Verification(None, 0, (), (), ())
        try:
            listing, records = FileList(baseline), np.memmap(baseline / RECORDS, RECORD, mode="r")
        except FileNotFoundError:  # pruned in the meantime
            return Verification(None, 0, (), (), ())
        return _compare(source, baseline, listing, records, counting(progress))


def _last_set(root: Path, kind: str, place: str) -> Path | None:
    """Return the last used complete set that was read from a place, or None."""
    candidates = []
    if (root / "sets").is_dir():
        for folder in (root / "sets").iterdir():
            manifest = cache.read_manifest(folder)
            if manifest and manifest.kind == kind and place in manifest.seen_at:
                candidates.append((cache.last_used(folder), folder))
    return max(candidates)[1] if candidates else None


def _compare(
    source: Source, baseline: Path, listing: FileList, records: np.ndarray, progress: CountCallback
) -> Verification:
    index, reader = _NameIndex(listing), EntryReader(source)
    seen = np.zeros(len(listing), bool)
    changed, new, num_read = [], [], 0
    manifest = cache.read_manifest(baseline)
    settings = Preprocessing.from_json(manifest.framing) if manifest else Preprocessing(1, 1)
    source.arrange(settings)
    for entry in kind_of_data(settings.kind).entries(source, settings):
        at = index.find(entry.shown, seen)
        if at is None:
            new.append(place_of(source.path, entry.shown))
            continue
        seen[at] = True
        num_read += 1
        progress(num_read, len(listing), "verifying files")
        if reason := _difference(reader, entry, listing[at], records[at]):
            changed.append(Unusable(place_of(source.path, entry.shown), reason))
    missing = [place_of(source.path, listing.shown(int(at))) for at in np.flatnonzero(~seen)]
    return Verification(baseline, num_read, tuple(changed), tuple(missing), tuple(new))


def _difference(reader: EntryReader, now: Entry, then: Entry, record: np.void) -> str:
    """Return what changed in an entry, or ``""``; an entry that was never readable has no digest."""
    recorded = record["sha256"].tobytes()
    if now.flaw or not any(recorded):
        return "" if now.flaw == then.flaw else "could not be read then, or cannot be read now"
    try:
        _, digest = reader.read(now)
    except (OSError, UnusableImage) as problem:
        return f"cannot be read any more ({problem})"
    if digest == recorded:
        return ""
    is_silent = (now.size, now.mtime_ns) == (then.size, then.mtime_ns)
    return "its content changed, but not its size and time" if is_silent else "its content changed"


class _NameIndex:
    """Finds entries of a listing by name, with sixteen bytes of memory per entry."""

    def __init__(self, listing: FileList) -> None:
        self._listing = listing
        keys = np.fromiter((_key(listing.shown(at)) for at in range(len(listing))), np.uint64, len(listing))
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def find(self, name: str, seen: np.ndarray) -> int | None:
        """Return the first entry with this name not seen yet (archives may repeat names), or None."""
        at = int(np.searchsorted(self._keys, np.uint64(_key(name))))
        while at < len(self._keys) and self._keys[at] == _key(name):
            entry = int(self._order[at])
            if not seen[entry] and self._listing.shown(entry) == name:
                return entry
            at += 1
        return None


def _key(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")
