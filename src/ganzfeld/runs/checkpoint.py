"""A checkpoint: the complete state of a run, saved from a trainer and loaded into one.

It holds no random state, since every draw is a function of (seed, purpose, step), and no position in the data
except the number of images seen.
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
    """How far a run has come, by the names that ``Trainer`` uses. ``seconds`` is the time spent training."""

    index: Count
    images_seen: Count
    horizons: tuple[Horizon, ...]
    rate_scale: float
    seconds: float


class CheckpointCard(Record):
    """The header of a checkpoint: its position, the run it belongs to, and the environment it was made in."""

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
    """The saved state of a run: its card, and its tensors by name."""

    card: CheckpointCard
    tensors: dict[str, Tensor]

    @property
    def images_seen(self) -> int:
        """The number of images seen when it was saved."""
        return self.card.position.images_seen

    def require_finite(self) -> None:
        """Raise ``TrainingFailed`` if a tensor is not finite, and name it."""
        names = [name for name, tensor in self.tensors.items() if not torch.isfinite(tensor).all()]
        if names:
            more = f" and {len(names) - 1} more tensors" if len(names) > 1 else ""
            raise TrainingFailed(f"{names[0]}{more} stopped being finite")
