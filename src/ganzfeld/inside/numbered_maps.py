"""Drop maps of a generator by their numbers, and see what that changes in its images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ganzfeld.errors import UsageError
from ganzfeld.inside.attributes import Reader
from ganzfeld.inside.dropping import (
    FIRST_SEED,
    NUM_READ,
    NUM_SHOWN,
    hidden_layers,
    random_sets,
    require_hidden,
    without_maps,
)
from ganzfeld.inside.latent_model import LatentModel, Subject, latent_model
from ganzfeld.inside.reading import reader_if_any
from ganzfeld.networks import Generator
from ganzfeld.printable import counted, listed
from ganzfeld.progress import CountCallback, counting
from ganzfeld.value_kinds import is_whole

NUM_CHANGED = 200
"""Generated images in which the change is measured."""
LEVELS = 127.5
"""Levels of a byte per unit of the generator's values."""


@dataclass(frozen=True)
class DroppedNumbers:
    """What dropping some maps of a layer of the generator does to images.

    - ``maps``: their numbers, of ``num_maps`` of ``layer``;
    - ``change``: how far the ``num_tested`` images move, root mean square in levels of 255;
      ``random_change`` is the mean of 8 random sets of as many other maps, ``most_random_change`` the
      largest of them;
    - ``changed`` and ``random_changed``: for each known attribute the share of images in which it is another
      one afterwards, by name; empty if no attributes are known;
    - ``images`` uint8 (3, 8, H, W, C): before, with the maps dropped, with random maps dropped.
    """

    layer: str
    maps: tuple[int, ...]
    num_maps: int
    num_tested: int
    change: float
    random_change: float
    most_random_change: float
    changed: dict[str, float]
    random_changed: dict[str, float]
    images: np.ndarray
    reader: str = ""

    @property
    def most_changed(self) -> str | None:
        """The attribute that changes the most beyond what random maps do; None if none are known."""
        return max(
            self.changed, key=lambda name: self.changed[name] - self.random_changed[name], default=None
        )

    @property
    def sentence(self) -> str:
        """What the maps do, in words."""
        if self.change > self.most_random_change:
            verdict = "more than any of 8 random sets"
        else:
            verdict = "not more than random ones"
        name = self.most_changed
        attribute = ""
        if name is not None:
            attribute = (
                f"; most of all {name} changes, in {self.changed[name]:.0%} of images"
                f" ({self.random_changed[name]:.0%} at random); {self.reader}"
            )
        numbers = listed([str(number) for number in self.maps])
        dropped = f"{'map' if len(self.maps) == 1 else 'maps'} {numbers} of {self.num_maps} of {self.layer}"
        return (
            f"dropping {dropped} changes images by"
            f" {self.change:.1f} levels, {verdict} (mean {self.random_change:.1f}, at most"
            f" {self.most_random_change:.1f}){attribute}"
        )


def drop_numbers(
    run: Subject,
    maps: Sequence[int],
    *,
    layer: str | None = None,
    of: str | int | None = None,
    progress: bool | CountCallback | None = None,
) -> DroppedNumbers:
    """Drop the maps with some numbers, from 0, of a layer of the generator.

    ``layer`` is ``projection`` or ``layer-1`` and so on, by default the second highest. Measured on 200
    generated images, beside random sets of as many other maps. Raises ``UsageError`` for an unknown layer,
    for numbers that it does not have or that are named twice, and for none or all of its maps.
    """
    model, report = latent_model(run), counting(progress)
    name = require_hidden(model.generator, layer)
    chosen = require_maps(model.generator, name, maps)
    label = model.label(of)
    reader = None if model.run is None else reader_if_any(model.run, report)
    return drop_numbers_of(model, reader, chosen, label, report, name)


def drop_numbers_of(
    model: LatentModel,
    reader: Reader | None,
    maps: Sequence[int],
    label: int | None,
    progress: CountCallback,
    layer: str | None = None,
) -> DroppedNumbers:
    """Drop maps of a model; ``reader`` names what changes, if attributes are known. See ``drop_numbers``."""
    name = require_hidden(model.generator, layer)
    module = hidden_layers(model.generator)[name]
    first = FIRST_SEED + NUM_READ
    latents = model.latents(range(first, first + NUM_CHANGED))
    before = model.values(latents, label)
    codes = None if reader is None else reader.codes(before)

    def changes(dropped: Sequence[int]) -> tuple[float, np.ndarray]:
        with without_maps(module, dropped):
            after = model.values(latents, label)
        distance = LEVELS * (after - before).square().mean((1, 2, 3)).sqrt().mean()
        if reader is None or codes is None:
            return float(distance), np.empty(0)
        return float(distance), (reader.codes(after) != codes).mean(0)

    change, changed = changes(maps)
    num_maps = num_maps_of(model.generator, name)
    sets = random_sets(num_maps, maps)
    by_chance = []
    for index, dropped in enumerate(sets):
        progress(index, len(sets), "dropping random maps")
        by_chance.append(changes(dropped))
    progress(len(sets), len(sets), "dropping random maps")
    rows = []
    for dropped in ([], maps, sets[0]):
        with without_maps(module, dropped):
            rows.append(model.pixels(latents[:NUM_SHOWN], label))
    names = () if reader is None else reader.table.names
    random_changes = [pair[0] for pair in by_chance]
    random_changed = np.mean([pair[1] for pair in by_chance], 0)
    return DroppedNumbers(
        name,
        tuple(maps),
        num_maps,
        len(latents),
        change,
        float(np.mean(random_changes)),
        max(random_changes),
        dict(zip(names, changed.tolist(), strict=True)),
        dict(zip(names, random_changed.tolist(), strict=True)),
        np.stack(rows),
        "" if reader is None else reader.sentence,
    )


def numbers_in(text: str) -> list[int] | None:
    """Return the numbers of ``3,17``; None for anything else, such as an attribute.

    >>> numbers_in("3, 17"), numbers_in("beard=none")
    ([3, 17], None)
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        return None
    return [int(part) for part in parts]


def require_maps(generator: Generator, layer: str, maps: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of maps. Raises ``UsageError`` unless some maps are dropped, each once, not all."""
    num = num_maps_of(generator, layer)
    for number in maps:
        if not is_whole(number) or not 0 <= number < num:
            raise UsageError(
                f"{layer} has the maps 0 to {num - 1}, so there is no map {number!r}",
                "Name others, such as --drop 0,1.",
            )
    numbers = tuple(dict.fromkeys(int(number) for number in maps))
    if len(numbers) < len(maps):
        raise UsageError("a map is named twice", "Name each map once.")
    if not numbers or len(numbers) == num:
        which = "all" if numbers else "none"
        raise UsageError(
            f"{which} of the {counted(num, 'map')} would be dropped, so there is nothing to compare",
            "Name some of them.",
        )
    return numbers


@torch.no_grad()
def num_maps_of(generator: Generator, layer: str) -> int:
    """Return how many maps a layer has."""
    sizes: list[int] = []
    hook = hidden_layers(generator)[layer].register_forward_hook(
        lambda _module, _inputs, outputs: sizes.append(int(outputs.shape[1]))
    )
    labels = torch.zeros(1, dtype=torch.int64) if generator.num_classes else None
    try:
        generator(next(generator.parameters()).new_zeros(1, generator.latent_size), labels)
    finally:
        hook.remove()
    return sizes[0]
