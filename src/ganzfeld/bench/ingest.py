"""How fast pictures come in: our reader against a loader that decodes, resizes and crops each one anew.

The plain loader is what a tutorial has: a data set of files, every epoch decoded anew by two worker
processes. Ours decodes the first time, with one process a processor, and gathers from the cache afterwards.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from ganzfeld.bench.photos import make_photos
from ganzfeld.data import batch_indices, open_pictures
from ganzfeld.data.ingest import usable_processors

NUM_LOADERS = 2
PLAIN_SHARE = 8  # the plain loader is as fast on a part, and would take minutes on the whole
BATCH = 64
SIZE_PX = 64


@dataclass(frozen=True, slots=True)
class IngestFigures:
    """What ``bench_ingest`` measured; speeds are in pictures a second, medians over the rounds."""

    num_photos: int
    photo_bytes: int
    rounds: int
    workers: int
    plain_images_per_s: float
    ours_images_per_s: float
    cached_images_per_s: float
    recognised_files: int
    recognised_s: float | None

    @property
    def ratio(self) -> float:
        """How many times as many pictures a second ours decodes."""
        return self.ours_images_per_s / self.plain_images_per_s

    def as_json(self) -> dict[str, float | int | None]:
        """The keys of the contract, and the rest."""
        return {
            "plain_images_per_s": round(self.plain_images_per_s, 1),
            "ours_images_per_s": round(self.ours_images_per_s, 1),
            "ratio": round(self.ratio, 2),
            "share_of_peak": None,
            "cached_images_per_s": round(self.cached_images_per_s),
            "photos": self.num_photos,
            "photo_bytes": self.photo_bytes,
            "rounds": self.rounds,
            "workers": self.workers,
            "recognised_files": self.recognised_files,
            "recognised_s": self.recognised_s,
        }


class PlainFolder(Dataset[torch.Tensor]):
    """The files of a folder, each opened, decoded, converted, resized and cropped when it is asked for."""

    def __init__(self, folder: Path, num_photos: int, size_px: int) -> None:
        self.files, self.size_px = sorted(folder.iterdir())[:num_photos], size_px

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.files[index]) as file:
            image = file.convert("RGB")
        scale = self.size_px / min(image.size)
        image = image.resize(
            (round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR
        )
        left, top = (image.width - self.size_px) // 2, (image.height - self.size_px) // 2
        image = image.crop((left, top, left + self.size_px, top + self.size_px))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div(127.5).sub(1)


def bench_ingest(num_photos: int = 4096, rounds: int = 3, recognise: int = 0) -> IngestFigures:
    """Measures both readers in turn, ``rounds`` times, on 1600x1200 JPEG files brought to 64 px.

    ``recognise`` is the number of files of an unchanged folder that is opened again (0: not measured).
    """
    plain, ours, cached = [], [], []
    num_plain = max(num_photos // PLAIN_SHARE, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        photo_bytes = make_photos(folder, num_photos)
        for turn in range(rounds):
            plain.append(num_plain / _seconds(lambda: _plain_epoch(folder, num_plain)))
            cache = Path(name) / f"cache{turn}"
            ours.append(num_photos / _seconds(lambda cache=cache: _open(folder, cache)))
            cached.append(_cached_speed(folder, cache))
        recognised_s = _recognition(Path(name), recognise) if recognise else None
    return IngestFigures(
        num_photos=num_photos,
        photo_bytes=photo_bytes,
        rounds=rounds,
        workers=usable_processors(),
        plain_images_per_s=statistics.median(plain),
        ours_images_per_s=statistics.median(ours),
        cached_images_per_s=statistics.median(cached),
        recognised_files=recognise,
        recognised_s=recognised_s,
    )


def _plain_epoch(folder: Path, num_photos: int) -> None:
    for _ in DataLoader(
        PlainFolder(folder, num_photos, SIZE_PX), BATCH, shuffle=True, num_workers=NUM_LOADERS
    ):
        pass


def _open(folder: Path, cache: Path) -> None:
    open_pictures(folder, (SIZE_PX, SIZE_PX), cache_dir=cache)


def _cached_speed(folder: Path, cache: Path, num_batches: int = 500) -> float:
    """Pictures a second from the second epoch on: shuffled batches of uint8."""
    pictures = open_pictures(folder, (SIZE_PX, SIZE_PX), cache_dir=cache)

    def epochs() -> None:
        for number in range(num_batches):
            pictures.batch(batch_indices(pictures.num_pictures, 0, number * BATCH, BATCH))

    return num_batches * BATCH / _seconds(epochs)


def _recognition(folder: Path, num_files: int) -> float:
    """Seconds to open an unchanged folder again."""
    files = folder / "many"
    for number in range(num_files):
        place = files / f"{number // 1000:03}" / f"{number:06}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, number // 65536)).save(place)
    open_pictures(files, (8, 8), cache_dir=folder / "many cache")
    return round(_seconds(lambda: open_pictures(files, (8, 8), cache_dir=folder / "many cache")), 3)


def _seconds(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun
