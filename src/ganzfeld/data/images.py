"""Open datasets of images: decode them at most once, then read them from memory-mapped files."""

import json
import os
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ganzfeld.data import sources
from ganzfeld.data.axes import HINT as AXES_HINT
from ganzfeld.data.cache import store as cache
from ganzfeld.data.cache.shard_files import mapped_pixels
from ganzfeld.data.decoding.preprocessing import Preprocessing, framing
from ganzfeld.data.file_list import FileList, Names, write_listing
from ganzfeld.data.ingest.auto_range import auto_range
from ganzfeld.data.ingest.finalize import LABELS, REASONS, RECORDS
from ganzfeld.data.ingest.ingest import ingest
from ganzfeld.data.kinds import IMAGE, Kind, kind_of_data, kinds
from ganzfeld.data.labels.labelling import label_images
from ganzfeld.data.labels.table import LabelTable, open_table
from ganzfeld.data.record import RECORD
from ganzfeld.data.scales import Scale, StoredAs, scale_of, scales
from ganzfeld.data.source import Source, place_of
from ganzfeld.errors import DataError, UsageError
from ganzfeld.option_values import AUTO, as_text, frames_as_text, range_as_text, text_of_range
from ganzfeld.options import PreparationOptions
from ganzfeld.printable import counted, listed, printable
from ganzfeld.progress import CountCallback, counting
from ganzfeld.system import in_words


@dataclass(frozen=True, slots=True)
class Unusable:
    """An image that is left out: its path and the reason."""

    path: str
    reason: str


