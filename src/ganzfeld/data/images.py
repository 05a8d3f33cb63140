"""The images that are trained on: decoded at most once, then read from memory-mapped files."""

import json
import os
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ganzfeld.data import sources
from ganzfeld.data.cache import store as cache
from ganzfeld.data.cache.shard_files import mapped_pixels
from ganzfeld.data.decoding.preprocessing import Preprocessing, framing
from ganzfeld.data.file_list import FileList, Names, write_listing
from ganzfeld.data.ingest.auto_range import auto_range
from ganzfeld.data.ingest.finalize import LABELS, REASONS, RECORDS
from ganzfeld.data.ingest.ingest import ingest
from ganzfeld.data.labels.labelling import label_images
from ganzfeld.data.labels.table import LabelTable, open_table
from ganzfeld.data.record import RECORD
from ganzfeld.data.source import Source, frames_of, place_of
from ganzfeld.errors import DataError, UsageError
from ganzfeld.option_values import AUTO, as_text, frames_as_text, range_as_text, text_of_range
from ganzfeld.options import PreparationOptions
from ganzfeld.printable import counted, printable
from ganzfeld.progress import CountCallback, counting
from ganzfeld.system import in_words


@dataclass(frozen=True, slots=True)
class Unusable:
    """An image that is left out: where it is, and why."""

    path: str
    reason: str


class ImageDataset:
    """A decoded set of images. Nothing of it is in memory but what was asked for.

    All files are opened at once, and stay usable when the set is pruned from the cache.

    ``name`` is short and safe in file names: that of the folder or file, or ``faces``.
    ``arrays`` are the memory-mapped shards, each uint8 (rows, height, width, channels), in order;
    ``first_rows[i]`` is the index of the first image of ``arrays[i]``, with the number of all images at
    its end. ``listing`` has everything that was found, usable or not, and ``records`` (see ``RECORD``) what
    is known of it. ``disk_bytes`` are those of the set in the cache.
    """

    def __init__(self, folder: Path, manifest: cache.Manifest, path: Path, name: str) -> None:
        """``name`` is that of the source as it is now; the set may have been made of a copy elsewhere."""
        self.folder, self.manifest, self._path, self.name = folder, manifest, path, name
        self.notes_now: list[str] = []
        """What a set that is known already does not say: what lies beside its images by now."""
        self.arrays = [mapped_pixels(folder, number) for number in range(len(manifest.shards))]
        self.first_rows = np.concatenate([[0], np.cumsum(manifest.shards, dtype=np.int64)])
        self.listing = FileList(folder)
        self.records = np.memmap(folder / RECORDS, RECORD, mode="r")
        self._labels = np.load(folder / LABELS, mmap_mode="r") if manifest.class_names else None
        self._reasons = np.memmap(folder / REASONS, np.uint8, mode="r")
        self.disk_bytes = cache.disk_bytes(folder)

    @property
    def num_pictures(self) -> int:
        """How many images there are to train on."""
        return self.manifest.num_pictures

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.framing.width, self.framing.height

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (colour)."""
        return self.manifest.channels

    @property
    def content_hash(self) -> str:
        """SHA-256 of what is trained on: all pixels in their order. Names and places do not count."""
        return self.manifest.content_hash

    @property
    def framing(self) -> Preprocessing:
        """The settings they were brought to size with."""
        return Preprocessing.from_json(self.manifest.framing)

    @property
    def range(self) -> str | None:
        """LOW:HIGH, the stored values that became black and white; None: those of the format."""
        values = self.framing.range
        return text_of_range(*values) if values else None

    @property
    def credit(self) -> str:
        """Whom the licence of the images asks to name wherever they are shown; usually nobody."""
        return self.manifest.credit

    @property
    def notes(self) -> list[str]:
        """What the user should know about how the source was read, when it was decoded and now."""
        # They name the file that the set was made of, which may have been a copy of this one.
        then, now = (printable(Path(each).name) for each in (self.manifest.seen_at[0], self._path))
        return [*(note.replace(then, now) for note in self.manifest.notes), *self.notes_now]

    @property
    def class_names(self) -> list[str]:
        """What the numbers in ``labels`` stand for; empty without classes."""
        return self.manifest.class_names

    @cached_property
    def labels(self) -> np.ndarray | None:
        """The class number of every image, int64 (num_pictures,), -1 for none; None without classes."""
        return None if self._labels is None else self._labels[self.records["row"] >= 0]

    @cached_property
    def unusable(self) -> tuple[Unusable, ...]:
        """What was left out, in the order of the source."""
        reasons = json.loads(self._reasons.tobytes())
        return tuple(Unusable(self.place(int(index)), reason) for index, reason in reasons.items())

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all pixels: what the system may keep in memory, and gives back when others need it."""
        return sum(array.nbytes for array in self.arrays)

    @property
    def place_of_all(self) -> str:
        """Where the source is, as the user gave it."""
        return str(self._path)

    def place(self, entry: int) -> str:
        """Where the entry with that index in the listing is, as the user would name it."""
        return place_of(self._path, self.listing.shown(entry))

    def batch(self, indices: np.ndarray) -> np.ndarray:
        """The images with these indices: a new uint8 array (len(indices), height, width, channels)."""
        width, height = self.size
        gathered = np.empty((len(indices), height, width, self.channels), np.uint8)
        shards = np.searchsorted(self.first_rows, indices, side="right") - 1
        rows = indices - self.first_rows[shards]
        arrays = self.arrays
        for position, (number, row) in enumerate(zip(shards.tolist(), rows.tolist(), strict=True)):
            gathered[position] = arrays[number][row]
        return gathered


