"""Determine the range ``auto``: which stored values of a dataset become black and white.

They are percentiles of the values in up to 1,000 images spread over the dataset, each without its outliers,
so that hot pixels do not count. If there are few different values (masks, class numbers), they are the least
and the greatest. The result is stored in the cache and in runs, since later readers need the same numbers.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ganzfeld.data.decoding.decode import UnusableImage, stored_values
from ganzfeld.data.decoding.extent import extent
from ganzfeld.data.file_list import FileList
from ganzfeld.data.order import evenly_spaced
from ganzfeld.data.source import EntryReader, Source
from ganzfeld.data.sources._rows import channels_last
from ganzfeld.durable import final_name, make_folder, write_bytes
from ganzfeld.errors import DataError
from ganzfeld.printable import printable
from ganzfeld.progress import CountCallback

FORMAT = 4
PERCENTILES = (0.1, 99.9)
NUM_IMAGES = 1_000
_VALUES_PER_IMAGE = 4_096
_FEW_DIFFERENT = 64
RANGES = "ranges"
_NAME = re.compile(r"[0-9a-f]{64}\.json", re.ASCII)


def auto_range(
    root: Path, listing: FileList, kind: str, source: Source, progress: CountCallback
) -> tuple[float, float]:
    """Return the values of a source that become black and white, from the cache at ``root`` or computed now.

    Raises ``DataError`` if all values are the same or none can be read.
    """
    identity = json.dumps([FORMAT, listing.digest, kind, source.version])
    path = root / RANGES / f"{hashlib.sha256(identity.encode()).hexdigest()}.json"
    try:
        low, high = json.loads(path.read_bytes())
        return float(low), float(high)
    except (OSError, ValueError, TypeError):
        low, high = _find_range(listing, source, progress)
    make_folder(path.parent)
    write_bytes(path, json.dumps([low, high]).encode())
    return low, high


def is_range(path: Path) -> bool:
    """Return whether a file has the name, final or temporary, of a stored range."""
    return _NAME.fullmatch(final_name(path.name) or path.name) is not None


def _find_range(listing: FileList, source: Source, progress: CountCallback) -> tuple[float, float]:
    where = printable(str(source.path))
    parts = list(_sample_values(listing, source, progress))
    if not parts:
        raise DataError(
            f"no values in {where} can be read to determine a range", "Give the range: --range LOW:HIGH."
        )
    values = np.concatenate(parts)
    different = np.unique(values)
    if len(different) == 1:
        raise DataError(
            f"all values in {where} are {different[0]:g}, so there is no range",
            "Give the range: --range LOW:HIGH.",
        )
    low, high = np.percentile(values, PERCENTILES).tolist()
    if len(different) <= _FEW_DIFFERENT or not low < high:
        low, high = float(different[0]), float(different[-1])
    return low, high


def _sample_values(listing: FileList, source: Source, progress: CountCallback) -> Iterator[np.ndarray]:
    """Yield a sample of the values of some images, float64, each with its ends (see ``extent.py``)."""
    chosen = evenly_spaced(len(listing), min(len(listing), NUM_IMAGES)).tolist()
    reader = EntryReader(source)
    for done, index in enumerate(chosen):
        progress(done, len(chosen), "finding the range of values")
        entry = listing[index]
        if entry.flaw:
            continue
        try:
            raw, _ = reader.read(entry)
            colours = stored_values(raw, max(entry.frame, 0)) if isinstance(raw, bytes) else _colours(raw)
        except (OSError, UnusableImage):
            continue
        values, ends = colours.ravel(), extent([(colours, None)], colours.shape[0] * colours.shape[1], 0)
        if ends is None or not np.isfinite(ends).all():
            continue
        low, high = (ends.low, ends.high) if ends.low < ends.high else (ends.least, ends.most)
        # An odd step visits all channels and columns in turn.
        step = max(1, len(values) // _VALUES_PER_IMAGE) | 1
        sample = values[::step].astype(np.float64)
        yield np.concatenate([sample[(sample >= low) & (sample <= high)], [low, high]])
    progress(len(chosen), len(chosen), "finding the range of values")


def _colours(row: np.ndarray) -> np.ndarray:
    """Return a row of an array without its fourth channel."""
    samples = channels_last(row)
    return samples if samples.ndim == 2 else samples[:, :, :3]
