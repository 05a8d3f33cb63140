"""The fit of generated images to target images: its residuals, and its descent by Adam."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganzfeld.inversion.least_squares import Projection
from ganzfeld.latent import priors
from ganzfeld.model import Model
from ganzfeld.model.sampling import chunk_size
from ganzfeld.networks import Generator
from ganzfeld.networks.layout import lay_out
from ganzfeld.networks.strided import DIRECT, StridedTransposedConvolution
from ganzfeld.progress import CountCallback, silent

ADAM_RATE = 0.1
LONGEST = 1.5
"""The length of the longest start from the encoder, in lengths of usual draws of the prior."""

_NEED_CONTIGUOUS = (nn.modules.instancenorm._InstanceNorm, nn.GroupNorm)


@dataclass(frozen=True)
class Fit:
    """Target images and the generator that must reproduce them.

    - ``targets`` (N, C, *size) in [-1, 1];
    - ``visible`` (N, 1, *size): how much each pixel counts, 0 where it is hidden;
    - ``pull``: the weight of the mean squared component of a latent, in units of the prior's variance,
      beside the mean squared error of the visible pixels.
    """

    generator: Generator
    prior: str
    targets: Tensor
    visible: Tensor
    pull: float = 0.0

    @classmethod
    def of(cls, model: Model, targets: Tensor, visible: Tensor | None = None, pull: float = 0.0) -> "Fit":
        """Make the fit of a model's images to targets; without ``visible`` every pixel counts."""
        visible = torch.ones_like(targets[:, :1]) if visible is None else visible
        return cls(_differentiable(model.generator), model.card.prior, targets, visible, pull)

    def residuals(self, latents: Tensor, rows: Tensor, labels: Tensor | None) -> Tensor:
        """Return residuals (R, m) of latents (R, n) for the targets ``rows`` (R,).

        Their sum of squares is the mean squared error of the visible values, plus the pull.
        """
        visible = self.visible[rows]
        weight = visible / (visible.flatten(1).sum(1) * self.targets.shape[1]).clamp_min(1e-12).view(
            -1, *[1] * (visible.dim() - 1)
        )
        errors = (weight.sqrt() * (self.generator(latents, labels) - self.targets[rows])).flatten(1)
        if not self.pull:
            return errors
        return torch.cat((errors, self.pull**0.5 / self.usual_length * latents), 1)

    @property
    def usual_length(self) -> float:
        """The root mean square length of latents that the prior draws."""
        size = self.generator.latent_size
        return (size * priors.load(self.prior).variance(size)) ** 0.5

    def shortened(self, latents: Tensor) -> Tensor:
        """Return latents (R, n) that are not far longer than usual draws of the prior.

        The encoder is linear. So an image like none of its samples leads it far out, where the outputs
        of the generator are saturated and have no gradient.
        """
        lengths = latents.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return latents * (LONGEST * self.usual_length / lengths).clamp_max(1)

    @property
    def rows_at_once(self) -> int:
        """The number of images that are made and differentiated at once."""
        return chunk_size(self.generator)

    @property
    def project(self) -> Projection:
        """The map from latents to the nearest ones that the prior can draw."""
        return priors.load(self.prior).onto

    @torch.no_grad()
    def costs(self, latents: Tensor, rows: Tensor, labels: Tensor | None) -> Tensor:
        """Return the sum of squared residuals of latents, (R,)."""
        parts = [
            self.residuals(latents[part], rows[part], None if labels is None else labels[part])
            .square()
            .sum(1)
            for part in torch.arange(len(latents)).split(self.rows_at_once)
        ]
        return torch.cat(parts) if parts else latents.new_empty(0)

    def minimise(
        self,
        start: Tensor,
        rows: Tensor,
        labels: Tensor | None,
        num_steps: int,
        progress: CountCallback = silent,
    ) -> Tensor:
        """Return latents (R, n) after steps of Adam from ``start``, with a rate that falls to zero.

        Adam works component by component, so rows do not influence each other.
        """
        parts = []
        for part in torch.arange(len(start)).split(self.rows_at_once):
            latents = self.project(start[part]).clone().requires_grad_(True)
            chosen = None if labels is None else labels[part]
            adam = torch.optim.Adam([latents], lr=ADAM_RATE, betas=(0.9, 0.99))
            falling = torch.optim.lr_scheduler.CosineAnnealingLR(adam, max(num_steps, 1))
            for step in range(num_steps):
                progress(int(part[0]) * num_steps + step * len(part), len(start) * num_steps, "minimising")
                adam.zero_grad()
                self.residuals(latents, rows[part], chosen).square().sum().backward()
                adam.step()
                falling.step()
                with torch.no_grad():
                    latents.copy_(self.project(latents))
            parts.append(latents.detach())
        progress(len(start) * num_steps, len(start) * num_steps, "minimising")
        return torch.cat(parts) if parts else start


def _differentiable(generator: Generator) -> Generator:
    """Return the generator, or a copy in the contiguous layout if its norms cannot be differentiated in it.

    On a CPU torch 2.13 computes the gradient of an instance norm wrongly for one image in channels last, and
    cannot map a group norm over maps in channels last.
    """
    if not any(isinstance(module, _NEED_CONTIGUOUS) for module in generator.modules()):
        return generator
    contiguous = lay_out(copy.deepcopy(generator), channels_last=False)
    for module in contiguous.modules():
        if isinstance(module, StridedTransposedConvolution):
            module.ways = DIRECT
    return contiguous
