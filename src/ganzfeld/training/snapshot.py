"""Capture the state of a trainer as a checkpoint, and restore it."""

import torch
from torch import Tensor

from ganzfeld.errors import UsageError
from ganzfeld.runs.checkpoint import Checkpoint, CheckpointCard, Position
from ganzfeld.training.trainer import Trainer


def live_tensors(trainer: Trainer) -> dict[str, Tensor]:
    """Return every tensor that a step changes, by name: the tensors themselves, not copies.

    They are the weights and buffers of both networks and of the generator average, and the moments of both
    optimizers.
    """
    gan = trainer.gan
    networks = {
        "generator": gan.generator,
        "discriminator": gan.discriminator,
        "average": gan.generator_ema,
    }
    tensors = {
        f"{side}.{name}": tensor
        for side, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    for side, optimizer in (
        ("generator", gan.generator_optimizer),
        ("discriminator", gan.discriminator_optimizer),
    ):
        for name, parameter in networks[side].named_parameters():
            for moment, tensor in optimizer.state[parameter].items():
                tensors[f"{side}_optimizer.{name}.{moment}"] = tensor
    return tensors


def capture(trainer: Trainer, seconds: float) -> Checkpoint:
    """Copy the current state of a trainer, on its device; later steps do not change the copy."""
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
        content_hash=trainer.dataset.content_hash,
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
    """Put a trainer back into the state of a checkpoint.

    Values are copied into the existing tensors, which keep their memory layout: the layout decides the order
    of additions. Raises ``UsageError`` if the checkpoint belongs to different networks.
    """
    live = live_tensors(trainer)
    shapes = {name: (tensor.shape, tensor.dtype) for name, tensor in live.items()}
    saved = {name: (tensor.shape, tensor.dtype) for name, tensor in checkpoint.tensors.items()}
    if shapes != saved:
        different = sorted(name for name in live.keys() | saved if shapes.get(name) != saved.get(name))
        raise UsageError(
            f"the checkpoint is of other networks: {different[0]} and {len(different) - 1} more differ",
            "Sizes, widths, normalisations and optimizers of a run cannot change on the way.",
        )
    for name, tensor in live.items():
        tensor.copy_(checkpoint.tensors[name])
    position = checkpoint.card.position
    trainer.stand_at(
        index=position.index,
        images_seen=position.images_seen,
        horizons=position.horizons,
        rate_scale=position.rate_scale,
    )
    trainer.assume_finite()
