"""Directions of the latent space: those that change images the most, and those that change one attribute."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import DataError, UsageError
from ganzfeld.inside.attributes import AttributeTable, Reader
from ganzfeld.inside.jacobian import mean_square_jacobian
from ganzfeld.inside.latent_model import LatentModel, Subject, latent_model, require_run
from ganzfeld.inside.reading import Location, read_images, reader_for, reader_if_any
from ganzfeld.inside.success import Success, interval, measure_success, overall
from ganzfeld.progress import CountCallback, counting
from ganzfeld.value_kinds import is_whole

Kind = Literal["auto", "change", "attributes"]
KINDS = ("auto", "change", "attributes")

NUM_DIFFERENTIATED = 32
"""Latents over which J'J is averaged."""
NUM_READ = 4_096
"""Generated images from whose attributes the directions are found."""
RAREST = 0.01
"""The smallest share of generated images with a value that gets a direction of its own."""
STILLNESS = 0.2
"""How strictly a direction leaves other attributes alone: less is stricter, and changes its own less."""
NUM_TESTED = 48
"""Latents that a direction is tested on; none of them was used to find it."""
FIRST_SEEDS = {"found": 2**30, "tested": 2**30 + 2**20, "random": 2**30 + 2**21}
"""The first seed of each kind of latents, far from seeds that users look at."""


@dataclass(frozen=True)
class Direction:
    """A direction: a unit vector (latent_size,), and what is known of it.

    - ``name``: ``change-1``, ``change-2``, ... or ``attribute=value``;
    - ``share``: the share of the mean square change of images for short steps; None for attributes;
    - ``strength``: how much farther than a random direction of that length a step moves images; None for
      attributes;
    - ``success``: of tested images without the value, the share that has it after the step; None for changes;
    - ``collateral``: the share of other attributes that the step changed; None for changes, or if there is
      only one attribute.
    """

    name: str
    vector: Tensor
    share: float | None = None
    strength: float | None = None
    success: Success | None = None
    collateral: Success | None = None


@dataclass(frozen=True)
class Directions:
    """Directions, the size of the step that they were tested with, and whether they work.

    ``success`` and ``collateral`` are means over all directions, ``random_success`` and ``random_collateral``
    those of random directions of the same length; all are None for changes. ``reader`` says how far the
    reading of attributes can be trusted.
    """

    kind: Literal["change", "attributes"]
    directions: tuple[Direction, ...]
    step: float
    label: int | None
    success: Success | None = None
    collateral: Success | None = None
    random_success: float | None = None
    random_collateral: float | None = None
    reader: str = ""

    @property
    def vectors(self) -> Tensor:
        """All directions, (n, latent_size)."""
        return torch.stack([direction.vector for direction in self.directions])

    @property
    def sentence(self) -> str:
        """Whether it worked, in words."""
        if self.success is None:
            share = sum(direction.share or 0 for direction in self.directions)
            first = self.directions[0]
            worked = "worked" if (first.strength or 0) > 1 else "did not work"
            return (
                f"it {worked}: {len(self.directions)} of {len(first.vector)} directions hold {share:.0%} of"
                f" the change of images for short steps, and a step of {self.step:g} along the first moves"
                f" images {first.strength or 0:.1f} times as far as along a random one"
            )
        worked = "worked" if self.success.low > (self.random_success or 0) else "did not work"
        others = ""
        if self.collateral is not None:
            others = (
                f", and {self.collateral.text} of other attributes changed with it"
                f" ({self.random_collateral or 0:.0%} by random directions)"
            )
        return (
            f"it {worked}: a step of {self.step:g} gave {self.success.text} of images the attribute asked for"
            f" ({self.random_success or 0:.0%} by random directions){others}; {self.reader}"
        )


