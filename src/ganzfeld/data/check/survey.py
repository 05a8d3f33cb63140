"""Survey a decoded dataset before training: counts, duplicates, unusable images and advice.

Everything is computed from the records of decoding; no file is read again.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ganzfeld.data.check.advice import Advice, advice
from ganzfeld.data.check.duplicates import Group, duplicates_of
from ganzfeld.data.check.stored_values import advice_on_values
from ganzfeld.data.images import ImageDataset, Unusable
from ganzfeld.data.kinds import IMAGE
from ganzfeld.data.source import encodable, named


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of a survey. Counts of images are ordered from most to least frequent.

    ``sizes`` holds the ten most frequent of ``num_sizes`` sizes; ``smallest``, ``median`` and ``largest`` are
    ordered by area; ``kept_pixels`` is the mean share of its pixels that the crop keeps of an image.
    """

    dataset: ImageDataset
    formats: dict[str, int]
    modes: dict[str, int]
    sizes: dict[str, int]
    num_sizes: int
    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    classes: dict[str, int]
    duplicates: list[Group]
    upscaled: int
    kept_pixels: float
    warnings: list[Advice]

    @property
    def usable(self) -> int:
        """The number of usable images."""
        return self.dataset.num_pictures

    @property
    def unusable(self) -> tuple[Unusable, ...]:
        """The images that are left out, with reasons."""
        return self.dataset.unusable

    @property
    def num_redundant(self) -> int:
        """The number of images beyond the first of each group of duplicates."""
        return sum(len(group.entries) - 1 for group in self.duplicates)

    def as_json(self) -> dict[str, Any]:
        """Return the survey as plain data; the keys are part of the contract of the command line."""
        dataset, framing = self.dataset, self.dataset.framing
        return {
            "source": encodable(dataset.place_of_all),
            "name": dataset.name,
            "kind": dataset.manifest.kind,
            "kind_of_data": framing.kind,
            "axes": framing.axes,
            "scale": dataset.manifest.scale,
            "type": dataset.dtype.name,
            "usable": self.usable,
            "unusable": [named(image.path) | {"reason": image.reason} for image in self.unusable],
            "duplicates": [self._group_as_json(group) for group in self.duplicates],
            "num_redundant": self.num_redundant,
            "size": list(dataset.size),
            "channels": dataset.channels,
            "background": "#{:02x}{:02x}{:02x}".format(*framing.background),
            "range": dataset.range,
            "alpha": framing.alpha,
            "frames": framing.frames,
            "crop": "centre",
            "kept_pixels": round(self.kept_pixels, 4),
            "upscaled": self.upscaled,
            "formats": self.formats,
            "modes": self.modes,
            "sizes": self.sizes,
            "num_sizes": self.num_sizes,
            "smallest": list(self.smallest),
            "median": list(self.median),
            "largest": list(self.largest),
            "classes": {encodable(name): count for name, count in self.classes.items()},
            "ignored": {encodable(kind): count for kind, count in dataset.manifest.ignored.items()},
            "disk_bytes": dataset.disk_bytes,
            "memory_bytes": dataset.pixel_bytes,
            "decode_seconds": round(dataset.manifest.decode_seconds, 3),
            "content_hash": dataset.content_hash,
            "notes": dataset.notes,
            "credit": dataset.credit,
            "warnings": [{"name": warning.name, "text": warning.text} for warning in self.warnings],
        }

    def _group_as_json(self, group: Group) -> dict[str, Any]:
        names = [named(self.dataset.place(entry)) for entry in group.entries]
        content = {"exact": group.exact, "paths": [name["path"] for name in names]}
        not_text = [name["path_hex"] for name in names if "path_hex" in name]
        return content | ({"paths_hex": not_text} if not_text else {})


def survey(dataset: ImageDataset) -> Survey:
    """Survey a decoded dataset."""
    records = dataset.records
    used = np.flatnonzero(records["row"] >= 0)  # single fields are read, since copying all records is costly
    widths, heights = (records[side][used].astype(np.int64) for side in ("width", "height"))
    kept, upscaled = _crop_shares(dataset, widths, heights)
    is_image = dataset.framing.kind == IMAGE
    duplicates = duplicates_of(dataset)
    order = np.argsort(widths * heights, kind="stable")
    sizes, num_sizes = _sizes(widths, heights, dataset.kind.DIMS)

    def ranked(share: float) -> tuple[int, int]:
        if not len(order):
            return 0, 0
        at = order[int(share * (len(order) - 1))]
        return int(widths[at]), int(heights[at])

    return Survey(
        dataset=dataset,
        formats=_counted(records["format"][used]),
        modes=_counted(records["mode"][used]),
        sizes=sizes,
        num_sizes=num_sizes,
        smallest=ranked(0),
        median=ranked(0.5),
        largest=ranked(1),
        classes=_classes(dataset),
        duplicates=duplicates,
        upscaled=upscaled,
        kept_pixels=float(kept.mean()) if len(kept) else 1.0,
        warnings=(
            advice(dataset, duplicates, upscaled, kept, widths / np.maximum(heights, 1))
            if is_image
            else advice_on_values(dataset, duplicates)
        ),
    )


def _crop_shares(dataset: ImageDataset, widths: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the share of its pixels that the crop keeps of each image, and how many images are enlarged."""
    if dataset.framing.kind != IMAGE:  # cut into items, never scaled
        return np.ones(len(widths)), 0
    width, height = dataset.size
    crop_widths = np.minimum(widths, np.maximum(1, np.rint(heights * width / height)))
    crop_heights = np.minimum(heights, np.maximum(1, np.rint(widths * height / width)))
    enlarged = (crop_widths < width) | (crop_heights < height)
    return crop_widths * crop_heights / np.maximum(widths * heights, 1), int(enlarged.sum())


def _classes(dataset: ImageDataset) -> dict[str, int]:
    if dataset.labels is None:
        return {}
    counts = np.bincount(dataset.labels[dataset.labels >= 0], minlength=len(dataset.class_names))
    return dict(zip(dataset.class_names, counts.tolist(), strict=True))


def _counted(names: np.ndarray) -> dict[str, int]:
    values, counts = np.unique(names, return_counts=True)
    pairs = sorted(zip(counts.tolist(), values.tolist(), strict=True), reverse=True)
    return {value.decode(): count for count, value in pairs}


def _sizes(widths: np.ndarray, heights: np.ndarray, dims: int) -> tuple[dict[str, int], int]:
    """Return the ten most frequent sizes with their counts, and the number of different sizes.

    Along one axis, a size is one number.
    """
    values, counts = np.unique(widths << 32 | heights, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:10]
    sides = [(values[at] >> 32, values[at] & 0xFFFFFFFF)[:dims] for at in most]
    names = ["x".join(map(str, size)) for size in sides]
    return dict(zip(names, counts[most].tolist(), strict=True)), len(values)
