"""How fast images are read: ours against a loader that decodes, resizes and crops every image every time.

The plain loader is that of a tutorial: two worker processes decode the dataset again in every epoch. Ours
decodes the first time, with one process per core, and gathers from the cache afterwards. The limit is the
speed of as many processes that only read and decode: see ``DraftFolder``. All three start their processes
within the measured time, and every process of a loader gets the same number of whole batches.
"""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from torch.utils.data import DataLoader

from ganzfeld.bench.loaders import DraftFolder, PlainFolder, even_batches, loader
from ganzfeld.bench.photos import SLOPE, make_photos
from ganzfeld.bench.timing import seconds_of
from ganzfeld.data import batch_indices, open_images
from ganzfeld.system import num_cores

NUM_LOADERS = 2
PLAIN_SHARE = 4  # the plain loader has the same speed on a part, and would take minutes for all
CACHED_BATCH = 64
SIZE_PX = 64
OTHER_SLOPES = (2.0, 1.25)  # a third and twice the bytes of the photos that ours is measured on


@dataclass(frozen=True, slots=True)
class FileSpeeds:
    """How fast files with one amount of detail can be read, in images per second."""

    photo_bytes: int
    plain_images_per_s: float
    limit_images_per_s: float

    @property
    def ratio(self) -> float:
        """Highest possible speed of any reader on these files, over that of the plain loader."""
        return self.limit_images_per_s / self.plain_images_per_s

    def as_json(self) -> dict[str, float | int]:
        """Return plain data for JSON."""
        return {
            "photo_bytes": self.photo_bytes,
            "plain_images_per_s": round(self.plain_images_per_s, 1),
            "limit_images_per_s": round(self.limit_images_per_s, 1),
            "limit_ratio": round(self.ratio, 2),
        }


