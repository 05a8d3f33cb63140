"""What the units of a discriminator respond to: first-layer filters, strongest images, guided gradients.

Radford et al. 2015, figure 5, shows guided back-propagation (Springenberg et al. 2015) from units of the last
layer to the images that excite them the most, beside the same for random weights. The guided rule: an
activation f passes on only the positive part of the gradient, times f'(a). For ReLU that is the rule of
Springenberg et al.; for LeakyReLU, where a is negative, the positive part is multiplied by the slope.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganzfeld.errors import DataError, UsageError
from ganzfeld.inside.attributes import values_of
from ganzfeld.inside.features import as_run, random_discriminator, require_layers
from ganzfeld.inside.image_sets import BATCH, ImageSet, image_set
from ganzfeld.metrics.intervals import NORMAL_95
from ganzfeld.networks import Discriminator
from ganzfeld.networks.activations import activations
from ganzfeld.networks.feature_maps import feature_maps, layer_names
from ganzfeld.printable import counted
from ganzfeld.progress import CountCallback, counting
from ganzfeld.runs import Run
from ganzfeld.value_kinds import is_whole

NUM_STRONGEST = 8
"""Images that are shown for each unit."""
NUM_PAIRS = 2_000
"""Pairs of any two images, to whose distance that of strongest images is compared."""
LEAST_IMAGES = 2 * NUM_STRONGEST
RANDOM = 0x961DE

_ACTIVATIONS = tuple(type(activations.load(name).activation(0.2)) for name in activations.names())


@contextlib.contextmanager
def guided(network: nn.Module) -> Iterator[int]:
    """Make gradients guided while the block runs: activations pass on only their positive part.

    Yields the number of activations. Works for every activation of the catalogue, not for ReLU alone.
    """
    modules = [module for module in network.modules() if isinstance(module, _ACTIVATIONS)]
    hooks = [module.register_full_backward_pre_hook(_positive_part) for module in modules]
    try:
        yield len(hooks)
    finally:
        for hook in hooks:
            hook.remove()


def _positive_part(_module: nn.Module, gradients: tuple[Tensor, ...] | Tensor) -> tuple[Tensor, ...]:
    return tuple(gradient.clamp_min(0) for gradient in gradients)


def guided_gradients(network: Discriminator, images: Tensor, layer: str, unit: int) -> Tensor:
    """Return the guided gradients (B, C, H, W) of a unit for images in [-1, 1], where it responds the most.

    The unit is a map of a layer; the gradient is that of its largest value in each image.
    """
    with torch.enable_grad(), guided(network):
        inputs = images.detach().clone().requires_grad_()
        index = layer_names(network).index(layer)
        responses = feature_maps(network, inputs)[index][:, unit].flatten(1).amax(1)
        (gradients,) = torch.autograd.grad(responses.sum(), inputs)
    return gradients.detach()


@dataclass(frozen=True)
class Units:
    """Units of one discriminator: of each, the images that it responds to the most, and guided gradients.

    - ``units`` (U,) that are shown; ``images`` uint8 (U, 8, H, W, C), the strongest first, with ``responses``
      (U, 8), ``indices`` (U, 8) among all images, and ``gradients`` float32 (U, 8, H, W, C);
    - ``likeness``: the mean distance between the strongest images of a unit, over that of any two images, the
      mean over all units of the layer that respond to any image, and ``error`` its standard error over units;
    - ``num_silent`` of ``num_units`` respond to no image.
    """

    units: tuple[int, ...]
    images: np.ndarray
    responses: np.ndarray
    indices: np.ndarray
    gradients: np.ndarray
    likeness: float
    error: float
    num_silent: int
    num_units: int


@dataclass(frozen=True)
class StrongestImages:
    """What units of a layer respond to: in the trained discriminator, and in one with random weights."""

    layer: str
    num_images: int
    trained: Units
    random: Units
    source: str = ""

    @property
    def worked(self) -> bool:
        """Whether strongest images are more alike in the trained discriminator than in the random one."""
        difference = self.random.likeness - self.trained.likeness
        return difference > NORMAL_95 * np.hypot(self.trained.error, self.random.error)

    @property
    def sentence(self) -> str:
        """Whether units respond to something that images have in common, in words."""
        silent = ""
        if self.trained.num_silent:
            silent = f"; {self.trained.num_silent} of {self.trained.num_units} units respond to no image"
        verdict = "it worked, units pick out images that are alike"
        if not self.worked:
            verdict = "units pick out images that are no more alike, pixel by pixel, than random weights do"
        return (
            f"{verdict}: the {NUM_STRONGEST} images that excite a unit of {self.layer} the most are"
            f" {self.trained.likeness:.2f} times as far apart as any two of {self.num_images:,} images, and"
            f" {self.random.likeness:.2f} times in a random discriminator{silent}"
        )


def strongest_images(
    run: Run | str | Path,
    num: int = 6,
    images: Sequence[str | Path] = (),
    *,
    layer: str | None = None,
    units: Sequence[int] = (),
    fit: bool = False,
    progress: bool | CountCallback | None = None,
) -> StrongestImages:
    """Return the images that units of the discriminator respond to the most, with their guided gradients.

    Shows the first ``num`` units of ``layer`` (by default the last), which nobody has selected, or ``units``.
    For ``images`` and ``fit`` see ``features``. Raises ``UsageError`` for an unknown layer or unit, and
    ``DataError`` for fewer than 16 images.
    """
    opened, report = as_run(run), counting(progress)
    network = opened.discriminator
    chosen = require_layers(layer_names(network), [layer or layer_names(network)[-1]])[0]
    shown = require_units(network, chosen, num, units)
    return strongest_of_set(
        opened, image_set(opened, [Path(path) for path in images], report, fit=fit), chosen, shown, report
    )


def strongest_of_set(
    run: Run, images: ImageSet, layer: str, units: Sequence[int], progress: CountCallback
) -> StrongestImages:
    """Return the strongest images among a set; see ``strongest_images``."""
    if images.num < LEAST_IMAGES:
        raise DataError(
            f"{counted(images.num, 'image')} are too few to show which excite a unit the most",
            f"Give at least {LEAST_IMAGES}, or none for the images of the run.",
        )
    random = random_discriminator(run, images.batch(np.arange(min(BATCH, images.num))))
    trained, untrained = (
        _units_of(network, images, layer, units, progress) for network in (run.discriminator, random)
    )
    return StrongestImages(layer, images.num, trained, untrained, run.discriminator_card.sentence)


def require_units(network: Discriminator, layer: str, num: int, units: Sequence[int]) -> tuple[int, ...]:
    """Return the units to show: those named, or the first ``num``. Raises ``UsageError`` for unknown ones."""
    image = torch.zeros(2, network.channels, *network.plan.size)
    with torch.no_grad():
        size = feature_maps(network, image)[layer_names(network).index(layer)].shape[1]
    if not units and (not is_whole(num) or not 1 <= num <= size):
        raise UsageError(f"{layer} has {size} units, so from 1 to {size} can be shown, not {num!r}")
    for unit in units:
        if not is_whole(unit) or not 0 <= unit < size:
            raise UsageError(f"{layer} has the units 0 to {size - 1}, so there is no unit {unit!r}")
    return tuple(dict.fromkeys(units)) if units else tuple(range(num))


def _units_of(
    network: Discriminator, images: ImageSet, layer: str, units: Sequence[int], progress: CountCallback
) -> Units:
    index = layer_names(network).index(layer)
    parts = []
    with torch.no_grad():
        for pixels in images.batches(np.arange(images.num), progress, f"looking for what excites {layer}"):
            parts.append(feature_maps(network, values_of(pixels))[index].flatten(2).amax(2))
    responses = torch.cat(parts)
    strongest, indices = responses.topk(NUM_STRONGEST, dim=0)
    responding = strongest[0] > 0
    likenesses = _likenesses(images, indices[:, responding].T.numpy())
    shown, gradients = [], []
    for unit in units:
        pixels = images.batch(indices[:, unit].numpy())
        shown.append(pixels)
        gradient = guided_gradients(network, values_of(pixels), layer, unit)
        gradients.append(gradient.movedim(1, -1).numpy())
    chosen = list(units)
    return Units(
        tuple(units),
        np.stack(shown),
        strongest[:, chosen].T.numpy(),
        indices[:, chosen].T.numpy(),
        np.stack(gradients),
        float(np.mean(likenesses)) if len(likenesses) else 1.0,
        float(np.std(likenesses) / max(1, len(likenesses)) ** 0.5) if len(likenesses) else 0.0,
        int((~responding).sum()),
        len(responding),
    )


def _likenesses(images: ImageSet, groups: np.ndarray) -> np.ndarray:
    """Return the mean distance within each group of images (U, 8), over that of any two images, (U,)."""
    random = np.random.default_rng(RANDOM)
    first = random.integers(0, images.num, NUM_PAIRS)
    second = (first + random.integers(1, images.num, NUM_PAIRS)) % images.num
    usual = np.mean(
        [
            _distances(images.batch(first[part : part + BATCH]), images.batch(second[part : part + BATCH]))
            for part in range(0, NUM_PAIRS - NUM_PAIRS % BATCH, BATCH)
        ]
    )
    upper = np.triu_indices(NUM_STRONGEST, 1)
    within = []
    for group in groups:
        pixels = images.batch(group)
        within.append(_distances(pixels[upper[0]], pixels[upper[1]]).mean())
    return np.array(within) / max(float(usual), 1e-12)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the root mean square distances of uint8 images (n, H, W, C), (n,)."""
    squares = (first.astype(np.float32) - second) ** 2
    return np.sqrt(squares.reshape(len(squares), -1).mean(1))


