"""Memorisation: are generated images nearer to training images than training images are to each other?

Where the comparison has held-out images: are they also nearer than these? Only the training images of the
comparison are searched; if the training set is five times as large, a fifth of the copies are found.
"""

import numpy as np
import torch
from torch import Tensor

from ganzfeld.metrics.comparison import Comparison, Side
from ganzfeld.metrics.held_out import held_out, nearer_than, nearest_others
from ganzfeld.metrics.intervals import Figure, jackknife, share

USUAL = 0.05
"""Expected share for a generator that copies nothing."""
SHOWN = 8
NEIGHBOURS = 5
HELD_OUT = "nearer_than_held_out"
NAMES = {
    "memorised": (
        "share of generated images nearer to a training image than 95 % of these are to another: "
        "0.05 is usual, more is copying"
    ),
    HELD_OUT: (
        "how often a generated image is nearer to a training image than a held-out one is: "
        "0.5 is usual, 1 is copying"
    ),
}
FEATURES = True


def measure(comparison: Comparison) -> list[Figure]:
    """Measure ``memorised`` if there are training images, and the other figure if there are held-out ones.

    Errors come from the jackknife over tenths. See ``ganzfeld.metrics.held_out``.
    """
    if comparison.training is None:
        return []
    figures = [_memorised(comparison, comparison.training)]
    return [*figures, *_held_out(comparison)] if comparison.has_others else figures


def _memorised(comparison: Comparison, training: Side) -> Figure:
    between, among = comparison.generated_to_training, training.among
    (value,), (error,) = jackknife(
        lambda mine, theirs: [memorised(between[mine][:, theirs], among[theirs][:, theirs])],
        between.shape,
        comparison.seed,
    )
    return share("memorised", value, error, len(between))


def _held_out(comparison: Comparison) -> list[Figure]:
    """Measure ``nearer_than_held_out``; nothing if the other images cannot count as held out."""
    others = held_out(comparison)
    if others.reason:
        return []
    ours, theirs = comparison.generated_to_training.min(1).values, others.distances
    (value,), (error,) = jackknife(
        lambda mine, held: [nearer_than(ours[mine], theirs[held])],
        (len(ours), len(theirs)),
        comparison.seed,
    )
    return [share(HELD_OUT, value, error, min(len(ours), len(theirs)))]


def memorised(between: Tensor, among_training: Tensor) -> float:
    """Return the share, from distances of generated (rows) to training images, and among training images."""
    return float((between.min(1).values < _usual_nearness(among_training)).double().mean())


def suspects(comparison: Comparison) -> np.ndarray | None:
    """Return images (rows * 6, height, width, C): the eight generated images nearest to a training image.

    Each row holds a generated image and its five nearest training images, nearest first. The result is None
    without training images.
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
    """Return the distance below which a twentieth of the training images have their nearest neighbour."""
    nearest = nearest_others(among)
    finite = nearest[nearest.isfinite()]
    return torch.quantile(finite, USUAL) if len(finite) else among.new_zeros(())
