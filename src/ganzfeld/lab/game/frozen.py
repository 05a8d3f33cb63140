"""A generator that is frozen while the discriminator learns, and the pull that is left for it."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.optim import SGD

from ganzfeld.lab.game.methods import METHODS
from ganzfeld.lab.game.play import Game
from ganzfeld.lab.live import Live
from ganzfeld.losses import Loss
from ganzfeld.training.step import GANState


def frozen(gan: GANState) -> GANState:
    """Return the same networks with a generator that moves by steps of size 0. Its batch statistics
    still change.
    """
    still = SGD(gan.generator.parameters(), lr=0.0, fused=True)
    return replace(gan, generator_optimizer=still)


def live_game(live: Live, images_seen: int, seed: int, loss: Loss | None = None) -> Game:
    """Build a game between the live networks as they were after ``images_seen``, with the generator frozen.

    ``loss`` is the loss of the game, by default that of the recipe.
    """
    trainer = live.trainer(images_seen)
    batch = live.recipe.batch

    def draw(noise: torch.Generator) -> tuple[Tensor, Tensor]:
        batch_seed = int(torch.randint(2**31, (), generator=noise))
        return live.real(batch, batch_seed), live.latents(batch, batch_seed)

    config = replace(trainer.config, loss=loss or trainer.config.loss, simultaneous=False)
    return Game(frozen(trainer.gan), config, METHODS["alternating"], draw, seed)


def look_rounds(num_rounds: int) -> list[int]:
    """Return the rounds after which to measure: 0, 1, 2, 4, 8 and so on, and the last."""
    return sorted({0, *(2**power for power in range(20) if 2**power < num_rounds), num_rounds})


def slope(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """Return the derivative of the generator's loss by the logit of each generated image, (B,), times B."""
    at_fake = fake.detach().requires_grad_()
    (derivative,) = torch.autograd.grad(loss.generator(real.detach(), at_fake), at_fake)
    return derivative * len(fake)


def pull(gan: GANState, latents: Tensor, slopes: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Return the gradient at the generator's weights; ``slopes`` maps logits (B,) to derivatives (B,)."""
    logits = gan.discriminator(gan.generator(latents))
    sent = slopes(logits.detach()) / len(logits)
    return list(torch.autograd.grad(logits, list(gan.generator.parameters()), sent))
