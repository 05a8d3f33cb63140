"""Memorisation: are generated images nearer to training images than training images are to each other?

And nearer than real ones that were held out of the training, where the comparison is with such. Looks at as
many training images as the comparison holds: of a set five times as large it sees a fifth of the copies.
"""

import numpy as np
import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Comparison, Side
from ganzfeld.metrics.held_out import held_out, nearer_than, nearest_others
from ganzfeld.metrics.intervals import Figure, jackknife, share

USUAL = 0.05
"""The share that is expected of a generator that copies nothing."""
SHOWN = 8
NEIGHBOURS = 5
HELD_OUT = "nearer_than_held_out"
NAMES = {
    "memorised": (
        "share of generated images nearer to a training image than 95 % of those are to another: "
        "0.05 is usual, more is copying"
    ),
    HELD_OUT: (
        "how often a generated image is nearer to a training image than a held-out one is: "
        "0.5 as often as not, 1 copying"
    ),
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Both, if training images are there, and others that were held out; see ``ganzfeld.metrics.held_out``.

    Errors are found by leaving out a tenth at a time.
    """
    if comparison.training is None:
        return []
    found = [_memorised(comparison, comparison.training)]
    return [*found, *_held_out(comparison)] if comparison.has_others else found


def _memorised(comparison: Comparison, training: Side) -> Figure:
    between, among = comparison.generated_to_training, training.among
    (value,), (error,) = jackknife(
        lambda mine, theirs: [memorised(between[mine][:, theirs], among[theirs][:, theirs])],
        between.shape,
        comparison.seed,
    )
    return share("memorised", value, error, len(between))


def _held_out(comparison: Comparison) -> list[Figure]:
    """How near generated images are beside held-out ones; nothing where none were held out in truth."""
    found = held_out(comparison)
    if found.reason:
        return []
    ours, theirs = comparison.generated_to_training.min(1).values, found.distances
    (value,), (error,) = jackknife(
        lambda mine, others: [nearer_than(ours[mine], theirs[others])],
        (len(ours), len(theirs)),
        comparison.seed,
    )
    return [share(HELD_OUT, value, error, min(len(ours), len(theirs)))]


def memorised(between: Tensor, among_training: Tensor) -> float:
    """The share, from distances of generated (rows) to training images, and among the training images."""
    return float((between.min(1).values < _usual_nearness(among_training)).double().mean())


def suspects(comparison: Comparison) -> np.ndarray | None:
    """Images (rows * 6, height, width, C): the eight nearest generated ones, each with its five neighbours.

    Of each row the first is generated, then come training images, nearest first. None without these.
    """
    training = comparison.training
    if training is None:
        return None
    between = comparison.generated_to_training
    rows = []
    for index in between.min(1).values.argsort()[:SHOWN].tolist():
        nearest = between[index].argsort()[:NEIGHBOURS].numpy()
        rows += [comparison.generated.images[index : index + 1], training.images[nearest]]
    return np.concatenate(rows)


def _usual_nearness(among: Tensor) -> Tensor:
    """The distance below which a twentieth of the training images have their nearest other one."""
    nearest = nearest_others(among)
    finite = nearest[nearest.isfinite()]
    return torch.quantile(finite, USUAL) if len(finite) else among.new_zeros(())
