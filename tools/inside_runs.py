"""The runs that ``inside_table.py`` measures: trained once, resumed if interrupted, and used again.

Each is trained on a number of images, not for a number of minutes, so that neither the speed of the machine
nor what else it does changes the run.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import ganzfeld as gz
from ganzfeld.errors import DataError
from ganzfeld.inversion.encoder import digest_of

FASHION = Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")
"""From the Debian package dataset-fashion-mnist."""
NUM_TRAINED = 5_000
"""The training images of one class of Fashion-MNIST; the others of the class are normal images."""


@dataclass(frozen=True)
class Kind:
    """Runs with the default recipe on some images: ``data`` names them, from a folder to write to and a seed.

    Their folders are ``name``-0 and so on. ``images`` is the number of images after which they end.
    """

    name: str
    described: str
    images: int
    size: int | None
    data: Callable[[Path, int], Path | None]


def fashion(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, 28, 28, 1) and labels (N,) of a part of Fashion-MNIST, ``train`` or ``t10k``.

    Raises ``DataError`` if it is not installed.
    """
    if not FASHION.exists():
        raise DataError(
            f"Fashion-MNIST is expected in {FASHION.parent}",
            "Install the Debian package dataset-fashion-mnist.",
        )
    pixels = gzip.decompress((FASHION.parent / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((FASHION.parent / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28, 1)
    return images, np.frombuffer(labels, np.uint8, offset=8)


def one_class(folder: Path, seed: int) -> Path:
    """Return the path of the training images of class ``seed`` modulo 10, written unless it is there."""
    path = folder / f"class-{seed % 10}.npy"
    if not path.exists():
        images, labels = fashion("train")
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, images[labels == seed % 10][:NUM_TRAINED, ..., 0])
    return path


FACES = Kind("seed", "the built-in faces", 48_000, None, lambda folder, seed: None)
ON_FASHION = Kind("fashion", "Fashion-MNIST at 32 px", 60_000, 32, lambda folder, seed: FASHION)
ON_CLASS = Kind("class", "one class of Fashion-MNIST each", 60_000, 28, one_class)
KINDS = {"features": ON_FASHION, "anomaly-fashion": ON_CLASS}
"""The kind of runs by row; all other rows are measured on faces."""


def kind_of(row: str) -> Kind:
    """Return the kind of runs that a row is measured on."""
    return KINDS.get(row, FACES)


def trained(folder: Path, kind: Kind, seed: int, images: int | None = None) -> gz.Run:
    """Return the run of a seed in ``folder``: as it is if it has ended, else resumed, else trained now."""
    place = folder.resolve() / f"{kind.name}-{seed}"
    begun = sorted(place.glob("*/run.json"), key=lambda path: path.stat().st_mtime)
    if begun:
        return gz.resume(begun[-1].parent)
    data = kind.data(folder.resolve(), seed)
    return gz.train(data, size=kind.size, images=images or kind.images, seed=seed, out=place)


def identity(run: gz.Run) -> str:
    """Return a digest of the networks of a run: figures of other networks are not its figures."""
    return f"{digest_of(run.model.generator)} {digest_of(run.discriminator)}"