class ImageDataset:
    """A decoded dataset, memory-mapped: only the images that are read take memory.

    All files are opened at once, so they stay usable if the dataset is pruned from the cache.

    - ``name``: short and safe in file names; that of the folder or file, or ``faces``.
    - ``arrays``: the memory-mapped shards in order, each (rows, *shape, channels), of the type ``dtype``.
    - ``first_rows``: the index of the first image in each shard, followed by the number of images.
    - ``listing``: all entries, usable or not. ``records``: what is known of them (see ``RECORD``).
    - ``disk_bytes``: the size of the dataset in the cache.
    """

    def __init__(self, folder: Path, manifest: cache.Manifest, path: Path, name: str) -> None:
        """Open the files of a set in the cache.

        ``name`` is the current name of the source; the set may have been made from a copy elsewhere.
        """
        self.folder, self.manifest, self._path, self.name = folder, manifest, path, name
        self.notes_now: list[str] = []
        """Notes on the source as it is now, which are not part of the manifest."""
        self.arrays = [mapped_pixels(folder, number) for number in range(len(manifest.shards))]
        self.first_rows = np.concatenate([[0], np.cumsum(manifest.shards, dtype=np.int64)])
        self.listing = FileList(folder)
        self.records = np.memmap(folder / RECORDS, RECORD, mode="r")
        self._labels = np.load(folder / LABELS, mmap_mode="r") if manifest.class_names else None
        self._reasons = np.memmap(folder / REASONS, np.uint8, mode="r")
        self.disk_bytes = cache.disk_bytes(folder)

    @property
    def num_pictures(self) -> int:
        """The number of usable images."""
        return self.manifest.num_pictures

    @property
    def size(self) -> tuple[int, ...]:
        """The size (width, height) in pixels, or (length,)."""
        return self.framing.shape[::-1]

    @property
    def stored_channels(self) -> int:
        """The number of channels in the cache; 1 (grey) or 3 (colour) for images."""
        return self.manifest.channels

    @cached_property
    def channels(self) -> int:
        """The number of channels that the networks see: those in the cache, or one per letter."""
        return self.scale.num_channels(self.stored_channels)

    @cached_property
    def kind(self) -> Kind:
        """What the data are."""
        return kind_of_data(self.framing.kind)

    @cached_property
    def scale(self) -> Scale:
        """The map between the stored values and those that networks see."""
        return scale_of(self.manifest.scale)

    @property
    def stored_as(self) -> StoredAs:
        """Scale and type of the stored values."""
        return StoredAs(self.scale, self.dtype)

    @property
    def dtype(self) -> np.dtype:
        """The type of the stored values: uint8, uint16 or float32."""
        return np.dtype(self.manifest.dtype)

    @property
    def content_hash(self) -> str:
        """The SHA-256 of all pixels in order; it does not depend on names and places."""
        return self.manifest.content_hash

    @property
    def framing(self) -> Preprocessing:
        """The settings that the images were prepared with."""
        return Preprocessing.from_json(self.manifest.framing)

    @property
    def range(self) -> str | None:
        """The stored values that became black and white, as LOW:HIGH; None means those of the format."""
        values = self.framing.range
        return text_of_range(*values) if values else None

    @property
    def credit(self) -> str:
        """The attribution that the licence of the images requires; usually empty."""
        return self.manifest.credit

    @property
    def notes(self) -> list[str]:
        """Notes for the user on how the source was read, both when it was decoded and now."""
        # The stored notes name the file that was decoded, which may have been a copy of this one.
        then, now = (printable(Path(path).name) for path in (self.manifest.seen_at[0], self._path))
        return [*(note.replace(then, now) for note in self.manifest.notes), *self.notes_now]

    @property
    def class_names(self) -> list[str]:
        """The names of the classes that ``labels`` index; empty without classes."""
        return self.manifest.class_names

    @cached_property
    def labels(self) -> np.ndarray | None:
        """The class number of every image, int64 (num_pictures,), -1 for no class; None without classes."""
        return None if self._labels is None else self._labels[self.records["row"] >= 0]

    @cached_property
    def unusable(self) -> tuple[Unusable, ...]:
        """The images that were left out, in the order of the source."""
        reasons = json.loads(self._reasons.tobytes())
        return tuple(Unusable(self.place(int(index)), reason) for index, reason in reasons.items())

    @property
    def pixel_bytes(self) -> int:
        """The size of all pixels in bytes, which the system may cache in memory."""
        return sum(array.nbytes for array in self.arrays)

    @property
    def place_of_all(self) -> str:
        """The path of the source, as the user gave it."""
        return str(self._path)

    def place(self, entry: int) -> str:
        """Return the path of the entry with this index in the listing, as the user would write it."""
        return place_of(self._path, self.listing.shown(entry))

    def batch(self, indices: np.ndarray) -> np.ndarray:
        """Return images by index as a new array (len(indices), height, width, channels), uint8.

        Other kinds of data have another shape, (len(indices), *size, stored channels), and type, ``dtype``.
        """
        gathered = np.empty((len(indices), *self.framing.shape, self.stored_channels), self.dtype)
        shards = np.searchsorted(self.first_rows, indices, side="right") - 1
        rows = indices - self.first_rows[shards]
        arrays = self.arrays
        for position, (number, row) in enumerate(zip(shards.tolist(), rows.tolist(), strict=True)):
            gathered[position] = arrays[number][row]
        return gathered