@dataclass(frozen=True, slots=True)
class IngestFigures:
    """The results of ``bench_ingest``; speeds are in images per second, medians over the rounds.

    The plain loader read ``num_plain`` of the photos. ``limit`` belongs to the photos that ours was measured
    on, ``others`` to photos with more and with less detail.
    """

    num_photos: int
    num_plain: int
    rounds: int
    workers: int
    ours_images_per_s: float
    cached_images_per_s: float
    limit: FileSpeeds
    others: tuple[FileSpeeds, ...]
    recognised_files: int
    recognised_s: float | None

    @property
    def ratio(self) -> float:
        """Our speed over that of the plain loader."""
        return self.ours_images_per_s / self.limit.plain_images_per_s

    @property
    def share_of_limit(self) -> float:
        """Our speed over the limit."""
        return self.ours_images_per_s / self.limit.limit_images_per_s

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON, with the keys that other programs rely on."""
        return {
            "plain_images_per_s": round(self.limit.plain_images_per_s, 1),
            "ours_images_per_s": round(self.ours_images_per_s, 1),
            "ratio": round(self.ratio, 2),
            "share_of_peak": None,
            "limit_images_per_s": round(self.limit.limit_images_per_s, 1),
            "limit_ratio": round(self.limit.ratio, 2),
            "share_of_limit": round(self.share_of_limit, 3),
            "cached_images_per_s": round(self.cached_images_per_s),
            "photos": self.num_photos,
            "plain_photos": self.num_plain,
            "photo_bytes": self.limit.photo_bytes,
            "limits": [limit.as_json() for limit in (self.limit, *self.others)],
            "rounds": self.rounds,
            "workers": self.workers,
            "recognised_files": self.recognised_files,
            "recognised_s": self.recognised_s,
        }


def bench_ingest(num_photos: int = 4096, rounds: int = 3, recognise: int = 0) -> IngestFigures:
    """Measure all readers in turn, ``rounds`` times, on 1600x1200 JPEG files resized to 64 px.

    ``recognise`` is the number of files of an unchanged folder that is opened again (0: not measured).
    """
    ours, cached = [], []
    with tempfile.TemporaryDirectory() as name:
        photos, photo_bytes = _photos(Path(name), num_photos, SLOPE)
        speeds = _Speeds(photos)
        for turn in range(rounds):
            speeds.measure()
            cache = Path(name) / f"cache{turn}"
            ours.append(num_photos / seconds_of(lambda cache=cache: _open(photos, cache)))
            cached.append(_cached_speed(photos, cache))
        others = [_limit_of(Path(name), num_photos, slope, rounds) for slope in OTHER_SLOPES]
        recognised_s = _recognition(Path(name), recognise) if recognise else None
    return IngestFigures(
        num_photos=num_photos,
        num_plain=speeds.num_plain,
        rounds=rounds,
        workers=num_cores(),
        ours_images_per_s=statistics.median(ours),
        cached_images_per_s=statistics.median(cached),
        limit=speeds.limit(photo_bytes),
        others=tuple(others),
        recognised_files=recognise,
        recognised_s=recognised_s,
    )


class _Speeds:
    """Speeds of the plain loader and of the limit on the files of a folder, once for every ``measure``."""

    def __init__(self, photos: Path) -> None:
        files = sorted(photos.iterdir())
        some, batch = even_batches(files[: max(len(files) // PLAIN_SHARE, NUM_LOADERS)], NUM_LOADERS)
        self.num_plain = len(some)
        self._plain_loader = loader(PlainFolder(some, SIZE_PX), batch, NUM_LOADERS)
        most, batch = even_batches(files, num_cores())
        self._limit_loader = loader(DraftFolder(most), batch, num_cores())
        self._plain, self._limit = [], []

    def measure(self) -> None:
        self._plain.append(_speed(self._plain_loader))
        self._limit.append(_speed(self._limit_loader))

    def limit(self, photo_bytes: int) -> FileSpeeds:
        return FileSpeeds(photo_bytes, statistics.median(self._plain), statistics.median(self._limit))


def _photos(folder: Path, number: int, slope: float) -> tuple[Path, int]:
    """Create a folder of photos; return its path and the mean size of a file in bytes."""
    photos = folder / f"photos {slope}"
    photos.mkdir()
    return photos, make_photos(photos, number, slope)


def _limit_of(folder: Path, num_photos: int, slope: float, rounds: int) -> FileSpeeds:
    photos, photo_bytes = _photos(folder, num_photos, slope)
    speeds = _Speeds(photos)
    for _ in range(rounds):
        speeds.measure()
    return speeds.limit(photo_bytes)


def _speed(loader: DataLoader) -> float:
    """Return the images per second of one epoch, from the start of its processes to their end."""

    def epoch() -> None:
        for _ in loader:
            pass

    return len(loader) * (loader.batch_size or 1) / seconds_of(epoch)


def _open(folder: Path, cache: Path) -> None:
    open_images(folder, (SIZE_PX, SIZE_PX), cache_dir=cache, progress=False)


def _cached_speed(folder: Path, cache: Path, num_batches: int = 500) -> float:
    """Return the images per second from the second epoch on, in shuffled batches of uint8."""
    dataset = open_images(folder, (SIZE_PX, SIZE_PX), cache_dir=cache, progress=False)

    def epochs() -> None:
        for number in range(num_batches):
            dataset.batch(batch_indices(dataset.num_pictures, 0, number * CACHED_BATCH, CACHED_BATCH))

    return num_batches * CACHED_BATCH / seconds_of(epochs)


def _recognition(folder: Path, num_files: int) -> float:
    """Return the seconds that it takes to open an unchanged folder again."""
    files = folder / "many"
    for number in range(num_files):
        place = files / f"{number // 1000:03}" / f"{number:06}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, number // 65536)).save(place)
    open_images(files, (8, 8), cache_dir=folder / "many cache", progress=False)
    again = seconds_of(lambda: open_images(files, (8, 8), cache_dir=folder / "many cache", progress=False))
    return round(again, 3)