@dataclass(frozen=True)
class Filters:
    """The filters of the first layer, float32 (n, height, width, channels of an image).

    ``smoothness`` is the correlation of neighbouring weights, 0 on average in random filters; ``error`` is
    its standard error over filters, and ``num_dead`` the number of filters without any weight above 1e-4.
    """

    weights: np.ndarray
    smoothness: float
    error: float
    num_dead: int
    source: str = ""

    @property
    def sentence(self) -> str:
        """Whether they have any structure, in words."""
        worked = self.smoothness - NORMAL_95 * self.error > 0
        verdict = "they have learned structure" if worked else "they look random"
        dead = f"; {self.num_dead} have no weight above 0.0001" if self.num_dead else ""
        size = f"{self.weights.shape[2]}x{self.weights.shape[1]}"
        return (
            f"{counted(len(self.weights), 'filter')} of {size} weights: {verdict}, since neighbouring weights"
            f" correlate by {self.smoothness:.2f} on average (0 in random ones){dead}"
        )


def first_filters(run: Run | str | Path) -> Filters:
    """Return the filters of the first layer of a run's discriminator; planes of classes are left out."""
    opened = as_run(run)
    network = opened.discriminator
    weight = network.layers[0].get_parameter("weight")
    weights = weight.detach()[:, : network.channels].movedim(1, -1).contiguous().numpy()
    correlations = _neighbour_correlations(weights)
    return Filters(
        weights,
        float(correlations.mean()) if len(correlations) else 0.0,
        float(correlations.std() / max(1, len(correlations)) ** 0.5) if len(correlations) else 0.0,
        int((np.abs(weights).reshape(len(weights), -1).max(1) <= 1e-4).sum()),
        opened.discriminator_card.sentence,
    )


def _neighbour_correlations(weights: np.ndarray) -> np.ndarray:
    """Return the correlation of weights with those beside and below them, for each filter that varies.

    Weights are not centred, since a filter that averages is as smooth as can be.
    """
    wide = weights.astype(np.float64)
    power = (wide**2).mean((1, 2, 3))
    parts = []
    if wide.shape[2] > 1:
        parts.append((wide[:, :, 1:] * wide[:, :, :-1]).mean((1, 2, 3)))
    if wide.shape[1] > 1:
        parts.append((wide[:, 1:] * wide[:, :-1]).mean((1, 2, 3)))
    products = np.mean(parts, 0) if parts else power * 0
    return products[power > 1e-12] / power[power > 1e-12]