def latent_directions(
    subject: Subject,
    kind: Kind = "auto",
    *,
    num: int = 5,
    only: Sequence[str] = (),
    data: Location | None = None,
    labels: Location | None = None,
    of: str | int | None = None,
    step: float = 6.0,
    progress: bool | CountCallback | None = None,
) -> Directions:
    """Find directions of the latent space, and test them on latents that were not used to find them.

    - ``change``: the ``num`` leading eigenvectors of the mean of J'J, J being the Jacobian of the image. They
      are numbered, not named: what they mean is for people to say.
    - ``attributes``: a direction for each value of the attributes that are known of the training images: of
      the built-in faces, of images with classes, or of ``data`` (images in folders by class, by default those
      of the run) with ``labels`` (a table of file names and labels). It leaves other attributes alone where
      it can. ``only`` names values, such as ``beard=none``, or whole attributes.
    - ``auto``: attributes if any are known, otherwise changes.

    ``step`` is the length of the step that the test makes; a normal latent vector is about the root of its
    size long. Raises ``UsageError`` for invalid arguments, and ``DataError`` if nothing or too little is
    known of the images.
    """
    if kind not in KINDS:
        raise UsageError(f"unknown kind of directions {kind!r}", did_you_mean(str(kind), KINDS))
    if not 0 < step <= 100:
        raise UsageError(f"a step is above 0 and at most 100, not {step:g}", "6 is usual.")
    model, report = latent_model(subject), counting(progress)
    label = model.label(of)
    asked = bool(only) or data is not None or labels is not None
    if asked and kind == "change":
        raise UsageError(
            "labels, data and names of attributes are for directions of attributes",
            "Leave out --kind change.",
        )
    reader = None
    if asked or kind == "attributes":
        reader = reader_for(require_run(model, "a direction of an attribute"), data, labels, report)
    elif kind == "auto" and model.run and not model.generator.num_classes:
        # Every image of a conditional run has the class that it is asked for, so that none is left to find.
        reader = reader_if_any(model.run, report)
    if reader is not None:
        return _of_attributes(model, reader, list(only), label, step, report)
    if asked or kind == "attributes":
        raise DataError(
            "nothing is known of the training images, so there are no attributes",
            "Name a table with --labels, or leave out --kind attributes.",
        )
    return _of_change(model, num, label, step, report)


def _of_change(
    model: LatentModel, num: int, label: int | None, step: float, progress: CountCallback
) -> Directions:
    """Return the directions along which images change the most, the strongest first."""
    if not is_whole(num) or not 1 <= num <= model.latent_size:
        raise UsageError(f"there are from 1 to {model.latent_size} directions, not {num!r}", "5 is usual.")
    latents = model.latents(_seeds("found", NUM_DIFFERENTIATED))
    mean = mean_square_jacobian(model, latents, label, progress)
    values, vectors = leading_eigenvectors(mean, num)
    tested = model.latents(_seeds("tested", NUM_TESTED))
    random = _random_directions(model, len(tested))
    far = _distances(model, tested, random, step, label).mean().clamp_min(1e-12)
    total = float(mean.trace()) or 1.0
    directions = [
        Direction(
            f"change-{number}",
            vector.float(),
            share=float(value) / total,
            strength=float(_distances(model, tested, vector.float(), step, label).mean() / far),
        )
        for number, (value, vector) in enumerate(zip(values, vectors, strict=True), 1)
    ]
    return Directions("change", tuple(directions), step, label)


def leading_eigenvectors(matrix: Tensor, num: int) -> tuple[Tensor, Tensor]:
    """Return the largest eigenvalues (num,) of a symmetric matrix, descending, and unit vectors (num, size).

    The sign of a vector is arbitrary; here its largest component is positive.
    """
    values, vectors = torch.linalg.eigh(matrix)
    values, vectors = values.flip(0)[:num], vectors.T.flip(0)[:num]
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return values, vectors * largest.sign()


def _distances(
    model: LatentModel, latents: Tensor, directions: Tensor, step: float, label: int | None
) -> Tensor:
    """Return how far a step moves the image of each latent: root mean square over its values, (n,)."""
    moved = model.values(model.onto(latents + step * directions), label)
    return (moved - model.values(latents, label)).flatten(1).square().mean(1).sqrt()