@in_words()
def open_images(
    source: str | os.PathLike[str] | None = None,
    size: int | tuple[int, int] | str = (64, 64),
    *,
    channels: int | None = None,
    background: str = "white",
    range: str | tuple[float, float] | None = None,
    alpha: str | None = None,
    frames: str | int = "first",
    labels: str | os.PathLike[str] | None = None,
    max_bad: float | None = 0.5,
    progress: bool | CountCallback | None = True,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
) -> ImageDataset:
    """Opens a folder, an archive, an array or the built-in faces (None or ``"faces"``) at one size.

    The first time everything is decoded into the cache, by ``workers`` processes (0: this one; by default one
    a processor); from then on an unchanged source is recognised by its names, sizes and times. ``size`` is
    (width, height) in pixels, one number for a square, or "WxH"; ``channels`` 1, 3, or None: 1 if every
    image stores grey, 3 otherwise.
    ``background`` shows through transparent pixels; ``range`` says which stored values become black and white
    ("0:4095", (0, 4095), or "auto": see ``ImageDataset.range``), ``alpha`` what a fourth channel is,
    ``frames`` which of several in a file are read ("first", "all", or a number of evenly spaced ones).
    ``labels`` is a text file (CSV) with a column of file names and one of classes.
    ``progress`` shows on stderr how far it is; False shows nothing, and a function is called as
    ``progress(done, total, what)`` now and then.

    Raises ``DataError`` if there is no image at all, or more than ``max_bad`` of them are unusable (None:
    then even a set without a usable image is returned); ``ResourceError`` if the cache cannot be written;
    ``UsageError`` for a setting that cannot be meant.
    """
    share = 1.0 if max_bad is None else max_bad
    table = as_text(labels)
    options = PreparationOptions(
        channels=channels,
        background=background,
        range=range_as_text(range),
        alpha=alpha,
        frames=frames_as_text(frames),
        labels=table,
        max_bad=share,
    )
    wanted, report = framing(size, options), _paced(counting(progress))
    kind, path = sources.find_source(source, options.frames)
    with sources.open_source(kind, path) as opened:
        opened.table = _table(opened, table)
        root, auto = cache.cache_root(cache_dir), options.range == AUTO
        dataset = _decoded(kind, opened, wanted, auto, root, report, workers)
    refusal = None if max_bad is None else why_refused(dataset, max_bad)
    if refusal:
        raise refusal
    return dataset


