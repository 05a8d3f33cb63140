"""Decide whether images can count as held out of training, by their distances in feature space.

Held-out images come from the source of the training images but are not among them. Two tests follow.

First, held-out images are as near to the training images as these are to each other. In a pair of a held-out
image and a training image, the training image is the nearer one to its nearest (other) training image in half
of all pairs. This share is also what ``nearer_than_held_out`` gives for a generator that draws images like
those of the training set; if it is far from a half, that metric misleads.

Second, held-out images are not clustered. Among equally many held-out and training images, the nearest
neighbour of a held-out image is a training image in half of all cases (the nearest-neighbour test of
Schilling 1986 and Henze 1988). Images from another source may be near to training images and still much
nearer to each other.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganzfeld.metrics.comparison import LEAST, Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, share

USUAL = 0.5
FARTHEST = 0.75
"""Halfway from ``USUAL`` to 1; 1 means that all images are farther away."""
NEAREST = 0.25
SAME = 1e-4
"""As a share of the mean distance: nearer training images are copies of each other and are not compared."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Whether the real images can count as held out, with the distances that decide it.

    ``distances`` (M,) lead from the images outside the training set to their nearest training images.
    ``known`` is the number of images in the training set. ``place`` is the share of pairs in which the
    training image is nearer to the training set, and ``apart`` the share of images whose nearest neighbour is
    not a training image; both are None if too few images are left. ``reason`` (``seen``, ``foreign``,
    ``altered-copies``) and ``text`` say why the images cannot count as held out; both are ``""`` if they can.
    """

    distances: Tensor
    known: int
    place: Figure | None
    apart: Figure | None = None
    reason: str = ""
    text: str = ""

    @property
    def notes(self) -> list[str]:
        """Remarks on the result, for images that can count as held out."""
        notes = []
        if self.known:
            num = self.known + len(self.distances)
            notes.append(f"{self.known:,} of the {num:,} images are in the training set and were left out")
        if self.place and not self.place.low <= USUAL <= self.place.high:
            side = "farther from" if self.place.value > USUAL else "nearer to"
            notes.append(
                f"the other images lie {side} the training images than these do to each other; a generator "
                f"that draws like the training set would get {self.place.value:.2f}, not {USUAL}"
            )
        return notes


def held_out(comparison: Comparison) -> HeldOut:
    """Find the real images that were not trained on, and decide whether they can count as held out.

    The comparison must have training images and other real images. Real images that are in the training set,
    or equal one of its images, are left out.
    """
    assert comparison.training is not None
    nearest = comparison.real_to_training.min(1).values
    is_new = nearest > 0
    if comparison.trained_on is not None:
        is_new &= torch.from_numpy(~comparison.trained_on)
    nearest, num = nearest[is_new], len(nearest)
    known = num - len(nearest)
    if len(nearest) < LEAST:
        text = f"{known:,} of the {num:,} images are in the training set; at least {LEAST} others are needed"
        return HeldOut(nearest, known, None, None, "seen", text)
    place = _place(nearest, nearest_others(comparison.training.among), comparison.seed)
    apart = _apart(comparison, is_new)
    return HeldOut(nearest, known, place, apart, *_problem(place, apart))


def nearest_others(among: Tensor) -> Tensor:
    """Return the distance (N,) of each image to the nearest other one that is not a copy of it.

    ``among`` (N, N) holds the distances between the images. The result is infinite where all others are
    copies.
    """
    finite = among[among.isfinite()]
    return among.where(among > SAME * finite.mean(), torch.inf).min(1).values


def nearer_than(ours: Tensor, theirs: Tensor) -> float:
    """Return how often a distance of ``ours`` (N,) is below one of ``theirs`` (M,); ties count half.

    Source: the U statistic of Meehan, Chaudhuri and Dasgupta 2020.
    """
    below, above = (torch.searchsorted(theirs.sort().values, ours, right=right) for right in (True, False))
    return float(1 - (below + above).double().mean() / (2 * len(theirs)))


def _place(theirs: Tensor, of_training: Tensor, seed: int) -> Figure:
    (value,), (error,) = jackknife(
        lambda training, others: [nearer_than(of_training[training], theirs[others])],
        (len(of_training), len(theirs)),
        seed,
    )
    return share("place", value, error, min(len(of_training), len(theirs)))


def _apart(comparison: Comparison, is_new: Tensor) -> Figure:
    """Return the share of new images whose nearest neighbour is another new image, not a training image.

    Equally many images of both kinds are compared.
    """
    assert comparison.training is not None
    order = torch.from_numpy(np.random.default_rng(comparison.seed).permutation(len(is_new)))
    num = min(int(is_new.sum()), len(comparison.training))
    some = order[is_new[order]][:num]
    of_training = comparison.real_to_training[some][:, :num].min(1).values
    among = comparison.real.among[some][:, some]
    own = nearest_others(among)

    def share_of(mine: np.ndarray, _: np.ndarray) -> list[float]:
        return [float((own[mine] < of_training[mine]).double().mean())]

    (value,), (error,) = jackknife(share_of, (num, num), comparison.seed)
    return share("apart", value, error, num)


def _problem(place: Figure, apart: Figure) -> tuple[str, str]:
    """Return reason and text why the images cannot count as held out; both are empty if they can."""
    pairs = (
        f"{place.value:.0%} of pairs ({place.low:.0%} to {place.high:.0%}; held-out images give {USUAL:.0%}"
    )
    if place.low > FARTHEST:
        text = (
            "they lie farther from the training images than these do from each other: the training image is "
            f"the nearer one in {pairs}, {FARTHEST:.0%} is allowed). They come from another source, or only "
            "from rare kinds of it, and compared with them any good generator would seem to copy"
        )
        return "foreign", text
    if apart.low > FARTHEST:
        text = (
            f"they form a cluster of their own: for {apart.value:.0%} of them ({apart.low:.0%} to "
            f"{apart.high:.0%}; held-out images give {USUAL:.0%}, {FARTHEST:.0%} is allowed) the nearest "
            "neighbour is another of these images, not a training image. They come from another source, or "
            "only from some kinds of it"
        )
        return "foreign", text
    if place.high < NEAREST:
        text = (
            "they lie nearer to the training images than these do to each other: the training image is the "
            f"nearer one in {pairs}, at least {NEAREST:.0%} is needed). They are altered copies, such as "
            "with another encoding or size"
        )
        return "altered-copies", text
    return "", ""
