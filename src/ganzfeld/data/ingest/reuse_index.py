"""Find images that earlier datasets in the cache already hold decoded, by the digest of their files.

When a folder grows, is copied or is touched, its listing changes and it becomes a new dataset, but only the
new images are decoded. The index is on disk, and every worker maps it into memory.
"""

from pathlib import Path

import numpy as np

from ganzfeld.data.cache.shard_files import mapped_pixels, records, records_path
from ganzfeld.data.cache.store import last_used, read_manifest
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.record import RECORD
from ganzfeld.data.source import Source
from ganzfeld.durable import write_file

_INDEX = "known.bin"
_ROW = np.dtype([("key", "<u8"), ("set", "u1"), ("shard", "<u2"), ("entry", "<u4")])
_MOST_SETS = 4


def find_relatives(folder: Path, kind: str, source: Source, framing: Preprocessing) -> list[Path]:
    """Return the complete sets beside ``folder`` that this source may share images with.

    They have the settings of this source and its name or place; latest used first, at most four.
    """
    relatives = []
    for other in folder.parent.iterdir():
        manifest = read_manifest(other) if other != folder else None
        if manifest and (source.place in manifest.seen_at or manifest.name == source.name):
            settings = Preprocessing.from_json(manifest.framing)
            if (manifest.kind, manifest.version, manifest.facts, settings) == (
                kind,
                source.version,
                source.facts,
                framing,
            ):
                relatives.append((last_used(other), other))
    return [other for _, other in sorted(relatives, reverse=True)[:_MOST_SETS]]


def write_index(folder: Path, relatives: list[Path]) -> None:
    """Write the index of the images in ``relatives`` into the folder of a new set."""
    parts = [_index_of(number, relative) for number, relative in enumerate(relatives)]
    index = np.concatenate(parts) if parts else np.zeros(0, _ROW)
    index = index[np.argsort(index["key"], kind="stable")]
    write_file(folder / _INDEX, lambda part: index.tofile(part))


class ReuseIndex:
    """Looks up decoded images; ``relatives`` are those passed to ``write_index``."""

    def __init__(self, folder: Path, relatives: list[Path]) -> None:
        self._relatives = relatives
        path = folder / _INDEX
        has_rows = path.exists() and path.stat().st_size > 0
        self._index = np.memmap(path, _ROW, mode="r").view(np.ndarray) if has_rows else np.zeros(0, _ROW)
        self._keys = np.ascontiguousarray(self._index["key"]) if has_rows else np.zeros(0, np.uint64)
        self._open: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def find(self, sha256: bytes) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the record and the pixels of the image whose file has this digest, or None."""
        key = np.uint64(int.from_bytes(sha256[:8], "little"))
        at = int(np.searchsorted(self._keys, key))
        if at == len(self._keys) or self._keys[at] != key:
            return None
        row = self._index[at]
        shard = self._shard(int(row["set"]), int(row["shard"]))
        if shard is None:
            return None
        record, pixels = shard[0][int(row["entry"])], shard[1]
        if record["sha256"].tobytes() != sha256:
            return None  # another file whose digest has the same first eight bytes
        return record, pixels[int(record["row"])]

    def _shard(self, number: int, shard: int) -> tuple[np.ndarray, np.ndarray] | None:
        if (number, shard) not in self._open:
            folder = self._relatives[number]
            try:
                self._open.clear()  # consecutive images are mostly in one shard, so one open shard suffices
                pixels = mapped_pixels(folder, shard)
                shard_records = np.memmap(records_path(folder, shard), RECORD, mode="r")
            except (OSError, ValueError):
                return None  # pruned in the meantime
            self._open[number, shard] = shard_records, pixels
        return self._open[number, shard]


def _index_of(number: int, relative: Path) -> np.ndarray:
    """Return the index of the usable entries of one set."""
    manifest = read_manifest(relative)
    parts = []
    for shard in range(len(manifest.shards) if manifest else 0):
        try:
            shard_records = records(relative, shard)
        except FileNotFoundError:
            break  # pruned in the meantime
        entries = np.flatnonzero(shard_records["row"] >= 0)
        part = np.zeros(len(entries), _ROW)
        part["key"] = np.ascontiguousarray(shard_records["sha256"][entries, :8]).view("<u8")[:, 0]
        part["set"], part["shard"], part["entry"] = number, shard, entries
        parts.append(part)
    return np.concatenate(parts) if parts else np.zeros(0, _ROW)
