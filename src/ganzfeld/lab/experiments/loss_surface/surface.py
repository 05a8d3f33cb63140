"""The loss of one network around its weights: how it changes along a step, and when layers below move."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganzfeld.lab.entering import activation_modules, entering
from ganzfeld.losses import Loss
from ganzfeld.training.step import GANState

LENGTHS = (1.0, 2.0, 4.0)
"""Steps along the gradient, in lengths of a step of Adam."""

LEAST = 1e-30
"""Least norm of a gradient, since the code divides by it."""

MEASURES = ("variation", "unpredicted", "beta", "shift", "drift")


@dataclass(frozen=True)
class Landscape:
    """The loss of one ``network``, which ``loss()`` computes on a fixed batch, and its ``inputs`` there.

    ``rate`` is the learning rate, which gives the length of a step of Adam: rate times the square root of the
    number of weights. ``activation`` is the name of its hidden activation.
    """

    network: nn.Module
    loss: Callable[[], Tensor]
    inputs: Tensor
    rate: float
    activation: str

    def measure(self) -> dict[str, float]:
        """Return ``MEASURES`` at the present weights, which are not changed.

        - ``variation``: largest less smallest loss along the gradient, over the lengths;
        - ``unpredicted``: root mean square change of the gradient there, over the gradient;
        - ``beta``: largest change of the gradient over the length (Santurkar et al. 2018, section 3.2);
        - ``shift``: change of a layer's gradient when the layers below it make their step, over that
          gradient; mean over the layers (their definition 2.1, relative);
        - ``drift``: how far the mean and the standard deviation of the activations' inputs move in a step, in
          standard deviations; root mean square over channels, mean over the layers.
        """
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        here, gradients = self.gradients(weights)
        losses, changes = zip(*self.along(weights, gradients), strict=True)
        unit = self.step_of(weights)
        betas = [change / (length * unit) for length, change in zip(LENGTHS, changes, strict=True)]
        mean_square = sum(change**2 for change in changes) / len(changes)
        measures = {
            "variation": max(here, *losses) - min(here, *losses),
            "unpredicted": mean_square**0.5 / norm(gradients),
            "beta": max(betas),
            "shift": self._shift(gradients),
            "drift": self._drift(weights, gradients),
        }
        return {key: max(value, LEAST) for key, value in measures.items()}

    def along(self, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[tuple[float, float]]:
        """Return the loss and the norm of the gradient's change at all ``LENGTHS`` along the gradient."""
        rows = []
        for length in LENGTHS:
            with moved(weights, gradients, -length * self.step_of(weights) / norm(gradients)):
                there, others = self.gradients(weights)
            rows.append((there, norm(differences(others, gradients))))
        return rows

    def step_of(self, weights: Sequence[Tensor]) -> float:
        """Return the length of a step of Adam by these weights."""
        return sum(weight.numel() for weight in weights) ** 0.5 * self.rate

    def gradients(self, weights: Sequence[Tensor]) -> tuple[float, list[Tensor]]:
        """Return the loss and its gradients by the weights."""
        loss = self.loss()
        return float(loss.detach()), list(torch.autograd.grad(loss, weights))

    def _shift(self, gradients: Sequence[Tensor]) -> float:
        layers = [list(layer.parameters(recurse=False)) for layer in weighted(self.network)]
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        by_weight = {id(w): gradient for w, gradient in zip(weights, gradients, strict=True)}
        first = {id(w): number for number, w in enumerate(weights)}
        shifts = []
        for layer in layers[1:]:
            place = min(first[id(weight)] for weight in layer)
            below, of_below = weights[:place], gradients[:place]
            own = [by_weight[id(weight)] for weight in layer]
            with moved(below, of_below, -self.step_of(below) / norm(of_below)):
                _, now = self.gradients(layer)
            shifts.append(norm(differences(now, own)) / norm(own))
        return sum(shifts) / len(shifts)

    def _drift(self, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> float:
        before = self._moments()
        with moved(weights, gradients, -self.step_of(weights) / norm(gradients)):
            after = self._moments()
        drifts = [
            float(((mean - old) / spread).square().add(((now - spread) / spread).square()).mean().sqrt())
            for (old, spread), (mean, now) in zip(before, after, strict=True)
        ]
        return sum(drifts) / len(drifts)

    @torch.no_grad()
    def _moments(self) -> list[tuple[Tensor, Tensor]]:
        """Return mean and standard deviation (C,) of the inputs of every hidden activation."""
        modules = activation_modules(self.network, self.activation)
        passes = entering(self.network, modules, self.inputs)
        maps = [inputs.double().transpose(0, 1).flatten(1) for inputs in passes]
        return [(values.mean(1), values.std(1, correction=0).clamp_min(1e-12)) for values in maps]


def landscape_of(
    side: str, gan: GANState, loss: Loss, real: Tensor, latents: Tensor, rate: float, activation: str
) -> Landscape:
    """Return the landscape of the generator's or the discriminator's loss, without stabilisers, on these real
    images (N, C, *size) and latents (N, n); D gets both kinds of images in batches of their own.
    """
    generator, discriminator = gan.generator, gan.discriminator
    if side == "generator":
        with torch.no_grad():
            at_real = discriminator(real) if loss.paired else None
        return Landscape(
            generator,
            lambda: loss.generator(at_real, discriminator(generator(latents))),
            latents,
            rate,
            activation,
        )
    with torch.no_grad():
        fake = generator(latents)
    return Landscape(
        discriminator,
        lambda: loss.discriminator(discriminator(real), discriminator(fake)),
        real,
        rate,
        activation,
    )


def compared(
    rows: Sequence[Sequence[dict[str, float]]],
) -> tuple[dict[str, float], dict[str, list[list[float]]]]:
    """Return the log10 of every measure with norms over that without, in the mean over the looks, and the
    measures by look, to be drawn. ``rows`` holds both at every look: with norms, and without.
    """
    ratios = {
        key: sum(math.log10(one[key] / other[key]) for one, other in rows) / len(rows) for key in MEASURES
    }
    courses = {key: [[one[key], other[key]] for one, other in rows] for key in MEASURES}
    return ratios, courses


def weighted(network: nn.Module) -> list[nn.Module]:
    """Return the layers of a network with weights of more than one dimension, from input to output."""
    return [
        module
        for module in network.modules()
        if any(weight.dim() > 1 for weight in module.parameters(recurse=False))
    ]


@contextmanager
def moved(weights: Sequence[Tensor], direction: Sequence[Tensor], length: float) -> Iterator[None]:
    """Move weights by ``length`` times a direction for a while, and put exactly the same numbers back."""
    kept = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for weight, part in zip(weights, direction, strict=True):
            weight.add_(part, alpha=length)
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, number in zip(weights, kept, strict=True):
                weight.copy_(number)


def norm(tensors: Sequence[Tensor]) -> float:
    """Return the norm of all numbers of some tensors, at least ``LEAST``."""
    return max(float(torch.stack([part.double().square().sum() for part in tensors]).sum().sqrt()), LEAST)


def differences(one: Sequence[Tensor], other: Sequence[Tensor]) -> list[Tensor]:
    """Return the differences of tensors in pairs."""
    return [first - second for first, second in zip(one, other, strict=True)]
