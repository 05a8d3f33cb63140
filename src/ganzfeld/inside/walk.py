"""Walks through the latent space, with steps that look equally large.

A generator turns equal steps of the latent vector into unequal changes of the image: it may hardly change for
a while, and then change at once. So the latents of a walk are spaced by the distance between images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from ganzfeld.errors import UsageError
from ganzfeld.inside.latent_model import LatentModel, Subject, latent_model
from ganzfeld.progress import CountCallback, counting
from ganzfeld.value_kinds import is_whole

MOST_FRAMES = 5_000
EVEN = 1.5
"""The largest ratio of the largest step of an even walk to its smallest."""
GOAL = 1.05
"""Latents are no longer moved once the steps of a part differ by no more than this factor."""
ROUNDS = 12
"""The most times that the latents of a part are moved."""
DENSITY = 4
"""Images per step with which the length of a part is measured at first."""
ALIKE = 1e-4
"""Images nearer than this, of a range of 2, are alike."""


@dataclass(frozen=True)
class Walk:
    """The images of a walk in order, and how large its steps are.

    - ``latents`` (frames, latent_size) and ``images``, uint8 (frames, height, width, C);
    - ``stops``: the frames that show the given latents;
    - ``steps``: the root mean square distance of neighbouring images, in levels of 0 to 255. A loop has one
      more, from the last frame to the first;
    - ``evenness``: the largest step divided by the smallest; None if images of the walk are alike;
    - ``evenness_before``: the same for steps of equal size in the latent space.
    """

    latents: Tensor
    images: np.ndarray
    stops: tuple[int, ...]
    steps: np.ndarray
    evenness: float | None
    evenness_before: float | None
    label: int | None = None

    @property
    def is_even(self) -> bool:
        """True if the steps look even."""
        return self.evenness is not None and self.evenness <= EVEN

    @property
    def sentence(self) -> str:
        """Whether it worked, in words."""
        if self.evenness is None:
            return "images along the walk are alike: the generator ignores the latent vector there"
        before = "" if self.evenness_before is None else f" ({self.evenness_before:.2f} before re-spacing)"
        steps = f"the largest step is {self.evenness:.2f} times the smallest{before}"
        if self.is_even:
            return f"the steps look even: {steps}"
        return f"the steps are uneven: {steps}; more frames may help"


def latent_walk(
    subject: Subject,
    seeds: Sequence[int] = (),
    *,
    latents: Tensor | None = None,
    frames: int = 60,
    loop: bool = False,
    of: str | int | None = None,
    progress: bool | CountCallback | None = None,
) -> Walk:
    """Walk from one latent vector to the next, along the path that suits the prior, in steps that look even.

    The walk visits the ``seeds`` and then the ``latents`` (n, latent_size), all of them exactly. With
    ``loop`` it returns to the first one, which is not repeated at the end. ``of`` is the class of all images;
    by default that of the first seed. Paths: an arc for the normal prior and the sphere, a straight line for
    the uniform prior, and for the truncated one an arc of equal quantiles (``ganzfeld.latent.priors``).

    Raises ``UsageError`` for fewer than two latents, equal neighbours, latents of another size, fewer frames
    than latents or more than 5,000, and what ``ganzfeld.load`` raises for the ``subject``.

    >>> latent_walk("runs/faces-001", [3, 17, 42], frames=60).evenness  # doctest: +SKIP
    """
    model, report = latent_model(subject), counting(progress)
    keys = _keys(model, seeds, latents, loop=loop)
    num_parts = len(keys) - 1
    least = num_parts + (0 if loop else 1)
    if not is_whole(frames) or not least <= frames <= MOST_FRAMES:
        raise UsageError(
            f"a walk through {len(keys) - loop} latents has from {least} to {MOST_FRAMES:,} frames,"
            f" not {frames!r}",
            "60 is usual.",
        )
    label = model.label(of, int(seeds[0]) if len(seeds) else 0)
    parts = [_Part(model, start, end, label) for start, end in pairwise(keys)]
    numbers = _shared_out([part.length(frames, num_parts) for part in parts], frames - (0 if loop else 1))
    shares, steps_before = [], []
    for index, (part, number) in enumerate(zip(parts, numbers, strict=True)):
        report(index, num_parts, "spacing the walk")
        steps_before.append(part.steps(_evenly(number)))
        shares.append(part.even_shares(number))
    report(num_parts, num_parts, "spacing the walk")
    steps = np.concatenate([part.steps(share) for part, share in zip(parts, shares, strict=True)])
    points = [part.latents(share[:-1]) for part, share in zip(parts, shares, strict=True)]
    walked = torch.cat([*points, *([] if loop else [keys[-1:]])])
    stops = [0, *np.cumsum(numbers).tolist()]
    return Walk(
        walked,
        model.pixels(walked, label),
        tuple(stops[:-1] if loop else stops),
        steps * 127.5,
        _ratio(steps),
        _ratio(np.concatenate(steps_before)),
        label,
    )


def _keys(model: LatentModel, seeds: Sequence[int], latents: Tensor | None, *, loop: bool) -> Tensor:
    """Return the latents that the walk visits, for a loop with the first one again at the end."""
    keys = model.latents(seeds)
    if latents is not None:
        if latents.ndim != 2 or latents.shape[1] != model.latent_size:
            raise UsageError(
                f"latents have shape {tuple(latents.shape)}, and the model takes (n, {model.latent_size})"
            )
        keys = torch.cat((keys, latents.to(keys)))
    if len(keys) < 2:
        raise UsageError(
            f"a walk needs at least two latents, not {len(keys)}", "For example --seeds 3,17,42."
        )
    keys = torch.cat((keys, keys[:1])) if loop else keys
    same = [index for index, (start, end) in enumerate(pairwise(keys)) if torch.equal(start, end)]
    if same:
        raise UsageError(
            f"latents {same[0] + 1} and {(same[0] + 1) % (len(keys) - loop) + 1} of the walk are the same",
            "Leave one of them out.",
        )
    return keys


@dataclass(frozen=True)
class _Part:
    """The path between two neighbouring latents of a walk; ``shares`` are fractions of it, ascending."""

    model: LatentModel
    start: Tensor
    end: Tensor
    label: int | None

    def latents(self, shares: Tensor) -> Tensor:
        """Return the latents at some fractions of the path; the ends are exact."""
        points = self.model.path(self.start, self.end, shares)
        ends = (shares <= 0)[:, None], (shares >= 1)[:, None]
        return torch.where(ends[0], self.start, torch.where(ends[1], self.end, points))

    def steps(self, shares: Tensor) -> np.ndarray:
        """Return the distances between neighbouring images, root mean square over values in [-1, 1]."""
        images = self.model.values(self.latents(shares), self.label)
        return images.diff(dim=0).flatten(1).square().mean(1).sqrt().double().numpy()

    def length(self, frames: int, num_parts: int) -> float:
        """Return the length of the path in the space of images, measured with as many steps as usual."""
        return float(self.steps(_evenly(max(DENSITY, frames // num_parts))).sum())

    def even_shares(self, num: int) -> Tensor:
        """Return ``num`` + 1 fractions from 0 to 1 whose images are equally far from one to the next.

        Distances of the present fractions tell where the images change fast; fractions are moved there until
        the steps are equal. The best ones of all rounds are returned.
        """
        shares = _evenly(num * DENSITY)
        steps, best, best_ratio = self.steps(shares), _evenly(num), np.inf
        for _ in range(ROUNDS):
            if steps.max() <= ALIKE:
                return best
            shares = _respaced(shares, steps, num)
            steps = self.steps(shares)
            ratio = steps.max() / max(steps.min(), 1e-12)
            if ratio < best_ratio:
                best, best_ratio = shares, ratio
            if ratio <= GOAL:
                break
        return best


def _evenly(num: int) -> Tensor:
    return torch.linspace(0, 1, num + 1, dtype=torch.float64)


def _respaced(shares: Tensor, steps: np.ndarray, num: int) -> Tensor:
    """Return ``num`` + 1 fractions at equal distances, which grow linearly between the present ones."""
    # A small part of the mean keeps the way increasing where images do not change at all.
    way = np.concatenate([[0.0], np.cumsum(steps + 1e-3 * steps.mean())])
    spaced = np.interp(np.linspace(0, way[-1], num + 1), way, shares.numpy())
    spaced[0], spaced[-1] = 0.0, 1.0
    return torch.from_numpy(spaced)


def _shared_out(lengths: Sequence[float], num: int) -> list[int]:
    """Share ``num`` steps among parts so that the largest step is as small as possible; each gets one."""
    numbers = np.ones(len(lengths), np.int64)
    for _ in range(num - len(lengths)):
        numbers[np.argmax(np.asarray(lengths) / numbers)] += 1
    return numbers.tolist()


def _ratio(steps: np.ndarray) -> float | None:
    """Return the largest step divided by the smallest; None if two neighbours are alike."""
    return float(steps.max() / steps.min()) if steps.min() > ALIKE else None
