"""Updates on mixed batches: both networks learn from passes through D that hold real and generated images.

The usual update gives D its real and its generated images in two passes if its normalisation takes statistics
across images, so that the statistics tell which batch it is. Here every pass holds as many real as generated
images, also the pass of the generator's update.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ganzfeld.training.step import (
    GANState,
    StepConfig,
    StepContext,
    StepOutput,
    Update,
    apply_gradients,
    discriminator_logits,
)
from ganzfeld.training.trainer import Trainer


def mixed_update(
    gan: GANState,
    config: StepConfig,
    real: Tensor,
    latents: Tensor,
    context: StepContext,
    all_finite: Tensor,
    labels: Tensor | None = None,
) -> StepOutput:
    """Update D, then G against the updated D, each on one pass of ``real`` and as many generated images.

    Takes the arguments of ``ganzfeld.training.step.alternating_update``; no stabilisers and no classes.
    """
    assert not config.stabilisers and labels is None
    together = replace(config, per_sample=True, one_pass=True)  # both kinds of images in one pass
    with config.forward():
        fake = gan.generator(latents)
        real_logits, fake_logits = discriminator_logits(
            gan.discriminator, together, real, fake.detach(), None
        )
        discriminator_loss = config.loss.discriminator(real_logits, fake_logits)
    weights = list(gan.discriminator.parameters())
    gradients = list(torch.autograd.grad(discriminator_loss, weights))
    all_finite = apply_gradients(
        gan.discriminator_optimizer, config, weights, gradients, discriminator_loss, all_finite
    )
    with config.forward():
        new_real_logits, new_fake_logits = discriminator_logits(gan.discriminator, together, real, fake, None)
        generator_loss = config.loss.generator(
            new_real_logits if config.loss.paired else None, new_fake_logits
        )
    weights = list(gan.generator.parameters())
    gradients = list(torch.autograd.grad(generator_loss, weights))
    all_finite = apply_gradients(
        gan.generator_optimizer, config, weights, gradients, generator_loss, all_finite
    )
    losses = generator_loss.detach(), discriminator_loss.detach()
    return StepOutput(*losses, real_logits.detach(), fake_logits.detach(), all_finite)


class MixedTrainer(Trainer):
    """A trainer whose steps are mixed updates."""

    def _update(self) -> Update | None:
        """Return the mixed update."""
        return mixed_update

    @classmethod
    def of(cls, trainer: Trainer) -> "MixedTrainer":
        """Return a trainer of the same networks and images, whose steps are mixed updates."""
        return cls(**vars(trainer))
