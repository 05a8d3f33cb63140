"""Turns finished shards into one set: joined records, settled channels and classes, a manifest."""

import hashlib
import json
from pathlib import Path

import numpy as np

from ganzfeld.data.cache import shard_files
from ganzfeld.data.cache.store import Manifest, write_manifest
from ganzfeld.data.classes import numbered
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.file_list import FileList, Names
from ganzfeld.data.record import RECORD
from ganzfeld.data.source import Source
from ganzfeld.durable import write_bytes, write_file
from ganzfeld.printable import counted

RECORDS, LABELS, REASONS = "records.bin", "labels.npy", "reasons.json"


def seal(
    folder: Path,
    kind: str,
    source: Source,
    listing: FileList,
    framing: Preprocessing,
    num_shards: int,
    seconds: float,
) -> Manifest:
    """Puts the shards' records together, settles channels and classes, and writes the manifest."""
    channels = framing.channels or _settle_channels(folder, num_shards)
    rows = [int((shard_files.records(folder, number)["row"] >= 0).sum()) for number in range(num_shards)]
    content_hash = _content_hash(folder, num_shards, (framing.width, framing.height, channels))
    reasons: dict[str, str] = {}
    for number in range(num_shards):
        reasons |= json.loads(shard_files.reasons_path(folder, number).read_bytes())
    write_file(folder / RECORDS, lambda part: _join(folder, num_shards, part))
    (folder / "duplicates.json").unlink(missing_ok=True)
    write_bytes(folder / REASONS, json.dumps(reasons).encode("ascii"))
    class_names = _settle_classes(folder, source, listing)
    given = source.labelling
    manifest = Manifest(
        kind=kind,
        name=source.name,
        seen_at=[source.place],
        framing=framing.as_json(),
        num_entries=len(listing),
        num_pictures=sum(rows),
        channels=channels,
        shards=rows,
        content_hash=content_hash,
        listing_digest=listing.digest,
        class_names=class_names,
        ignored=dict(source.ignored),
        notes=[*source.notes, *([given.note] if given else [])],
        label_problems=given.problems if given else source.label_problems,
        facts=source.facts,
        credit=source.credit,
        version=source.version,
        decode_seconds=seconds,
    )
    for number in range(num_shards):
        shard_files.flush(shard_files.pixels_path(folder, number))
    write_manifest(folder, manifest)
    return manifest


def _settle_channels(folder: Path, num_shards: int) -> int:
    """1 if every image stores grey, and then keeps one channel of the shards; 3 otherwise."""
    for number in range(num_shards):
        records = shard_files.records(folder, number)
        if not records["grey"][records["row"] >= 0].all():
            return 3
    for number in range(num_shards):
        path = shard_files.pixels_path(folder, number)
        pixels = np.load(path, mmap_mode="r")
        if pixels.shape[3] == 3:
            _keep_one_channel(path, pixels)
    return 1


def _keep_one_channel(path: Path, pixels: np.ndarray) -> None:
    shape = (*pixels.shape[1:3], 1)
    grey = (image[:, :, :1] for image in pixels)
    write_file(path, lambda part: shard_files.write_pixels(part, grey, len(pixels), shape))


def _settle_classes(folder: Path, source: Source, listing: FileList) -> list[str]:
    """Writes the class number of every entry, if the source has classes, and returns what they are called."""
    usable = np.memmap(folder / RECORDS, RECORD, mode="r")["row"] >= 0
    names = Names(listing, usable)
    classes = source.classes(names) if source.labelling is None else source.labelling.of_usable(names)
    if classes is None:
        return []
    labels, class_names = numbered(classes)
    without = int(((labels < 0) & usable).sum())
    if without and source.labelling is None:  # a table counts them itself
        source.label_problems.append(f"{counted(without, 'image')} without a label")
    write_file(folder / LABELS, lambda part: _save(part, labels))
    return class_names


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:  # given a path, np.save would add an extension
        np.save(file, array)


def _content_hash(folder: Path, num_shards: int, shape: tuple[int, ...]) -> str:
    """SHA-256 of the digests of all images in their order, whatever their names and shards were."""
    digest = hashlib.sha256(f"ganzfeld {shape}".encode())
    for number in range(num_shards):
        records = shard_files.records(folder, number)
        digest.update(records["pixels"][records["row"] >= 0].tobytes())
    return digest.hexdigest()


def _join(folder: Path, num_shards: int, part: Path) -> None:
    with part.open("wb") as whole:
        for number in range(num_shards):
            whole.write(shard_files.records_path(folder, number).read_bytes())
