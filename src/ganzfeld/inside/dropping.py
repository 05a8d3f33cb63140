"""Drop maps of a generator that answer for an attribute, and see whether the attribute goes.

After Radford et al. 2015, section 6.3.2, where windows were marked by hand in images of bedrooms, a logistic
regression on the maps of the second highest layer told which of them draw windows, and these were set to 0.
Here nobody marks boxes: a reader names the attributes of generated images, and the place of an attribute is
where images with and without it differ.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import DataError, UsageError
from ganzfeld.inside.attributes import Reader
from ganzfeld.inside.latent_model import LatentModel, latent_model, require_run
from ganzfeld.inside.probe import fit_classifier
from ganzfeld.inside.reading import read_images, reader_for
from ganzfeld.inside.success import Success, wilson
from ganzfeld.networks import Generator
from ganzfeld.progress import CountCallback, counting, silent
from ganzfeld.runs import Run

NUM_READ = 2_048
"""Generated images in which maps are looked for."""
NUM_TESTED = 1_024
"""Other generated images, among which those with the attribute are tested."""
MOST_TESTED = 200
LEAST = 20
"""The fewest images with and without the attribute."""
SHARE = 1 / 8
"""The share of the maps that is dropped."""
CELLS = 8
"""The most cells per axis in which an attribute is located."""
NUM_RANDOM = 8
"""Random sets of maps, to whose effect that of the chosen ones is compared."""
NUM_SHOWN = 8
FIRST_SEED = 2**30 + 2**22
RANDOM = 0xD409


@dataclass(frozen=True)
class DroppedMaps:
    """What dropping maps of a layer of the generator does to images with an attribute.

    - ``value``: the attribute, as ``attribute=value``; ``maps``: the numbers of the dropped maps, of
      ``num_maps`` of ``layer``, the most important first;
    - ``gone``: of ``num_tested`` images that had it, the share that no longer has it; ``random_gone`` is the
      mean of 8 random sets of as many other maps, ``worst_random`` the largest of them;
    - ``others`` and ``random_others``: the share of other attributes that changed; None if there are none;
    - ``images`` uint8 (3, 8, H, W, C): before, with the maps dropped, with random maps dropped.
    """

    value: str
    layer: str
    maps: tuple[int, ...]
    num_maps: int
    num_tested: int
    gone: Success
    random_gone: float
    worst_random: float
    others: float | None
    random_others: float | None
    images: np.ndarray
    reader: str

    @property
    def sentence(self) -> str:
        """Whether the attribute goes, in words."""
        beats_all = self.gone.low > self.random_gone and self.gone.value > self.worst_random
        worked = "worked" if beats_all else "did not work"
        others = ""
        if self.others is not None:
            others = (
                f", and {self.others:.0%} of other attributes changed ({self.random_others:.0%} at random)"
            )
        return (
            f"it {worked}: {self.value} goes from {self.gone.text} of {self.num_tested} images when"
            f" {len(self.maps)} of {self.num_maps} maps of {self.layer} are dropped, and from"
            f" {self.random_gone:.0%} when as many random ones are (at most {self.worst_random:.0%}){others};"
            f" {self.reader}"
        )


def drop_maps(
    run: Run | str | Path,
    value: str,
    *,
    layer: str | None = None,
    of: str | int | None = None,
    progress: bool | CountCallback | None = None,
) -> DroppedMaps:
    """Drop the maps of a layer of the generator that answer for an attribute.

    ``value`` is such as ``beard=none`` (built-in faces) or ``class=cats``. An eighth of the maps is dropped:
    those that add the most to the score of a logistic regression, fitted to maps at the place where generated
    images with and without the attribute differ. Tested on other images. ``layer`` is ``projection`` or
    ``layer-1`` and so on, by default the second highest. Raises ``UsageError`` for an unknown layer or
    attribute, and ``DataError`` if nothing is known of the images of the run, or if fewer than 20 generated
    images have the attribute or lack it.
    """
    model, report = latent_model(run), counting(progress)
    label = model.label(of)
    require_hidden(model.generator, layer)
    reader = reader_for(require_run(model, "an attribute"), None, None, report)
    if reader is None:
        raise DataError(
            "nothing is known of the training images, so there are no attributes",
            "Train on images in folders by class, or with --labels.",
        )
    return drop_maps_of(model, reader, value, label, report, layer)


def drop_maps_of(
    model: LatentModel,
    reader: Reader,
    value: str,
    label: int | None,
    progress: CountCallback,
    layer: str | None = None,
) -> DroppedMaps:
    """Drop the maps of a model that answer for an attribute that a reader can read; see ``drop_maps``."""
    attribute, code = _place_of(reader, value)
    name = require_hidden(model.generator, layer)
    module = hidden_layers(model.generator)[name]
    latents = model.latents(range(FIRST_SEED, FIRST_SEED + NUM_READ + NUM_TESTED))
    codes, pooled, images = _read(model, module, reader, latents[:NUM_READ], label, progress)
    scores = importance(pooled, images, codes[:, attribute] == code, value)
    ordered = np.argsort(-scores)
    num = max(1, round(SHARE * len(scores)))
    maps = [int(index) for index in ordered[:num] if scores[index] > 0]
    before = read_images(model, reader, latents[NUM_READ:], label, progress)
    having = np.flatnonzero(before[:, attribute] == code)[:MOST_TESTED]
    _require_enough(len(having), value)
    tested = latents[NUM_READ:][torch.from_numpy(having)]

    def changes(dropped: list[int]) -> tuple[float, float]:
        with without_maps(module, dropped):
            after = read_images(model, reader, tested, label, silent)
        changed = np.delete(after != before[having], attribute, 1)
        return float((after[:, attribute] != code).mean()), float(changed.mean()) if changed.size else 0.0

    gone, others = changes(maps)
    sets = random_sets(len(scores), maps)
    by_chance = []
    for index, dropped in enumerate(sets):
        progress(index, NUM_RANDOM, "dropping random maps")
        by_chance.append(changes(dropped))
    progress(NUM_RANDOM, NUM_RANDOM, "dropping random maps")
    rows = []
    for dropped in ([], maps, sets[0]):
        with without_maps(module, dropped):
            rows.append(model.pixels(tested[:NUM_SHOWN], label))
    several = len(reader.table.names) > 1
    return DroppedMaps(
        value,
        name,
        tuple(maps),
        len(scores),
        len(having),
        wilson(gone, len(having)),
        float(np.mean([pair[0] for pair in by_chance])),
        max(pair[0] for pair in by_chance),
        others if several else None,
        float(np.mean([pair[1] for pair in by_chance])) if several else None,
        np.stack(rows),
        reader.sentence,
    )


def hidden_layers(generator: Generator) -> dict[str, nn.Module]:
    """Return the layers of a generator before the one that makes the image, by name, from the latent on.

    ``projection`` makes the first maps from the latent, ``layer-1`` enlarges these, and so on.
    """
    layers: dict[str, nn.Module] = {"projection": generator.projection}
    layers |= {f"layer-{number}": layer for number, layer in enumerate(list(generator.layers)[:-1], 1)}
    return layers


def require_hidden(generator: Generator, name: str | None) -> str:
    """Return the name of a layer, by default of the highest. Raises ``UsageError`` for an unknown one."""
    names = list(hidden_layers(generator))
    if name is not None and name not in names:
        raise UsageError(f"the generator has no {name!r} before its image", did_you_mean(name, names))
    return name or names[-1]


def random_sets(num_maps: int, maps: Sequence[int]) -> list[list[int]]:
    """Draw sets of as many other maps, or of all others where these are fewer."""
    random = np.random.default_rng(RANDOM)
    rest = np.setdiff1d(np.arange(num_maps), maps)
    size = min(len(maps), len(rest))
    return [random.choice(rest, size, replace=False).tolist() for _ in range(NUM_RANDOM)]


@contextmanager
def without_maps(layer: nn.Module, maps: Sequence[int]) -> Iterator[None]:
    """Set maps of a layer to 0 everywhere while the block runs."""

    def drop(_module: nn.Module, _inputs: object, outputs: Tensor) -> Tensor:
        kept = outputs.clone()
        kept[:, list(maps)] = 0
        return kept

    hook = layer.register_forward_hook(drop)
    try:
        yield
    finally:
        hook.remove()


def importance(maps: Tensor, images: Tensor, has_value: np.ndarray, value: str = "it") -> np.ndarray:
    """Return how much each map adds to the score of an attribute in images that have it, (C,).

    ``maps`` (N, C, h, w) and ``images`` (N, channels, h, w) are averaged over the same cells; ``has_value``
    (N,) says which images have the attribute. A cell counts by the squared difference of the mean images with
    and without it. Raises ``DataError`` if fewer than 20 images have it or lack it.
    """
    _require_enough(min(int(has_value.sum()), int((~has_value).sum())), value)
    having = torch.from_numpy(has_value)
    difference = images[having].mean(0) - images[~having].mean(0)
    place = difference.square().sum(0)
    place = place / place.sum().clamp_min(1e-12)
    features = (maps * place).sum((2, 3))
    classifier = fit_classifier(features.clone(), has_value.astype(np.int64), 2, silent)
    slopes = (classifier.weights[:-1, 1] - classifier.weights[:-1, 0]) / classifier.scale
    return (slopes * features[having].mean(0)).numpy()


def _read(
    model: LatentModel,
    layer: nn.Module,
    reader: Reader,
    latents: Tensor,
    label: int | None,
    progress: CountCallback,
) -> tuple[np.ndarray, Tensor, Tensor]:
    """Return attributes (N, attributes) of images, and maps of a layer and images, averaged over cells."""
    parts: list[Tensor] = []
    images: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, outputs: Tensor) -> None:
        parts.append(_averaged(outputs.detach(), CELLS, CELLS))

    hook = layer.register_forward_hook(keep)
    codes = []
    try:
        for first in range(0, len(latents), 512):
            progress(first, len(latents), "looking for maps of the attribute")
            values = model.values(latents[first : first + 512], label)
            codes.append(reader.codes(values))
            images.append(_averaged(values, parts[0].shape[2], parts[0].shape[3]))
    finally:
        hook.remove()
    progress(len(latents), len(latents), "looking for maps of the attribute")
    return np.concatenate(codes), torch.cat(parts), torch.cat(images)


def _averaged(maps: Tensor, rows: int, columns: int) -> Tensor:
    height, width = maps.shape[2:]
    return functional.adaptive_avg_pool2d(maps, (min(height, rows), min(width, columns)))


def _place_of(reader: Reader, value: str) -> tuple[int, int]:
    """Return the index of an attribute and of its value. Raises ``UsageError`` for an unknown one."""
    table = reader.table
    name, _, word = value.partition("=")
    if value not in table.all_values:
        raise UsageError(f"unknown attribute {value!r}", did_you_mean(value, table.all_values))
    attribute = table.names.index(name)
    return attribute, table.values[attribute].index(word)


def _require_enough(num: int, value: str) -> None:
    if num < LEAST:
        raise DataError(
            f"{num} generated images have {value} or lack it, and at least {LEAST} of either kind are needed",
            "Choose another attribute, or train longer.",
        )