@in_words()
def open_images(
    source: str | os.PathLike[str] | None = None,
    size: int | tuple[int, ...] | str = (64, 64),
    *,
    channels: int | None = None,
    background: str = "white",
    range: str | tuple[float, float] | None = None,
    alpha: str | None = None,
    frames: str | int = "first",
    kind: str | None = None,
    axes: str | None = None,
    scale: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    max_bad: float | None = 0.5,
    progress: bool | CountCallback | None = True,
    cache_dir: str | os.PathLike[str] | None = None,
    workers: int | None = None,
) -> ImageDataset:
    """Open a folder, an archive, an array or the built-in faces (None or ``"faces"``) at one size.

    The first call decodes everything into the cache. Later calls recognise an unchanged source by its names,
    sizes and times.

    - ``size``: (width, height) in pixels, one number for a square, or "WxH".
    - ``channels``: 1, 3, or None (1 if every image stores grey, 3 otherwise).
    - ``background``: the colour that shows through transparent pixels.
    - ``range``: the stored values that become black and white: "0:4095", (0, 4095) or "auto".
    - ``alpha``: what a fourth channel is: "over" (opacity), "none" (left out), "band", or None.
    - ``frames``: which frames of a file are read: "first", "all", or how many, evenly spaced.
    - ``kind``: what the data are, an entry of ``ganzfeld.data.kinds``; None means what their format fixes.
      ``axes``: what the axes of an array mean. ``scale``: an entry of ``ganzfeld.data.scales``.
    - ``labels``: a text file (CSV) with a column of file names and a column of classes.
    - ``max_bad``: the largest share of unusable images; None returns any dataset, even an empty one.
    - ``progress``: True shows progress on stderr, False shows nothing, and a function is called as
      ``progress(done, total, what)``.
    - ``workers``: the number of processes that decode; 0 uses this process, None one per CPU core.

    Raises ``DataError`` if there are no images or more than ``max_bad`` of them are unusable,
    ``ResourceError`` if the cache cannot be written, and ``UsageError`` for an invalid setting.
    """
    share = 1.0 if max_bad is None else max_bad
    table = as_text(labels)
    options = PreparationOptions(
        channels=channels,
        background=background,
        range=range_as_text(range),
        alpha=alpha,
        frames=frames_as_text(frames),
        kind=kind,
        axes=axes,
        scale=scale,
        labels=table,
        max_bad=share,
    )
    report = _throttled(counting(progress))
    name, path = sources.find_source(source, options.frames)
    with sources.open_source(name, path) as opened:
        settings = _settings(opened, size, options)
        opened.arrange(settings)
        opened.table = _open_labels(opened, table)
        root, auto = cache.cache_root(cache_dir), options.range == AUTO
        dataset = _load(name, opened, settings, auto, root, report, workers)
    refusal = None if max_bad is None else why_refused(dataset, max_bad)
    if refusal:
        raise refusal
    return dataset


def kind_name(source: Source, asked: str | None) -> str:
    """Return the kind of the data of a source: the one asked for, or what the format fixes.

    Raises ``UsageError`` if the source cannot be read as that, or if the format leaves a choice.
    """
    where = printable(str(source.path))
    if asked is None:
        if source.LEAVES_CHOICE:
            raise UsageError(f"the format of {where} does not say what the data are", AXES_HINT)
        return source.KINDS[0]
    kind = kinds.canonical(asked)
    if kind not in source.KINDS:
        raise UsageError(
            f"{where} cannot be read as kind {kind}", f"It can be read as {listed(source.KINDS)}."
        )
    return kind


def kind_of(source: str | os.PathLike[str] | None, options: PreparationOptions) -> str:
    """Return the kind of the data at a path, without reading them.

    Raises what ``open_images`` raises for a path that cannot be opened, and for a choice that is left open.
    """
    name, path = sources.find_source(source, options.frames)
    with sources.open_source(name, path) as opened:
        return kind_name(opened, options.kind)


def _settings(
    source: Source, size: int | tuple[int, ...] | str, options: PreparationOptions
) -> Preprocessing:
    """Return the settings of a source; raise ``UsageError`` for those that do not fit its kind of data."""
    name = kind_name(source, options.kind)
    kind = kind_of_data(name)
    scale = options.scale and scales.canonical(options.scale)
    if scale and scale not in kind.SCALES:
        raise UsageError(f"the scale {scale} is not for the kind {name}", f"It takes {listed(kind.SCALES)}.")
    if options.axes and name == IMAGE:
        raise UsageError("axes are for arrays that are no images", "Say what they are: --kind map.")
    # The usual scale of images is the only one, so naming it changes nothing.
    return framing(size, replace(options, scale=None if name == IMAGE else scale), name, kind.DIMS)


