"""Arithmetic of latents: means of groups are added and subtracted (Radford et al. 2015, section 6.3.2).

The sum of single latents is unstable; means of three or more are not. The mean of n latents is short, so the
sum is scaled to the length of a draw; without this, fewer sums come out as expected (docs/inside.md).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganzfeld.errors import UsageError
from ganzfeld.inside.attributes import Reader
from ganzfeld.inside.latent_model import LatentModel, Subject, latent_model
from ganzfeld.inside.reading import read_images, reader_if_any, words_of
from ganzfeld.latent import latents_of_seeds, priors, seeds_of
from ganzfeld.progress import CountCallback, counting

JITTER = 0.25
"""The images around the sum add uniform noise of this size to each component, as in the paper."""
NUM_CHANCE = 256
"""Random images from which the chance of being right is counted."""
FIRST_CHANCE_SEED = 2**31


@dataclass(frozen=True)
class Group:
    """A group of latents whose mean is added (``sign`` 1) or subtracted (-1).

    ``images`` are those of the seeds, uint8 (n, H, W, C), and ``mean_image`` (H, W, C) that of their mean.
    """

    sign: int
    seeds: tuple[int, ...]
    images: np.ndarray
    mean_image: np.ndarray


@dataclass(frozen=True)
class Expectation:
    """An attribute that a sum determines: the value expected, the value read, and its share by chance."""

    name: str
    expected: str
    read: str
    chance: float

    @property
    def is_right(self) -> bool:
        """True if the image has the expected value."""
        return self.read == self.expected


@dataclass(frozen=True)
class LatentSum:
    """The result of the arithmetic.

    - ``latent`` (latent_size,) and ``image``, uint8 (H, W, C);
    - ``around``: nine images (9, H, W, C) in reading order, ``image`` in the middle, the others of latents
      beside it;
    - ``expectations``: what the attributes of the groups say about the result; None if no attributes are
      known, or if they were not checked, which ``is_checked`` tells;
    - ``reader``: how far the reading of attributes can be trusted, in words.
    """

    latent: Tensor
    groups: tuple[Group, ...]
    around: np.ndarray
    label: int | None
    expectations: tuple[Expectation, ...] | None
    reader: str = ""
    is_checked: bool = True

    @property
    def image(self) -> np.ndarray:
        """The image of the sum, uint8 (H, W, C)."""
        return self.around[4]

    @property
    def num_right(self) -> int | None:
        """The number of attributes that are as expected; None if none are known."""
        return None if self.expectations is None else sum(entry.is_right for entry in self.expectations)

    @property
    def sentence(self) -> str:
        """Whether it worked, in words."""
        if not self.is_checked:
            return "not checked: only the images tell whether it worked"
        if self.expectations is None:
            return "no attributes of these images are known, so only the images tell whether it worked"
        if not self.expectations:
            return "the groups have too little in common to say what the sum should show"
        chance = sum(entry.chance for entry in self.expectations)
        worked = "worked" if (self.num_right or 0) > chance else "did not work"
        return (
            f"the sum {worked}: {self.num_right} of {len(self.expectations)} attributes are as expected (a"
            f" random image: {chance:.1f}); {self.reader}"
        )


def latent_add(
    subject: Subject,
    plus: Sequence[Sequence[int]],
    minus: Sequence[Sequence[int]] = (),
    *,
    of: str | int | None = None,
    seed: int = 0,
    check: bool = True,
    progress: bool | CountCallback | None = None,
) -> LatentSum:
    """Add the mean latents of the groups of seeds ``plus``, and subtract those of ``minus``.

    ``of`` is the class of all images; by default that of the first seed. ``seed`` draws the latents around
    the sum. With ``check``, the attributes of the groups say what the sum should show, where attributes of
    the training images are known: of the built-in faces, and of images with classes. Raises ``UsageError``
    without a group in ``plus``, for an empty group, and for what ``ganzfeld.load`` refuses.

    >>> latent_add("runs/faces-001", [[3, 7, 9], [2, 5, 6]], [[1, 4, 8]]).sentence  # doctest: +SKIP
    """
    model, report = latent_model(subject), counting(progress)
    signed = [(1, seeds_of(group)) for group in plus] + [(-1, seeds_of(group)) for group in minus]
    if not plus or not all(len(seeds) for _, seeds in signed):
        raise UsageError(
            "a sum needs at least one group that is added, and a seed in every group",
            "For example --plus 3,7,9 --minus 1,4,8 --plus 2,5,6.",
        )
    label = model.label(of, int(signed[0][1][0]))
    latents = [model.latents(seeds) for _, seeds in signed]
    latent = sum_of(model, [(sign, group) for (sign, _), group in zip(signed, latents, strict=True)])
    groups = []
    for (sign, seeds), group in zip(signed, latents, strict=True):
        images = model.pixels(torch.cat((group, group.mean(0, keepdim=True))), label)
        groups.append(Group(sign, tuple(int(seed) for seed in seeds), images[:-1], images[-1]))
    around = model.pixels(_around(model, latent, seed), label)
    # Every image of a conditional run has the class that it is asked for, whatever its latent.
    run = model.run if check and not model.generator.num_classes else None
    reader = reader_if_any(run, report) if run else None
    if reader is None:
        return LatentSum(latent, tuple(groups), around, label, None, is_checked=check)
    codes = [read_images(model, reader, group, label, report) for group in latents]
    signs = [sign for sign, _ in signed]
    expectations = _compare(model, reader, latent, signs, codes, label)
    return LatentSum(latent, tuple(groups), around, label, expectations, reader.sentence)


def sum_of(model: LatentModel, groups: Sequence[tuple[int, Tensor]]) -> Tensor:
    """Return the signed sum (latent_size,) of the means of groups (n, latent_size), as long as a draw is."""
    total = torch.stack([sign * group.mean(0) for sign, group in groups]).sum(0, keepdim=True)
    size = model.latent_size
    length = (size * priors.load(model.prior).variance(size)) ** 0.5
    return model.onto(total * (length / total.norm().clamp_min(1e-12)))[0]


def _around(model: LatentModel, latent: Tensor, seed: int) -> Tensor:
    """Return nine latents (9, latent_size): the one in the middle, and eight beside it."""
    noise = latents_of_seeds([seed], 9 * model.latent_size, "uniform").reshape(9, -1)
    noise[4] = 0
    around = model.onto(latent + JITTER * noise)
    around[4] = latent
    return around


def expected_codes(signs: Sequence[int], codes: Sequence[np.ndarray]) -> list[int | None]:
    """Return the value of each attribute that a sum of groups should show; None where they do not say.

    ``codes`` are the attributes of each group's images, (n, attributes). The value of a group is that of more
    than half of its images. Values that are added and subtracted cancel; what is left must be one value.

    >>> a, b, c = (np.array([[hair, skin]]) for hair, skin in ((1, 5), (1, 6), (2, 6)))
    >>> expected_codes([1, -1, 1], [a, b, c])
    [2, 5]
    """
    expected: list[int | None] = []
    for column in range(codes[0].shape[1]):
        left: Counter[int] = Counter()
        for sign, group in zip(signs, codes, strict=True):
            value, number = Counter(group[:, column].tolist()).most_common(1)[0]
            if number * 2 <= len(group):
                left.clear()
                break
            left[value] += sign
        remaining = [(value, number) for value, number in left.items() if number]
        is_clear = len(remaining) == 1 and remaining[0][1] > 0
        expected.append(remaining[0][0] if is_clear else None)
    return expected


def _compare(
    model: LatentModel,
    reader: Reader,
    latent: Tensor,
    signs: Sequence[int],
    codes: Sequence[np.ndarray],
    label: int | None,
) -> tuple[Expectation, ...]:
    """Compare the attributes of the sum with the expected ones."""
    random = model.latents(range(FIRST_CHANCE_SEED, FIRST_CHANCE_SEED + NUM_CHANCE))
    random_codes = reader.codes(model.values(random, label))
    read = words_of(reader, reader.codes(model.values(latent[None], label))[0].tolist())
    compared = []
    for column, code in enumerate(expected_codes(signs, codes)):
        if code is not None:
            name, chance = reader.table.names[column], float((random_codes[:, column] == code).mean())
            compared.append(Expectation(name, reader.table.values[column][code], read[name], chance))
    return tuple(compared)