def _decoded(
    kind: str,
    source: Source,
    wanted: Preprocessing,
    auto: bool,
    root: Path,
    progress: CountCallback,
    workers: int | None,
) -> ImageDataset:
    """The set of a source, from the cache or made now."""
    with cache.new_folder(root) as new:
        listing = write_listing(frames_of(source, wanted.frames), new)
        if not len(listing):
            endings = [ending for ending, _ in source.ignored.most_common()]
            raise DataError(
                f"no images in {printable(str(source.path))}: looked for {source.looked_for()}"
                + "".join(f"; {note}" for note in _about_runs(source)),
                sources.how_to_convert(endings),
            )
        if auto:
            wanted = replace(wanted, range=auto_range(root, listing, kind, source, progress))
        table = source.table.sha256 if source.table else ""
        folder = root / "sets" / cache.set_key(listing, kind, source.version, wanted, table)
        cache.require_no_link(folder)

        def waiting() -> None:
            progress(0, len(listing), "another process is decoding these")

        dataset = _found(folder, source)
        while dataset is None:
            with cache.claimed(new, folder, waiting) as is_there:
                # Another process may have finished it, or removed it.
                dataset = _found(folder, source) if is_there else None
                if is_there and dataset is None:
                    cache.mark_begun(folder, source.place)
                    listed = FileList(folder)
                    if source.table:  # before images are decoded: what cannot be told would be in vain
                        source.labelling = label_images(source.table, Names(listed))
                    manifest = ingest(folder, kind, source, listed, wanted, progress, workers)
                    dataset = ImageDataset(folder, manifest, source.path, source.name)
    cache.mark_used(folder, dataset.manifest, source.place)
    dataset.notes_now = _about_runs(source)
    return dataset


def _about_runs(source: Source) -> list[str]:
    """What was left out, since it is no data but what trainings made of some."""
    if not source.runs:
        return []
    folders = counted(len(source.runs), "run folder")
    return [f"{folders} left out, such as {printable(source.runs[0])}: a run is not data"]


def _table(source: Source, given: str | None) -> LabelTable | None:
    """The table of labels that is given, if there is one and the source has files that it can name."""
    if given is None:
        return None
    if not source.HAS_FILES:
        hint = "An array has its labels in the same file; see docs/classes.md."
        raise UsageError(f"labels are for image files with names, which {source.name} has not", hint)
    return open_table(given)


def _found(folder: Path, source: Source) -> ImageDataset | None:
    """The set in a folder if it is complete; if it says so and is not whole, it is made incomplete."""
    manifest = cache.read_manifest(folder)
    if manifest is None:
        return None
    try:
        dataset = ImageDataset(folder, manifest, source.path, source.name)
        whole = [len(array) for array in dataset.arrays] == manifest.shards
        if whole and len(dataset.records) == manifest.num_entries == len(dataset.listing):
            return dataset
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    cache.drop_manifest(folder)
    return None


def why_refused(dataset: ImageDataset, max_bad: float) -> DataError | None:
    """The error that names the first few reasons, if no image is usable or too large a share is not."""
    found, bad = dataset.manifest.num_entries, dataset.manifest.num_entries - dataset.num_pictures
    if dataset.num_pictures and bad <= max_bad * found:
        return None
    first = "; ".join(f"{printable(each.path)}: {printable(each.reason)}" for each in dataset.unusable[:3])
    hint = "`ganzfeld check` lists them all."
    if dataset.num_pictures:
        hint += " --max-bad sets the share that may be."
    where = printable(dataset.place_of_all)
    return DataError(
        f"{bad} of {found} images in {where} are unusable ({first}{'; ...' if bad > 3 else ''})", hint
    )


def _paced(progress: CountCallback) -> CountCallback:
    """At most ten calls a second and the last one, so that nobody need care how often they report."""
    last = -1.0

    def paced(done: int, total: int, what: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 0.1 or done == total:
            last = time.monotonic()
            progress(done, total, what)

    return paced