def _of_attributes(
    model: LatentModel,
    reader: Reader,
    only: list[str],
    label: int | None,
    step: float,
    progress: CountCallback,
) -> Directions:
    """Return a direction for each value of the attributes, or for those named, and test all of them."""
    latents = model.latents(_seeds("found", NUM_READ))
    codes = read_images(model, reader, latents, label, progress)
    columns = _columns(reader.table, codes, only)
    vectors = attribute_directions(latents, codes, reader.table)[columns]
    tested = model.latents(_seeds("tested", NUM_TESTED))

    def codes_after(direction: Tensor) -> np.ndarray:
        return reader.codes(model.values(model.onto(tested + step * direction), label))

    before = reader.codes(model.values(tested, label))
    counts, directions = [], []
    for index, (column, vector) in enumerate(zip(columns, vectors, strict=True)):
        progress(index, len(columns), "testing directions")
        count = measure_success(before, codes_after(vector), *_place(reader.table, column))
        counts.append(count)
        success, collateral = (interval(count, part) for part in ("success", "collateral"))
        name = reader.table.all_values[column]
        directions.append(Direction(name, vector, success=success, collateral=collateral))
    progress(len(columns), len(columns), "testing directions")
    if not any(direction.success for direction in directions):
        raise DataError(
            "no generated image lacks the attributes asked for, so their directions cannot be tested",
            "Choose others with --only.",
        )
    after_random = codes_after(_random_directions(model, len(tested)))
    by_chance = [measure_success(before, after_random, *_place(reader.table, column)) for column in columns]
    random_success, random_collateral = (overall(by_chance, part) for part in ("success", "collateral"))
    return Directions(
        "attributes",
        tuple(directions),
        step,
        label,
        overall(counts, "success"),
        overall(counts, "collateral"),
        random_success.value if random_success else None,
        random_collateral.value if random_collateral else None,
        reader.sentence,
    )


def attribute_directions(latents: Tensor, codes: np.ndarray, table: AttributeTable) -> Tensor:
    """Return a unit vector for each value of all attributes, float32 (columns, latent_size).

    A linear regression tells how fast each value becomes more likely along each component of the latent. The
    direction of a value follows its own slope w, and avoids the slopes w_j of the values of all other
    attributes: d = (S + r)^-1 w, with S the mean of w_j w_j', scaled to trace ``latent_size``, and the ridge
    r = 0.2. With one attribute there is nothing to avoid, and d = w.
    """
    centred = latents.double() - latents.double().mean(0)
    indicators = table.indicators(codes)
    identity = torch.eye(latents.shape[1], dtype=torch.float64)
    slopes = torch.linalg.solve(
        centred.T @ centred + identity, centred.T @ (indicators - indicators.mean(0))
    ).T
    directions = []
    for low, high in pairwise(table.ends):
        others = torch.cat((slopes[:low], slopes[high:]))
        avoided = others.T @ others
        scale = avoided.trace().clamp_min(1e-30) / len(identity)
        directions.append(torch.linalg.solve(avoided / scale + STILLNESS * identity, slopes[low:high].T).T)
    return torch.nn.functional.normalize(torch.cat(directions), dim=1).float()


def _columns(table: AttributeTable, codes: np.ndarray, only: list[str]) -> list[int]:
    """Return the columns that get a direction: those named, or all that are not too rare.

    Raises ``UsageError`` for an unknown name, and ``DataError`` for a value that no generated image has.
    """
    counts = table.indicators(codes).sum(0).numpy()
    values = table.all_values
    if not only:
        common = [
            column
            for column, number in enumerate(counts)
            if RAREST * len(codes) <= number <= (1 - RAREST) * len(codes)
        ]
        if not common:
            raise DataError(
                "all generated images have the same attributes, so there is nothing to change",
                "Train longer; ganzfeld doctor tells whether the run collapsed.",
            )
        return common
    columns = []
    for name in only:
        matching = [column for column, value in enumerate(values) if name in (value, value.partition("=")[0])]
        if not matching:
            raise UsageError(f"unknown attribute {name!r}", did_you_mean(name, [*table.names, *values]))
        missing = [values[column] for column in matching if not 0 < counts[column] < len(codes)]
        if name in missing:
            raise DataError(
                f"none or all of {len(codes):,} generated images have {name}, so it has no direction",
                "Choose another attribute, or train longer.",
            )
        columns += [column for column in matching if values[column] not in missing]
    return columns


def _place(table: AttributeTable, column: int) -> tuple[int, int]:
    """Return the attribute of a column, and which of its values."""
    attribute = int(np.searchsorted(table.ends, column, side="right")) - 1
    return attribute, column - table.ends[attribute]


def _seeds(kind: str, num: int) -> range:
    return range(FIRST_SEEDS[kind], FIRST_SEEDS[kind] + num)


def _random_directions(model: LatentModel, num: int) -> Tensor:
    """Return random unit vectors (num, latent_size)."""
    return torch.nn.functional.normalize(model.latents(_seeds("random", num)), dim=1)
