"""Dropping maps of a generator: the maps that draw an attribute are recognised, and take it with them."""

from typing import final

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganzfeld as gz
from ganzfeld.errors import DataError, UsageError
from ganzfeld.inside import LatentModel
from ganzfeld.inside.dropping import (
    FIRST_SEED,
    NUM_READ,
    drop_maps_of,
    hidden_layers,
    importance,
    without_maps,
)
from ganzfeld.inside.feature_sheets import drop_sheet
from ganzfeld.inside.numbered_maps import drop_numbers, drop_numbers_of, numbers_in
from ganzfeld.inside.reading import reader_for
from ganzfeld.progress import silent
from tests.inside.toys import LATENT, SIZE, Toy

NUM_MAPS, DRAWS_RED = 16, 11


@final
class Maps(nn.Module):
    """Latents to maps (B, 16, 16, 16): one says whether component 0 is positive, the others mean nothing."""

    def forward(self, latents: Tensor) -> Tensor:
        mixed = torch.sin(latents[:, 1:].sum(1, keepdim=True) * torch.arange(1.0, NUM_MAPS + 1))
        mixed[:, DRAWS_RED] = (latents[:, 0] > 0).float()
        return mixed[:, :, None, None].expand(-1, -1, SIZE, SIZE)


@final
class Draw(nn.Module):
    """Maps to images that are red where the map of red is 1, and blue elsewhere, on one half."""

    def forward(self, maps: Tensor) -> Tensor:
        red = maps[:, DRAWS_RED].clone()
        images = torch.stack((2 * red - 1, -torch.ones_like(red), 1 - 2 * red), 1)
        images[..., SIZE // 2 :] = -1
        return images


@pytest.fixture(scope="module")
def model() -> LatentModel:
    generator = Toy(lambda latents: latents)
    generator.layers = nn.Sequential(Maps(), Draw())
    generator.draw = lambda latents: generator.layers(latents)
    return LatentModel(generator.eval().requires_grad_(False), "normal")


def test_the_map_that_draws_red_takes_red_with_it(model: LatentModel, known_run: gz.Run):
    reader = reader_for(known_run, None, None, silent)
    assert reader is not None
    result = drop_maps_of(model, reader, "class=red", None, silent)
    assert DRAWS_RED in result.maps and len(result.maps) <= 2
    assert result.gone.value == 1 and result.worst_random == 0 and result.num_tested == 200
    assert result.layer == "layer-1" and "of 16 maps of layer-1 are dropped" in result.sentence
    assert "it worked" in result.sentence and result.others is None
    assert drop_sheet(result.images).dtype == np.uint8
    with pytest.raises(UsageError, match="unknown attribute") as caught:
        drop_maps_of(model, reader, "class=rad", None, silent)
    assert "class=red" in caught.value.hint


def test_dropped_maps_are_0_while_the_block_runs(model: LatentModel):
    latents = torch.ones(2, LATENT)
    before = model.values(latents)
    with without_maps(model.generator.layers[0], [DRAWS_RED]):
        assert float(model.values(latents)[:, 0].max()) == -1
    assert torch.equal(model.values(latents), before)


def test_maps_count_at_the_place_of_the_attribute():
    """One map tells it in the right place, another only where images with and without it are alike."""
    noise = torch.Generator().manual_seed(0)
    has_value = np.arange(400) % 2 == 0
    maps = torch.rand(400, 5, 4, 4, generator=noise)
    images = torch.rand(400, 3, 4, 4, generator=noise) * 0.1
    images[has_value, :, 1, 1] += 1
    maps[has_value, 2, 1, 1] += 1
    maps[has_value, 4, 3, 3] += 5
    scores = importance(maps, images, has_value)
    assert int(scores.argmax()) == 2 and scores[2] > 5 * abs(scores[4])
    with pytest.raises(DataError, match="at least 20"):
        importance(maps, images, np.arange(400) < 3)


def test_maps_are_dropped_by_number(model: LatentModel, known_run: gz.Run):
    reader = reader_for(known_run, None, None, silent)
    red = drop_numbers_of(model, reader, (DRAWS_RED,), None, silent)
    assert red.num_maps == NUM_MAPS and red.maps == (DRAWS_RED,)
    latents = model.latents(range(FIRST_SEED + NUM_READ, FIRST_SEED + NUM_READ + red.num_tested))
    share = float((latents[:, 0] > 0).float().mean())
    assert red.changed == {"class": pytest.approx(share)} and red.random_changed == {"class": 0}
    # Red becomes blue on one half: two of three channels move by 255 levels in half of the pixels.
    assert red.change == pytest.approx(share * 255 * (1 / 3) ** 0.5, rel=1e-4)
    assert red.random_change == red.most_random_change == 0
    assert (
        "dropping map 11 of 16 of layer-1 changes" in red.sentence
        and "more than any of 8 random sets" in red.sentence
    )
    other = drop_numbers_of(model, None, (0, 3), None, silent)
    assert other.change == 0 and "not more than random ones" in other.sentence and other.changed == {}
    assert other.images.shape == (3, 8, SIZE, SIZE, 3)


@pytest.mark.parametrize(
    ("maps", "message"),
    [([99], "maps 0 to 7"), ([-1], "maps 0 to 7"), ([1, 1], "twice"), ([], "none"), (range(8), "all")],
)
def test_numbers_that_are_no_maps_are_refused(run: gz.Run, maps: list[int], message: str):
    with pytest.raises(UsageError, match=message):
        drop_numbers(run, maps)


def test_numbers_are_told_from_attributes():
    assert numbers_in("3,17") == [3, 17] and numbers_in(" 3 ") == [3]
    assert numbers_in("class=3") is None and numbers_in("3,") is None and numbers_in("-1") is None


def test_the_layer_is_the_one_that_is_named(run: gz.Run):
    layers = hidden_layers(run.model.generator)
    assert next(iter(layers)) == "projection" and len(layers) == len(run.model.generator.layers)
    first, last = (drop_numbers(run, [0], layer=name) for name in ("projection", None))
    assert first.layer == "projection" and last.layer == list(layers)[-1]
    assert first.num_maps != last.num_maps or first.change != last.change
    with pytest.raises(UsageError, match="no 'layer-9'"):
        drop_numbers(run, [0], layer="layer-9")
