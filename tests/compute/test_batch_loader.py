"""The images of a step are the same wherever they are gathered from."""

from functools import partial

import numpy as np
import pytest
import torch

from ganzfeld.compute.batch_loader import from_cache, from_device, gathering
from ganzfeld.compute.distributed import ALONE
from ganzfeld.compute.engine import Engine
from ganzfeld.data import open_images

pytestmark = pytest.mark.machine


class Roomy(Engine):
    """A device that has memory of its own, as far as anybody can tell."""

    def has_room_for(self, num_bytes: int) -> bool:
        return True


ENGINE = Roomy(torch.device("cpu"), "float32")


@pytest.fixture
def dataset(array_file):
    return open_images(array_file, size=(8, 8))


def test_the_device_gives_what_the_cache_gives(dataset):
    in_parts = partial(from_device, chunk=7)  # several parts, the last one short
    indices = np.random.default_rng(0).integers(0, dataset.num_pictures, 40)
    ours, theirs = (way(dataset, ENGINE)(indices) for way in (in_parts, from_cache))
    assert ours.dtype == torch.uint8
    assert ours.shape == (40, 8, 8, dataset.channels)
    assert torch.equal(ours, theirs)


def test_what_lies_on_the_device_is_not_read_again(dataset):
    gather = gathering(dataset, ENGINE, ALONE)
    dataset.batch = lambda indices: pytest.fail("read again")
    gather(np.array([3, 1]))


def test_a_processor_has_no_memory_of_its_own():
    assert not Engine(torch.device("cpu"), "float32").has_room_for(1)
