"""Measure how many altered copies `check` finds, and how many different images it takes for copies.

    python tools/repeats.py [--seed 1] [--losses] [DATA[:SIZE] ...]

Without DATA: drawn solar cells with files of 64, 128 and 256 px, faces, and the trousers and shirts of
Fashion-MNIST if the Debian package dataset-fashion-mnist is installed. The images of a DATA are assumed to be
all different. Even seeds use every other image (or other drawings) than odd ones: the constants of
``ganzfeld.data.check.same_image`` were chosen with even seeds and are tested with odd ones.

Every row of the table is a dataset. *Hash* is what counts without comparing the images further: 64 bits that
differ in at most three, and no more than 20 levels in any of 8x8 cells. ``--losses`` prints the losses of
detail instead: those of copies, and those of different images that are candidates.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from solar_cells import solar_cells

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.candidates import candidates
from ganzfeld.data.check.duplicates import find_duplicates
from ganzfeld.data.check.same_image import loss_of_detail

MOST_IMAGES = 3_000
COPIES = 25  # of each alteration
FASHION = Path("/usr/share/datasets/fashion-mnist")
SIZE = 64
_MOST_BITS, _ALIKE = 3, 20


def encoded(image: Image.Image, format: str = "PNG", **options: int) -> bytes:
    """Return the content of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def scaled(image: Image.Image, share: float) -> bytes:
    """Return an image scaled to this share of its size, as PNG."""
    width, height = (max(1, round(side * share)) for side in image.size)
    return encoded(image.resize((width, height), Image.Resampling.LANCZOS))


def brightened(image: Image.Image, factor: float) -> bytes:
    """Return an image with levels multiplied by a factor, as PNG."""
    table = [min(255, round(level * factor)) for level in range(256)]
    return encoded(image.point(table * len(image.getbands())))


def cropped(image: Image.Image, share: float) -> bytes:
    """Return an image without this share of its left and lower edge, as PNG."""
    width, height = image.size
    return encoded(image.crop((round(width * share), 0, width, height - round(height * share))))


ALTERATIONS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG 50": lambda image: encoded(image, "JPEG", quality=50),
    "JPEG 70": lambda image: encoded(image, "JPEG", quality=70),
    "JPEG 90": lambda image: encoded(image, "JPEG", quality=90),
    "50 %": lambda image: scaled(image, 0.5),
    "70 %": lambda image: scaled(image, 0.7),
    "90 %": lambda image: scaled(image, 0.9),
    "darker": lambda image: brightened(image, 0.9),
    "brighter": lambda image: brightened(image, 1.1),
    "crop 1 %": lambda image: cropped(image, 0.01),
}


def main() -> None:
    """Print one row per dataset."""
    parser = argparse.ArgumentParser(description="Copies found, and different images taken for copies.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--losses", action="store_true")
    parser.add_argument("data", nargs="*", metavar="DATA[:SIZE]")
    options = parser.parse_args()
    if options.losses:
        print("| dataset | 99 % of copies | all copies | least of different images | pairs |")
        print("|---|---|---|---|---|")
    else:
        names = " | ".join(ALTERATIONS)
        print(f"| dataset | images | hash: taken for copies | now | {names} |")
        print("|---|---|---|---|" + "---|" * len(ALTERATIONS))
    for name, images, size in _datasets(options.data, options.seed):
        with tempfile.TemporaryDirectory() as folder:
            row = (_losses if options.losses else _counts)(images, size, options.seed, Path(folder))
        print(f"| {name} | " + " | ".join(row) + " |", flush=True)


def _datasets(data: list[str], seed: int) -> Iterator[tuple[str, list[Image.Image], int]]:
    """Yield names, images of the size of their files, and the training size."""
    for text in data:
        place, _, size = text.rpartition(":") if ":" in text else (text, "", str(SIZE))
        yield text, _half(_read(Path(place)), seed), int(size)
    if data:
        return
    for side in (64, 128, 256):
        cells = solar_cells(1_500, side, 1000 * side + seed)
        yield f"solar cells, files of {side} px", _as_images(cells), SIZE
    plain = solar_cells(1_500, 128, 2000 + seed, grain=1.5, defects=False)
    yield "solar cells without defects, 128 px", _as_images(plain), SIZE
    faces = open_images("faces", 256, progress=False)
    yield "faces, files of 256 px", _half(_as_images(faces.batch(np.arange(faces.num_pictures))), seed), SIZE
    if FASHION.is_dir():
        clothes = open_images(FASHION / "train-images-idx3-ubyte.gz", 28, progress=False)
        assert clothes.labels is not None
        for label, name in ((1, "trousers"), (6, "shirts")):
            kind = clothes.batch(np.flatnonzero(clothes.labels == label))
            yield f"Fashion-MNIST, {name}", _half(_as_images(kind), seed), 32


def _read(place: Path) -> list[Image.Image]:
    """Read a folder of images, or an array (number, height, width[, channels])."""
    if place.suffix == ".npy":
        return _as_images(np.load(place))
    files = sorted(path for path in place.rglob("*") if path.is_file())
    images = [Image.open(path) for path in files]
    return [image if image.mode == "L" else image.convert("RGB") for image in images]


def _as_images(pixels: np.ndarray) -> list[Image.Image]:
    return [Image.fromarray(image.squeeze()) for image in pixels]


