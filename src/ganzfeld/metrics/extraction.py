"""Features of real images, kept beside the decoded set so that they are found once.

    <set>/features-<digest>.npy    float32 (n, d)

The digest names the content of the set, the space with its weights, and which images.
"""

import contextlib
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganzfeld.data import ImageDataset
from ganzfeld.durable import write_file
from ganzfeld.errors import ResourceError
from ganzfeld.metrics.spaces import Space
from ganzfeld.progress import CountCallback, silent

SLICE = 50
"""Images between two reports of progress."""


def some_of(num_pictures: int, num: int, seed: int = 0) -> np.ndarray:
    """Indices, ascending, of at most ``num`` images, a random choice that the seed decides."""
    return np.sort(np.random.default_rng(seed).permutation(num_pictures)[:num])


def real_features(
    dataset: ImageDataset, indices: np.ndarray, space: Space, progress: CountCallback = silent
) -> Tensor:
    """Features (len(indices), d) of these images, from the cache or found now and put there.

    Where the cache cannot be written, they are found again the next time.
    """
    path = dataset.folder / f"features-{_digest(dataset, indices, space)}.npy"
    kept = _kept(path, (len(indices), space.num_features))
    if kept is not None:
        return kept
    found = features_of(dataset.batch(indices), space, progress, "measuring the real images")
    with contextlib.suppress(ResourceError):
        write_file(path, lambda part: _save(part, found.numpy()))
    return found


def features_of(
    dataset: np.ndarray,
    space: Space,
    progress: CountCallback = silent,
    what: str = "looking at images",
) -> Tensor:
    """Features (N, d) of uint8 images (N, height, width, C), with a report now and then."""
    parts = []
    for start in range(0, len(dataset), SLICE):
        progress(start, len(dataset), what)
        parts.append(space.features(dataset[start : start + SLICE]))
    progress(len(dataset), len(dataset), what)
    return torch.cat(parts) if parts else torch.empty(0, space.num_features)


def _digest(dataset: ImageDataset, indices: np.ndarray, space: Space) -> str:
    said = f"{dataset.content_hash} {space.name} {space.sha256} {space.size_px}"
    return hashlib.sha256(said.encode() + indices.astype("<i8").tobytes()).hexdigest()[:32]


def _kept(path: Path, shape: tuple[int, int]) -> Tensor | None:
    """What is kept in a file, if it is whole."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = found.shape == shape and found.dtype == np.float32 and np.isfinite(found).all()
    return torch.from_numpy(found) if whole else None


def _save(part: Path, found: np.ndarray) -> None:
    with part.open("wb") as file:  # by its name, NumPy would add .npy
        np.save(file, found)
