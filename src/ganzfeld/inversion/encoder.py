"""The ridge encoder: a linear map from an image to a latent that gives nearly that image.

It is fitted to images that the generator made itself, so it needs no data. Its inputs are the pixels of the
image, averaged over a coarse grid, and the averaged maps of the discriminator's layers. It is kept in the
cache under the digest of both networks:

    <cache>/inversion/<key>/encoder.safetensors
"""

import contextlib
import hashlib
import json
import shutil
from dataclasses import dataclass, fields
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional

from ganzfeld.data.cache.store import cache_root, is_ours, require_no_link
from ganzfeld.durable import make_folder, write_bytes
from ganzfeld.errors import ResourceError
from ganzfeld.latent import priors
from ganzfeld.model import Model
from ganzfeld.model.sampling import chunk_size
from ganzfeld.networks import Discriminator, Generator
from ganzfeld.networks.feature_maps import feature_maps
from ganzfeld.progress import CountCallback, silent

FORMAT = 1
"""Goes up when an encoder would have other numbers, so that older ones are no longer used."""
SAMPLES = 4096
HELD_OUT = 512
"""The samples that are not fitted, on which the penalty is chosen."""
SEED = 0xD1CE_0F_5A3B
"""The seed of the samples, far from those that people type."""
PIXELS = 16
"""The most cells per axis over which pixels are averaged."""
CELLS = 2
"""The most cells per axis over which the maps of the discriminator are averaged."""
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Ridge penalties that are tried, in units of the number of samples."""
MOST_KEPT = 32
"""Encoders in the cache; of more, those not used for the longest time are removed."""

_FILE = "encoder.safetensors"


@dataclass(frozen=True)
class Encoder:
    """A fitted encoder, with the samples it was fitted to.

    - ``weight`` (F, n), ``centre`` (F,), ``scale`` (F,) and ``mean`` (n,): a latent is
      ``mean + ((features - centre) / scale) @ weight``;
    - ``latents`` (S, n), ``labels`` (S,) and ``pixels`` (S, P): the samples, whose averaged pixels show which
      of them are like an image.
    """

    weight: Tensor
    centre: Tensor
    scale: Tensor
    mean: Tensor
    latents: Tensor
    labels: Tensor
    pixels: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Map features (B, F) to latents (B, n)."""
        return self.mean + ((features - self.centre) / self.scale) @ self.weight


@torch.no_grad()
def features_of(
    images: Tensor, discriminator: Discriminator | None, labels: Tensor | None, num_classes: int
) -> Tensor:
    """Return the features (B, F) of images (B, C, H, W) of classes ``labels`` (B,)."""
    parts = [averaged(images, PIXELS).flatten(1)]
    if num_classes and labels is not None:
        parts.append(functional.one_hot(labels, num_classes).to(images))
    if discriminator is not None:
        maps = feature_maps(discriminator, images, labels)
        parts += [averaged(layer, CELLS).flatten(1) for layer in maps]
    return torch.cat(parts, 1)


def averaged(maps: Tensor, cells: int) -> Tensor:
    """Average maps (B, C, H, W) over at most ``cells`` cells per axis."""
    height, width = maps.shape[2:]
    return functional.adaptive_avg_pool2d(maps, (min(height, cells), min(width, cells)))


def encoder_of(
    model: Model,
    discriminator: Discriminator | None = None,
    progress: CountCallback = silent,
    num_samples: int = SAMPLES,
) -> Encoder:
    """Return the encoder of a model, from the cache or fitted now to ``num_samples`` images of its own.

    A cache that cannot be written is left alone.
    """
    root = cache_root() / "inversion"
    folder = root / _key(model, discriminator, num_samples)
    with contextlib.suppress(OSError, SafetensorError, TypeError):
        if not root.is_symlink() and not folder.is_symlink():
            encoder = Encoder(**safetensors.torch.load((folder / _FILE).read_bytes()))
            (folder / _FILE).touch()
            return encoder
    encoder = fitted(model, discriminator, progress, num_samples)
    with contextlib.suppress(ResourceError):
        for place in (root, folder):
            require_no_link(place)
        make_folder(folder)
        tensors = {field.name: getattr(encoder, field.name).contiguous() for field in fields(Encoder)}
        write_bytes(folder / _FILE, safetensors.torch.save(tensors))
        _prune(root)
    return encoder


@torch.no_grad()
def fitted(
    model: Model, discriminator: Discriminator | None, progress: CountCallback, num_samples: int
) -> Encoder:
    """Fit an encoder to samples of the model."""
    generator, noise = model.generator, torch.Generator().manual_seed(SEED)
    num_classes = generator.num_classes
    latents = priors.load(model.card.prior).sample(num_samples, generator.latent_size, noise)
    labels = torch.arange(num_samples) % max(1, num_classes)
    rows, pixels = [], []
    chunk = chunk_size(generator)
    for start in range(0, num_samples, chunk):
        progress(start, num_samples, "fitting the encoder")
        part = slice(start, start + chunk)
        chosen = labels[part] if num_classes else None
        images = generator(latents[part], chosen)
        rows.append(features_of(images, discriminator, chosen, num_classes))
        pixels.append(averaged(images, PIXELS).flatten(1).half())
    progress(num_samples, num_samples, "fitting the encoder")
    weight, centre, scale, mean = ridge(torch.cat(rows), latents, min(HELD_OUT, num_samples // 8))
    return Encoder(weight, centre, scale, mean, latents, labels, torch.cat(pixels))


def ridge(features: Tensor, latents: Tensor, num_held_out: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fit latents (S, n) linearly to features (S, F); return weight, centre, scale and mean (see Encoder).

    The penalty is the one of ``PENALTIES`` with the least error on the last ``num_held_out`` samples.
    """
    centre, mean = features.mean(0), latents.mean(0)
    scale = features.std(0).clamp_min(1e-6)
    inputs, outputs = ((features - centre) / scale).double(), (latents - mean).double()
    num = len(inputs) - num_held_out
    products = inputs[:num].T @ inputs[:num]
    targets = inputs[:num].T @ outputs[:num]
    eye = torch.eye(len(products), dtype=products.dtype)
    best: tuple[float, Tensor] | None = None
    for penalty in PENALTIES:
        weight = torch.linalg.solve(products + penalty * num * eye, targets)
        error = float((inputs[num:] @ weight - outputs[num:]).square().mean()) if num_held_out else penalty
        if best is None or error < best[0]:
            best = error, weight
    assert best is not None
    return best[1].float(), centre, scale, mean


def digest_of(network: Generator | Discriminator) -> str:
    """Return the SHA-256 of all tensors of a network, 64 hexadecimal digits."""
    total = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        total.update(value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _key(model: Model, discriminator: Discriminator | None, num_samples: int) -> str:
    judge = "" if discriminator is None else digest_of(discriminator)
    identity = [FORMAT, digest_of(model.generator), model.card.prior, judge, num_samples]
    return hashlib.sha256(json.dumps(identity).encode()).hexdigest()


def _prune(root: Path) -> None:
    """Remove the encoders that were not used for the longest time, beyond ``MOST_KEPT``."""
    with contextlib.suppress(OSError):
        folders = [folder for folder in root.iterdir() if is_ours(folder) and (folder / _FILE).is_file()]
        by_use = sorted(folders, key=lambda folder: (folder / _FILE).stat().st_mtime, reverse=True)
        for folder in by_use[MOST_KEPT:]:
            shutil.rmtree(folder, ignore_errors=True)