def _half(images: list[Image.Image], seed: int) -> list[Image.Image]:
    return images[seed % 2 :: 2][:MOST_IMAGES]


def _written(files: Iterable[bytes], folder: Path, size: int) -> ImageDataset:
    """Write files into a new folder and decode them."""
    folder.mkdir()
    for number, content in enumerate(files):
        (folder / f"{number:06}").with_suffix(".jpg" if content[:2] == b"\xff\xd8" else ".png").write_bytes(
            content
        )
    return open_images(folder, size, cache_dir=folder.parent / "cache", progress=False)


def _copied(images: list[Image.Image], seed: int) -> Iterator[tuple[int, str]]:
    """Yield which images are copied, and the alteration of each copy."""
    chosen = np.random.default_rng(seed).permutation(len(images))[: COPIES * len(ALTERATIONS)]
    names = list(ALTERATIONS)
    yield from ((int(index), names[at % len(names)]) for at, index in enumerate(chosen))


def _counts(images: list[Image.Image], size: int, seed: int, folder: Path) -> list[str]:
    """Count the different images that are taken for copies, and the copies that are found."""
    originals = _written(map(encoded, images), folder / "originals", size)
    by_hash = len(images) - len(set(_components(len(images), _alike_by_hash(originals))))
    now = sum(len(group.entries) - 1 for group in find_duplicates(originals))
    copied = list(_copied(images, seed))
    files = [*map(encoded, images), *(ALTERATIONS[name](images[index]) for index, name in copied)]
    dataset = _written(files, folder / "copies", size)
    group_of = {
        entry: number for number, group in enumerate(find_duplicates(dataset)) for entry in group.entries
    }
    pairs_by_hash = {tuple(pair) for pair in _alike_by_hash(dataset).tolist()}
    shares = []
    for alteration in ALTERATIONS:
        pairs = [(index, len(images) + at) for at, (index, name) in enumerate(copied) if name == alteration]
        before = np.mean([pair in pairs_by_hash for pair in pairs])
        found = np.mean([group_of.get(one, -1) == group_of.get(other, -2) for one, other in pairs])
        shares.append(f"{before:.0%} → {found:.0%}")
    return [f"{len(images):,}", f"{by_hash:,}", f"{now:,}", *shares]


def _losses(images: list[Image.Image], size: int, seed: int, folder: Path) -> list[str]:
    """Return the losses of copies, crops excepted, and of different images that are candidates."""
    copied = [(index, name) for index, name in _copied(images, seed) if name != "crop 1 %"]
    originals = _written(map(encoded, images), folder / "originals", size)
    copies = _written((ALTERATIONS[name](images[index]) for index, name in copied), folder / "copies", size)
    scales = [
        np.minimum(dataset.records["width"] / size, dataset.records["height"] / size)
        for dataset in (originals, copies)
    ]
    firsts = np.array([index for index, _ in copied])
    of_copies = loss_of_detail(
        originals.batch(firsts),
        copies.batch(np.arange(len(copied))),
        np.minimum(scales[0][firsts], scales[1]),
    )
    pairs = np.concatenate(candidates(originals, np.arange(originals.num_pictures)))[:5_000]
    of_pairs = [np.inf]
    for part in np.array_split(pairs, len(pairs) // 256 + 1) if len(pairs) else ():
        scale = scales[0][part].min(axis=1)
        of_pairs += loss_of_detail(originals.batch(part[:, 0]), originals.batch(part[:, 1]), scale).tolist()
    usual = np.percentile(of_copies, 99, method="lower")
    return [f"{usual:.2f}", f"{of_copies.max():.2f}", f"{min(of_pairs):.2f}", f"{len(pairs):,}"]


def _alike_by_hash(dataset: ImageDataset) -> np.ndarray:
    """Return all pairs that are alike by their hash and by the difference of 8x8 cells, int (pairs, 2)."""
    looks, pixels = dataset.records["look"], dataset.batch(np.arange(dataset.num_pictures))
    pairs = []
    for first in range(len(looks) - 1):
        near = np.flatnonzero(np.bitwise_count(looks[first + 1 :] ^ looks[first]) <= _MOST_BITS) + first + 1
        for part in np.array_split(near, len(near) // 256 + 1):
            square = ((pixels[part].astype(np.float32) - pixels[first]) ** 2).mean(axis=3)
            edges = np.arange(0, square.shape[1], -(-square.shape[1] // 8))
            sums = np.add.reduceat(np.add.reduceat(square, edges, axis=1), edges, axis=2)
            sides = np.diff([*edges, square.shape[1]])
            alike = (sums / np.outer(sides, sides)).max(axis=(1, 2), initial=0) <= _ALIKE**2
            pairs += [(first, other) for other in part[alike].tolist()]
    return np.array(pairs, int).reshape(-1, 2)


def _components(number: int, pairs: np.ndarray) -> list[int]:
    """Return a leader of the connected component of every position."""
    leaders = list(range(number))
    for pair in pairs.tolist():
        one, other = (_leader(leaders, position) for position in pair)
        leaders[max(one, other)] = min(one, other)
    return [_leader(leaders, position) for position in range(number)]


def _leader(leaders: list[int], position: int) -> int:
    while leaders[position] != position:
        leaders[position] = leaders[leaders[position]]
        position = leaders[position]
    return position


if __name__ == "__main__":
    sys.exit(main())
