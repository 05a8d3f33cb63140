"""Whether images can count as held out of a training, by their place among its images in feature space.

Held-out images are of the source of the training images, and not among them. Then they lie as near to these
as these do to one another: of a held-out and a training image, the training one is the nearer to its nearest
(other) training image in half of all pairs. That share is also what a generator would get in
``nearer_than_held_out`` that draws images like those of the training; far from a half that metric misleads.

Nor do they keep to themselves: of as many held-out as training images, the nearest one to a held-out image is
a training image in half of all cases (the nearest-neighbour test of Schilling 1986 and Henze 1988). Images of
another source may lie near to training images, and still be much nearer to one another.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganzfeld.metrics.comparison import LEAST, Comparison
from ganzfeld.metrics.intervals import Figure, jackknife, share

USUAL = 0.5
FARTHEST = 0.75
"""Half of the way from the usual share to 1, which images get that are all farther away."""
NEAREST = 0.25
SAME = 1e-4
"""Of the mean distance; nearer training images are copies of each other, and no measure of nearness."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Distances (M,) from those that may be held out to their nearest training images, and what they say.

    ``known`` are in the training set. ``place`` is the share of pairs in which a training image is nearer to
    the training set, ``apart`` that of images whose nearest one is not of the training; None where too few
    are left. ``reason`` (``seen``, ``foreign``, ``altered-copies``) and ``text`` say why they cannot be held
    out; both are ``""`` where they can.
    """

    distances: Tensor
    known: int
    place: Figure | None
    apart: Figure | None = None
    reason: str = ""
    text: str = ""

    @property
    def notes(self) -> list[str]:
        """What to mind where they can be held out."""
        found = []
        if self.known:
            num = self.known + len(self.distances)
            found.append(f"{self.known:,} of the {num:,} images are in the training set and were left out")
        if self.place and not self.place.low <= USUAL <= self.place.high:
            side = "farther from" if self.place.value > USUAL else "nearer to"
            found.append(
                f"the other images lie {side} the training images than these lie to one another; a generator "
                f"that draws like the training set would get {self.place.value:.2f}, not {USUAL}"
            )
        return found


def held_out(comparison: Comparison) -> HeldOut:
    """Find which of the real images were held out, and decide whether they are of the training's source.

    The real images are others than those of the training. What is in the training set says nothing, nor does
    what is the same as one of it in another file.
    """
    assert comparison.training is not None
    nearest = comparison.real_to_training.min(1).values
    is_new = nearest > 0
    if comparison.trained_on is not None:
        is_new &= torch.from_numpy(~comparison.trained_on)
    nearest, num = nearest[is_new], len(nearest)
    known = num - len(nearest)
    if len(nearest) < LEAST:
        text = f"{known:,} of the {num:,} images are in the training set, and {LEAST} others are needed"
        return HeldOut(nearest, known, None, None, "seen", text)
    place = _place(nearest, nearest_others(comparison.training.among), comparison.seed)
    apart = _apart(comparison, is_new)
    return HeldOut(nearest, known, place, apart, *_judged(place, apart))


def nearest_others(among: Tensor) -> Tensor:
    """Return the distances (N,) to the nearest other one that is no copy, from distances (N, N) among images.

    They are infinite where all others are copies.
    """
    finite = among[among.isfinite()]
    return among.where(among > SAME * finite.mean(), torch.inf).min(1).values


def nearer_than(ours: Tensor, theirs: Tensor) -> float:
    """How often one of the distances ``ours`` (N,) is below one of ``theirs`` (M,); equal ones count half.

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
    """The share of them whose nearest image is another of them, beside as many of the training."""
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


def _judged(place: Figure, apart: Figure) -> tuple[str, str]:
    """Return the reason and the text why images of that place cannot be held out; both empty if they can."""
    pairs = f"{place.value:.0%} of pairs ({place.low:.0%} to {place.high:.0%}; {USUAL:.0%} if held out"
    if place.low > FARTHEST:
        text = (
            "they lie farther from the training images than these from one another: a training image is the "
            f"nearer one in {pairs}, at most {FARTHEST:.0%}). They are of another source, or of rare kinds "
            "of it alone, and beside them any good generator would seem to copy"
        )
        return "foreign", text
    if apart.low > FARTHEST:
        text = (
            f"they keep to themselves: for {apart.value:.0%} of them ({apart.low:.0%} to {apart.high:.0%}; "
            f"{USUAL:.0%} if held out, at most {FARTHEST:.0%}) the nearest image is another of them, not a "
            "training image. They are of another source, or of some kinds of it alone"
        )
        return "foreign", text
    if place.high < NEAREST:
        text = (
            "they lie nearer to the training images than these to one another: a training image is the "
            f"nearer one in {pairs}, at least {NEAREST:.0%}). They are copies that were altered, such as by "
            "another encoding or size"
        )
        return "altered-copies", text
    return "", ""
