"""All that makes a training what it is: taken from a trainer, put back into one.

There is no random state, since every draw is a function of (seed, purpose, step), and no position in the data
but the number of images seen.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganzfeld.compute.fast_path import FastPath
from ganzfeld.errors import TrainingFailed
from ganzfeld.recipes import Recipe
from ganzfeld.record import Count, Record
from ganzfeld.runs.metadata import Environment
from ganzfeld.runs.schedule import Horizon

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
    route: FastPath
    circumstances: Environment


@dataclass(frozen=True)
class Checkpoint:
    """A training at rest: its card, and its tensors by name."""

    card: CheckpointCard
    tensors: dict[str, Tensor]

    @property
    def images_seen(self) -> int:
        """Images seen when it was taken."""
        return self.card.position.images_seen

    def require_finite(self) -> None:
        """Raise ``TrainingFailed`` that names what is not finite, if anything is."""
        broken = [name for name, tensor in self.tensors.items() if not torch.isfinite(tensor).all()]
        if broken:
            more = f" and {len(broken) - 1} more tensors" if len(broken) > 1 else ""
            raise TrainingFailed(f"{broken[0]}{more} stopped being finite")
