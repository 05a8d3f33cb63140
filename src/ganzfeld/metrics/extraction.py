"""Features of real images, cached beside the decoded dataset so that they are computed once.

    <set>/features-<digest>.npy    float32 (n, d)

The digest covers the content of the dataset, the space with its weights, and the indices of the images.
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
"""Number of images between two reports of progress."""


def some_of(num_pictures: int, num: int, seed: int = 0) -> np.ndarray:
    """Choose at most ``num`` images at random from ``seed``, and return their indices in ascending order."""
    return np.sort(np.random.default_rng(seed).permutation(num_pictures)[:num])


def real_features(
    dataset: ImageDataset, indices: np.ndarray, space: Space, progress: CountCallback = silent
) -> Tensor:
    """Return the features (len(indices), d) of these images, from the cache or computed and cached now.

    If the cache cannot be written, they are computed again the next time.
    """
    path = dataset.folder / f"features-{_digest(dataset, indices, space)}.npy"
    cached = _cached(path, (len(indices), space.num_features))
    if cached is not None:
        return cached
    features = features_of(dataset.batch(indices), space, progress, "measuring the real images")
    with contextlib.suppress(ResourceError):
        write_file(path, lambda part: _save(part, features.numpy()))
    return features


def features_of(
    dataset: np.ndarray,
    space: Space,
    progress: CountCallback = silent,
    what: str = "computing features",
) -> Tensor:
    """Return the features (N, d) of uint8 images (N, height, width, C), reporting progress."""
    parts = []
    for start in range(0, len(dataset), SLICE):
        progress(start, len(dataset), what)
        parts.append(space.features(dataset[start : start + SLICE]))
    progress(len(dataset), len(dataset), what)
    return torch.cat(parts) if parts else torch.empty(0, space.num_features)


def _digest(dataset: ImageDataset, indices: np.ndarray, space: Space) -> str:
    source = f"{dataset.content_hash} {space.name} {space.sha256} {space.size_px}"
    return hashlib.sha256(source.encode() + indices.astype("<i8").tobytes()).hexdigest()[:32]


def _cached(path: Path, shape: tuple[int, int]) -> Tensor | None:
    """Return the features that a file holds, or None if it is missing or damaged."""
    try:
        features = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    is_valid = features.shape == shape and features.dtype == np.float32 and np.isfinite(features).all()
    return torch.from_numpy(features) if is_valid else None


def _save(part: Path, features: np.ndarray) -> None:
    with part.open("wb") as file:  # given a name, NumPy would append .npy
        np.save(file, features)
