"""Turn finished shards into one dataset: join the records, settle channels and classes, write a manifest."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from ganzfeld.data.cache import shard_files
from ganzfeld.data.cache.store import Manifest, write_manifest
from ganzfeld.data.classes import numbered
from ganzfeld.data.decoding.preprocessing import Preprocessing
from ganzfeld.data.file_list import FileList, Names
from ganzfeld.data.kinds import IMAGE, kind_of_data
from ganzfeld.data.record import RECORD
from ganzfeld.data.scales import BYTES, fitted_scale, settings_of, summarise
from ganzfeld.data.source import Source
from ganzfeld.durable import write_bytes, write_file
from ganzfeld.printable import counted

RECORDS, LABELS, REASONS = "records.bin", "labels.npy", "reasons.json"


def finalize(
    folder: Path,
    kind: str,
    source: Source,
    listing: FileList,
    framing: Preprocessing,
    num_shards: int,
    seconds: float,
) -> Manifest:
    """Join the records of the shards, settle channels and classes, write the manifest and return it."""
    kind_of_items = kind_of_data(framing.kind)
    shape, dtype = kind_of_items.stored_type(framing, source.facts)
    is_image = framing.kind == IMAGE
    channels = shape[-1]
    if is_image:
        channels = framing.channels or _settle_channels(folder, num_shards)
    rows = [int((shard_files.records(folder, number)["row"] >= 0).sum()) for number in range(num_shards)]
    # Of images (width, height), as it always was.
    content_hash = _content_hash(folder, num_shards, (*framing.shape[::-1], channels))
    scale = BYTES if is_image or not sum(rows) else _fit_scale(folder, num_shards, framing, source.facts)
    reasons: dict[str, str] = {}
    for number in range(num_shards):
        reasons |= json.loads(shard_files.reasons_path(folder, number).read_bytes())
    write_file(folder / RECORDS, lambda part: _join(folder, num_shards, part))
    (folder / "duplicates.json").unlink(missing_ok=True)
    write_bytes(folder / REASONS, json.dumps(reasons).encode("ascii"))
    class_names = _settle_classes(folder, source, listing)
    labelling = source.labelling
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
        notes=[*source.notes, *([labelling.note] if labelling else [])],
        label_problems=labelling.problems if labelling else source.label_problems,
        facts=source.facts,
        credit=source.credit,
        version=source.version,
        decode_seconds=seconds,
        dtype=dtype.name,
        scale=dict(scale),
    )
    for number in range(num_shards):
        shard_files.flush(shard_files.pixels_path(folder, number))
    write_manifest(folder, manifest)
    return manifest


def _fit_scale(
    folder: Path, num_shards: int, framing: Preprocessing, facts: dict[str, Any]
) -> dict[str, Any]:
    """Fit the scale that was asked for, or the usual one of the kind, to all stored values."""
    shards = (np.load(shard_files.pixels_path(folder, number), mmap_mode="r") for number in range(num_shards))
    summary = summarise(
        (shard for shard in shards if len(shard)), full=facts.get("full"), letters=facts.get("letters", "")
    )
    name = framing.scale or kind_of_data(framing.kind).SCALES[0]
    return settings_of(fitted_scale(name, summary))


def _settle_channels(folder: Path, num_shards: int) -> int:
    """Return 1 if every image stores grey, after reducing the shards to one channel; otherwise return 3."""
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
    write_file(path, lambda part: shard_files.write_pixels(part, grey, len(pixels), shape, pixels.dtype))


def _settle_classes(folder: Path, source: Source, listing: FileList) -> list[str]:
    """Write the class number of every entry and return the class names, empty if there are no classes."""
    usable = np.memmap(folder / RECORDS, RECORD, mode="r")["row"] >= 0
    names = Names(listing, usable)
    classes = source.classes(names) if source.labelling is None else source.labelling.of_usable(names)
    if classes is None:
        return []
    labels, class_names = numbered(classes)
    without = int(((labels < 0) & usable).sum())
    if without and source.labelling is None:  # the labelling from a table reports these itself
        source.label_problems.append(f"{counted(without, 'image')} without a label")
    write_file(folder / LABELS, lambda part: _save(part, labels))
    return class_names


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:  # np.save would add an extension to a path
        np.save(file, array)


def _content_hash(folder: Path, num_shards: int, shape: tuple[int, ...]) -> str:
    """Return the SHA-256 of the digests of all images in order, independent of their names and shards."""
    digest = hashlib.sha256(f"ganzfeld {shape}".encode())
    for number in range(num_shards):
        records = shard_files.records(folder, number)
        digest.update(records["pixels"][records["row"] >= 0].tobytes())
    return digest.hexdigest()


def _join(folder: Path, num_shards: int, part: Path) -> None:
    with part.open("wb") as whole:
        for number in range(num_shards):
            whole.write(shard_files.records_path(folder, number).read_bytes())
