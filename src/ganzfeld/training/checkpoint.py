"""All that makes a training what it is: taken from a trainer, put back into one.

There is no random state, since every draw is a function of (seed, purpose, step), and no position in the data
but the number of pictures seen.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganzfeld.errors import TrainingFailed, UsageError
from ganzfeld.recipes import Recipe
from ganzfeld.training.facts import Circumstances
from ganzfeld.training.record import Count, Record
from ganzfeld.training.route import Route
from ganzfeld.training.schedule import Horizon
from ganzfeld.training.trainer import Trainer

FORMAT = 1


class Position(Record):
    """How far a training is; the names are those of ``Trainer``. ``seconds`` are seconds of training."""

    index: Count
    images_seen: Count
    horizons: tuple[Horizon, ...]
    rate_scale: float
    seconds: float


class CheckpointCard(Record):
    """What a checkpoint says of itself: where it stands, what it is of, and under what it was made."""

    format: Literal[1] = FORMAT
    position: Position
    recipe: Recipe
    seed: Count
    content_hash: str
    classes_hash: str = ""
    route: Route
    circumstances: Circumstances


@dataclass(frozen=True)
class Checkpoint:
    """A training at rest: its card, and its tensors by name."""

    card: CheckpointCard
    tensors: dict[str, Tensor]

    @property
    def images_seen(self) -> int:
        """Pictures seen when it was taken."""
        return self.card.position.images_seen

    def require_finite(self) -> None:
        """Raise ``TrainingFailed`` that names what is not finite, if anything is."""
        broken = [name for name, tensor in self.tensors.items() if not torch.isfinite(tensor).all()]
        if broken:
            more = f" and {len(broken) - 1} more tensors" if len(broken) > 1 else ""
            raise TrainingFailed(f"{broken[0]}{more} stopped being finite")


def live_tensors(trainer: Trainer) -> dict[str, Tensor]:
    """Every tensor that a step changes, by name: the tensors themselves, not copies.

    Both networks and the average with their buffers, and the moments of both optimizers.
    """
    players = trainer.players
    networks = {
        "generator": players.generator,
        "discriminator": players.discriminator,
        "average": players.average,
    }
    tensors = {
        f"{side}.{name}": tensor
        for side, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    for side, optimizer in (
        ("generator", players.generator_optimizer),
        ("discriminator", players.discriminator_optimizer),
    ):
        for name, parameter in networks[side].named_parameters():
            for moment, tensor in optimizer.state[parameter].items():
                tensors[f"{side}_optimizer.{name}.{moment}"] = tensor
    return tensors


def capture(trainer: Trainer, seconds: float) -> Checkpoint:
    """A copy of a training as it stands, on its device; later steps do not touch it."""
    position = Position(
        index=trainer.index,
        images_seen=trainer.images_seen,
        horizons=trainer.horizons,
        rate_scale=trainer.rate_scale,
        seconds=seconds,
    )
    card = CheckpointCard(
        position=position,
        recipe=trainer.recipe,
        seed=trainer.seed,
        content_hash=trainer.pictures.content_hash,
        classes_hash=trainer.classes_hash,
        route=trainer.route,
        circumstances=trainer.circumstances,
    )
    copies = {
        name: tensor.detach().clone(memory_format=torch.contiguous_format)
        for name, tensor in live_tensors(trainer).items()
    }
    return Checkpoint(card, copies)


@torch.no_grad()
def restore(trainer: Trainer, checkpoint: Checkpoint) -> None:
    """Put a training back to where a checkpoint was taken.

    Numbers are copied into the tensors that are there, whose layout in memory stays: the layout decides the
    order of additions. Raises ``UsageError`` if the checkpoint is of other networks.
    """
    live = live_tensors(trainer)
    shapes = {name: (tensor.shape, tensor.dtype) for name, tensor in live.items()}
    saved = {name: (tensor.shape, tensor.dtype) for name, tensor in checkpoint.tensors.items()}
    if shapes != saved:
        different = sorted(name for name in live.keys() | saved if shapes.get(name) != saved.get(name))
        raise UsageError(
            f"the checkpoint is of other networks: {different[0]} and {len(different) - 1} more differ",
            "Sizes, widths, normalisations and optimizers of a training cannot change on the way.",
        )
    for name, tensor in live.items():
        tensor.copy_(checkpoint.tensors[name])
    position = checkpoint.card.position
    trainer.index, trainer.images_seen = position.index, position.images_seen
    trainer.horizons = position.horizons
    trainer.rate_scale = position.rate_scale
    trainer.sound = torch.ones_like(trainer.sound)
