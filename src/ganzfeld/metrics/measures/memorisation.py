"""Memorisation: are generated pictures nearer to training pictures than training pictures are to each other?

And nearer than real ones that were held out of the training, where the comparison is with such. Looks at as
many training pictures as the comparison holds: of a set five times as large it sees a fifth of the copies.
"""

import numpy as np
import torch
from torch import Tensor

from ganzfeld.metrics.comparison import LEAST, Comparison, Side, distances
from ganzfeld.metrics.intervals import Figure, jackknife, share

USUAL = 0.05
"""The share that is expected of a generator that copies nothing."""
SAME = 1e-4
"""Of the mean distance; nearer training pictures are copies of each other, and no measure of nearness."""
SHOWN = 8
NEIGHBOURS = 5
HELD_OUT = "nearer_than_held_out"
NAMES = {
    "memorised": (
        "share of generated pictures nearer to a training picture than 95 % of those are to another: "
        "0.05 is usual, more is copying"
    ),
    HELD_OUT: (
        "how often a generated picture is nearer to a training picture than a held-out one is: "
        "0.5 as often as not, 1 copying"
    ),
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Both, if training pictures are there, and others; errors are found by leaving out a tenth at a time."""
    training = comparison.training
    if training is None:
        return []
    found = [_memorised(comparison, training)]
    return found if training is comparison.real else [*found, *_held_out(comparison, training)]


def _memorised(comparison: Comparison, training: Side) -> Figure:
    between, among = _between(comparison, training), training.among
    (value,), (error,) = jackknife(
        lambda mine, theirs: [memorised(between[mine][:, theirs], among[theirs][:, theirs])],
        between.shape,
        comparison.seed,
    )
    return share("memorised", value, error, len(between))


def _held_out(comparison: Comparison, training: Side) -> list[Figure]:
    """Of what was held out in truth: a picture that is in the training set as well says nothing.

    Nor does one that is the same as a training picture that is looked at, though its file is another.
    """
    ours = _between(comparison, training).min(1).values
    theirs = distances(comparison.real.features, training.features).min(1).values
    held_out = theirs > 0
    if comparison.trained_on is not None:
        held_out &= torch.from_numpy(~comparison.trained_on)
    theirs = theirs[held_out]
    if len(theirs) < LEAST:
        return []
    (value,), (error,) = jackknife(
        lambda mine, others: [nearer_than(ours[mine], theirs[others])],
        (len(ours), len(theirs)),
        comparison.seed,
    )
    return [share(HELD_OUT, value, error, min(len(ours), len(theirs)))]


def nearer_than(ours: Tensor, theirs: Tensor) -> float:
    """How often one of the distances ``ours`` (N,) is below one of ``theirs`` (M,); equal ones count half.

    Source: the U statistic of Meehan, Chaudhuri and Dasgupta 2020.
    """
    below, above = (torch.searchsorted(theirs.sort().values, ours, right=right) for right in (True, False))
    return float(1 - (below + above).double().mean() / (2 * len(theirs)))


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
