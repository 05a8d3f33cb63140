"""Features of images: the maps of a discriminator's layers, max-pooled to 4x4 cells.

Radford et al. 2015, section 5.1: the maps of all layers are max-pooled to 4x4, flattened and concatenated,
and a linear classifier on them tells how much the discriminator has learned about images.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganzfeld.catalogue import did_you_mean
from ganzfeld.data.kinds import require_images
from ganzfeld.errors import UsageError
from ganzfeld.free_memory import require_memory
from ganzfeld.inside.attributes import values_of
from ganzfeld.inside.image_sets import ImageSet, image_set
from ganzfeld.networks import Discriminator, initialise
from ganzfeld.networks.feature_maps import feature_maps, layer_names
from ganzfeld.networks.normalisations.spectral import fold
from ganzfeld.printable import counted
from ganzfeld.progress import CountCallback, counting
from ganzfeld.runs import Run, open_run
from ganzfeld.runs.discriminator import build_discriminator

CELLS = 4
"""The most cells per axis to which maps are pooled."""
RANDOM_SEED = 0xFEA7
"""The seed of the weights of a discriminator that has learned nothing."""

Extract = Callable[[np.ndarray], Tensor]
"""Maps uint8 images (B, H, W, C) to features (B, F)."""


@dataclass(frozen=True)
class Features:
    """Features of N images: ``values`` float32 (N, F), those of one layer after those of the one before.

    ``layers`` are the names of the layers, ``shapes`` (channels, height, width) of the pooled maps of each,
    and ``places`` says where each image is from. ``labels`` (N,) are the names of classes if these are known,
    empty for an image without one.
    """

    values: np.ndarray
    layers: tuple[str, ...]
    shapes: tuple[tuple[int, int, int], ...]
    places: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    source: str = ""

    def maps(self, layer: str) -> np.ndarray:
        """Return the pooled maps of a layer (N, C, H, W). Raises ``UsageError`` for an unknown one."""
        ends = [0, *accumulate(math.prod(shape) for shape in self.shapes)]
        index = self.layers.index(require_layers(self.layers, [layer])[0])
        return self.values[:, ends[index] : ends[index + 1]].reshape(-1, *self.shapes[index])

    @property
    def sentence(self) -> str:
        """What they are, in words."""
        return (
            f"{counted(self.values.shape[1], 'feature')} of {counted(len(self.values), 'image')} from"
            f" {counted(len(self.layers), 'layer')}; {self.source}"
        )

    def npz(self) -> bytes:
        """Encode them as the bytes of an ``.npz`` file: features, layers, shapes, places and labels."""
        arrays = {
            "features": self.values,
            "layers": np.array(self.layers),
            "shapes": np.array(self.shapes, np.int64),
            "places": np.array([place.encode("utf-8", "replace").decode() for place in self.places]),
        }
        if self.labels is not None:
            arrays["labels"] = np.array(self.labels)
        buffer = BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()


def features(
    run: Run | str | Path,
    images: Sequence[str | Path] = (),
    *,
    layers: Sequence[str] = (),
    labels: str | Path | None = None,
    fit: bool = False,
    progress: bool | CountCallback | None = None,
) -> Features:
    """Return the features of images that the discriminator of a run computes.

    ``images`` are files, or one folder, archive or array; without any, the images that the run was trained
    on. They have the size and the channels of the run, unless ``fit`` crops, scales and converts them.
    ``layers`` are names such as ``layer-1``, by default all; ``labels`` is a table of file names and labels,
    which are passed on. Raises ``DamagedError`` without a checkpoint, ``DataError`` for images that do not
    fit, ``UsageError`` for an unknown layer, and ``ResourceError`` if memory does not suffice.
    """
    opened, report = as_run(run), counting(progress)
    network = opened.discriminator
    chosen = require_layers(layer_names(network), layers)
    table = None if labels is None else Path(labels)
    chosen_images = image_set(opened, [Path(path) for path in images], report, labels=table, fit=fit)
    return features_of_set(opened, chosen_images, chosen, report)


def features_of_set(run: Run, images: ImageSet, layers: Sequence[str], progress: CountCallback) -> Features:
    """Return the features of a set of images; see ``features``."""
    network = run.discriminator
    shapes = pooled_shapes(network, layers)
    num_values = sum(math.prod(shape) for shape in shapes)
    require_memory(
        3 * 4 * images.num * num_values,  # the array, the archive, and its marked copy
        f"{counted(num_values, 'feature')} of {counted(images.num, 'image')}",
        "Name fewer images, or fewer layers with --layer.",
    )
    values, extract = np.empty((images.num, num_values), np.float32), extractor(network, layers)
    done = 0
    for pixels in images.batches(np.arange(images.num), progress, "computing features"):
        values[done : done + len(pixels)] = extract(pixels).numpy()
        done += len(pixels)
    labels = None
    dataset = images.dataset
    if dataset is not None and dataset.labels is not None:
        labels = tuple("" if code < 0 else dataset.class_names[code] for code in dataset.labels)
    card = run.discriminator_card
    return Features(values, tuple(layers), shapes, tuple(images.places), labels, card.sentence)


def as_run(run: Run | str | Path) -> Run:
    """Open a run folder. Raises ``UsageError`` for anything else: a model has no discriminator."""
    run = run if isinstance(run, Run) else open_run(run)
    require_images(run.recipe.kind)
    return run


def require_layers(known: Sequence[str], layers: Sequence[str]) -> tuple[str, ...]:
    """Return the chosen layers in the order of the network, by default all.

    Raises ``UsageError`` for an unknown one.
    """
    for layer in layers:
        if layer not in known:
            raise UsageError(f"unknown layer {layer!r}", did_you_mean(layer, known))
    return tuple(layer for layer in known if not layers or layer in layers)


@torch.no_grad()
def pooled_features(network: Discriminator, images: Tensor, layers: Sequence[str]) -> Tensor:
    """Return the pooled maps (B, F) of some layers for images (B, C, H, W) in [-1, 1]."""
    maps = zip(layer_names(network), feature_maps(network, images), strict=True)
    return torch.cat([pooled(layer).flatten(1) for name, layer in maps if name in layers], 1)


def pooled(maps: Tensor) -> Tensor:
    """Max-pool maps (B, C, H, W) to at most 4x4 cells."""
    height, width = maps.shape[2:]
    return functional.adaptive_max_pool2d(maps, (min(height, CELLS), min(width, CELLS)))


def pooled_shapes(network: Discriminator, layers: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """Return (channels, height, width) of the pooled maps of some layers."""
    with torch.no_grad():
        image = torch.zeros(2, network.channels, *network.plan.size)
        maps = zip(layer_names(network), feature_maps(network, image), strict=True)
        shapes = [tuple(pooled(layer).shape[1:]) for name, layer in maps if name in layers]
    return tuple((shape[0], shape[1], shape[2]) for shape in shapes)


def extractor(network: Discriminator, layers: Sequence[str]) -> Extract:
    """Return the function that computes pooled features of uint8 images."""
    return lambda pixels: pooled_features(network, values_of(pixels), layers)


def random_discriminator(run: Run, pixels: np.ndarray, seed: int = RANDOM_SEED) -> Discriminator:
    """Return a discriminator of a run's geometry with its initial weights, in eval mode.

    Normalisations over a batch take their statistics from ``pixels``, uint8 (B, H, W, C).
    """
    trained = run.discriminator
    with torch.random.fork_rng(devices=[]):  # building draws from torch's global random state
        torch.manual_seed(seed)
        network = build_discriminator(run.recipe, trained.channels, trained.num_classes)
    initialise(network, seed)
    norms = [
        module for module in network.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
    ]
    network.eval().requires_grad_(False)
    for norm in norms:
        norm.momentum = None  # torch then takes the statistics of this one batch
        norm.train()
    if norms:
        with torch.no_grad():
            feature_maps(network, values_of(pixels))
        network.eval()
    fold(network)
    return network
