"""Memorisation: are generated pictures nearer to training pictures than training pictures are to each other?

Looks at as many training pictures as the comparison holds: of a set five times as large it sees a fifth of
the copies.
"""

import numpy as np
import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Comparison, Side, distances
from ganzfeld.metrics.intervals import Figure, jackknife, share

USUAL = 0.05
"""The share that is expected of a generator that copies nothing."""
SAME = 1e-4
"""Of the mean distance; nearer training pictures are copies of each other, and no measure of nearness."""
SHOWN = 8
NEIGHBOURS = 5
NAMES = {
    "memorised": (
        "share of generated pictures nearer to a training picture than 95 % of those are to another: "
        "0.05 is usual, more is copying"
    ),
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """The share, if training pictures are there; its error is found by leaving out a tenth at a time."""
    training = comparison.training
    if training is None:
        return []
    between, among = _between(comparison, training), training.among
    (value,), (error,) = jackknife(
        lambda mine, theirs: [memorised(between[mine][:, theirs], among[theirs][:, theirs])],
        between.shape,
        comparison.seed,
    )
    return [share("memorised", value, error, len(between))]


def memorised(between: Tensor, among_training: Tensor) -> float:
    """The share, from distances of generated (rows) to training pictures, and among the training pictures."""
    return float((between.min(1).values < _usual_nearness(among_training)).double().mean())


def suspects(comparison: Comparison) -> np.ndarray | None:
    """Pictures (rows * 6, height, width, C): the eight nearest generated ones, each with its five neighbours.

    Of each row the first is generated, then come training pictures, nearest first. None without these.
    """
    training = comparison.training
    if training is None:
        return None
    between = _between(comparison, training)
    rows = []
    for index in between.min(1).values.argsort()[:SHOWN].tolist():
        nearest = between[index].argsort()[:NEIGHBOURS].numpy()
        rows += [comparison.generated.pictures[index : index + 1], training.pictures[nearest]]
    return np.concatenate(rows)


def _between(comparison: Comparison, training: Side) -> Tensor:
    if training is comparison.real:
        return comparison.between
    return distances(comparison.generated.features, training.features)


def _usual_nearness(among: Tensor) -> Tensor:
    """The distance below which a twentieth of the training pictures have their nearest other one."""
    finite = among[among.isfinite()]
    nearest = among.where(among > SAME * finite.mean(), torch.inf).min(1).values
    return (
        torch.quantile(nearest[nearest.isfinite()], USUAL)
        if nearest.isfinite().any()
        else among.new_zeros(())
    )