def _load(
    kind: str,
    source: Source,
    settings: Preprocessing,
    auto: bool,
    root: Path,
    progress: CountCallback,
    workers: int | None,
) -> ImageDataset:
    """Return the dataset of a source, from the cache or decoded now."""
    with cache.new_folder(root) as new:
        listing = write_listing(kind_of_data(settings.kind).entries(source, settings), new)
        if not len(listing):
            endings = [ending for ending, _ in source.ignored.most_common()]
            raise DataError(
                f"no images in {printable(str(source.path))}: looked for {source.looked_for()}"
                + "".join(f"; {note}" for note in _notes_on_runs(source)),
                sources.how_to_convert(endings),
            )
        if auto:
            settings = replace(settings, range=auto_range(root, listing, kind, source, progress))
        table = source.table.sha256 if source.table else ""
        folder = root / "sets" / cache.set_key(listing, kind, source.version, settings, table)
        cache.require_no_link(folder)

        def waiting() -> None:
            progress(0, len(listing), "another process is decoding these images")

        dataset = _find_in_cache(folder, source)
        while dataset is None:
            with cache.claimed(new, folder, waiting) as is_there:
                # Another process may have finished or removed the set.
                dataset = _find_in_cache(folder, source) if is_there else None
                if is_there and dataset is None:
                    cache.mark_begun(folder, source.place)
                    listing = FileList(folder)  # the folder has moved
                    if source.table:  # before decoding, so that an invalid table wastes no time
                        source.labelling = label_images(source.table, Names(listing))
                    manifest = ingest(folder, kind, source, listing, settings, progress, workers)
                    dataset = ImageDataset(folder, manifest, source.path, source.name)
    cache.mark_used(folder, dataset.manifest, source.place)
    dataset.notes_now = _notes_on_runs(source)
    return dataset


def _notes_on_runs(source: Source) -> list[str]:
    """Return a note on run folders that were left out, since they are not data."""
    if not source.runs:
        return []
    folders = counted(len(source.runs), "run folder")
    return [f"{folders} left out, such as {printable(source.runs[0])}: a run is not data"]


def _open_labels(source: Source, path: str | None) -> LabelTable | None:
    """Open the table of labels, if there is one; raise ``UsageError`` for a source without files."""
    if path is None:
        return None
    if not source.HAS_FILES:
        hint = "The labels of an array are stored in the same file; see docs/classes.md."
        raise UsageError(f"labels are for image files with names, but {source.name} has none", hint)
    return open_table(path)


def _find_in_cache(folder: Path, source: Source) -> ImageDataset | None:
    """Return the dataset in a folder if it is complete; mark it as incomplete if its files are damaged."""
    manifest = cache.read_manifest(folder)
    if manifest is None:
        return None
    try:
        dataset = ImageDataset(folder, manifest, source.path, source.name)
        has_all_rows = [len(array) for array in dataset.arrays] == manifest.shards
        if has_all_rows and len(dataset.records) == manifest.num_entries == len(dataset.listing):
            return dataset
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    cache.drop_manifest(folder)
    return None


def why_refused(dataset: ImageDataset, max_bad: float) -> DataError | None:
    """Return an error with the first few reasons if too many images, or all, are unusable; otherwise None."""
    total, bad = dataset.manifest.num_entries, dataset.manifest.num_entries - dataset.num_pictures
    if dataset.num_pictures and bad <= max_bad * total:
        return None
    first = "; ".join(f"{printable(image.path)}: {printable(image.reason)}" for image in dataset.unusable[:3])
    hint = "`ganzfeld check` lists them all."
    if dataset.num_pictures:
        hint += " --max-bad sets the largest share that may be unusable."
    where = printable(dataset.place_of_all)
    return DataError(
        f"{bad} of {total} images in {where} are unusable ({first}{'; ...' if bad > 3 else ''})", hint
    )


def _throttled(progress: CountCallback) -> CountCallback:
    """Limit calls of ``progress`` to ten per second and the last one."""
    last = -1.0

    def throttled(done: int, total: int, what: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 0.1 or done == total:
            last = time.monotonic()
            progress(done, total, what)

    return throttled
