"""The images of a loop beside the data: range, channels, labels."""

from pathlib import Path

import numpy as np
import pytest
import torch

import ganzfeld as gz
from ganzfeld.watching.comparison import DataComparison
from ganzfeld.watching.movement import PATIENCE, Movement


@pytest.fixture
def compared(blobs_file: Path) -> DataComparison:
    return DataComparison(gz.open_images(blobs_file, size=32))


@pytest.fixture
def stored(blobs_file: Path) -> tuple[torch.Tensor, torch.Tensor]:
    with np.load(blobs_file) as arrays:
        return torch.from_numpy(arrays["images"]).movedim(-1, 1).float(), torch.from_numpy(arrays["labels"])


def test_the_values_of_black_and_white(compared: DataComparison, stored):
    images, _ = stored
    for scale, shift in ((2 / 255, -1.0), (1 / 255, 0.0), (4 / 255, -3.0), (-1 / 255, 1.0)):
        levels = compared.levels(images[:128] * scale + shift)
        assert levels is not None
        if scale > 0:
            assert levels == pytest.approx((shift, shift + 255 * scale), abs=0.1 * 255 * scale)


def test_the_order_of_channels(compared: DataComparison, stored):
    images, _ = stored
    right = compared.channel_order(images[:64] / 127.5 - 1)
    assert right["channel_order"] < 1.5
    wrong = compared.channel_order(images[:64].flip(1) / 127.5 - 1)
    assert wrong["channels_as_given"] > right["channels_as_given"]
    assert compared.channel_order(images[:64, :1]) == {}


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_labels_are_those_of_the_data_in_any_order(compared: DataComparison, stored, share: float):
    images, labels = stored
    renamed = (labels + 1) % 4
    wrong = torch.rand(len(labels), generator=torch.Generator().manual_seed(0)) < share
    renamed[wrong] = (renamed[wrong] + 1) % 4
    mirrored = images.flip(-1)
    compared.note_labels(mirrored[:200] / 127.5 - 1, renamed[:200])
    found = compared.wrong_labels
    assert found["labels_compared"] > 100
    assert found["wrong_labels"] == pytest.approx(float(wrong[:200].float().mean()), abs=0.06)


def test_foreign_images_are_not_recognised(compared: DataComparison):
    compared.note_labels(torch.rand(64, 3, 32, 32), torch.arange(64) % 4)
    assert compared.wrong_labels == {}


def test_weights_that_stand_still():
    layer = torch.nn.Linear(4, 4)
    movement = Movement([*layer.parameters()])
    assert movement.share(1) is None
    assert movement.share(PATIENCE) == 0
    with torch.no_grad():
        layer.weight += 1
    assert movement.share(PATIENCE + 1) == 0.5
    assert movement.share(PATIENCE + 2) is None
