"""The engine: how bytes become tensors, where networks are placed, and which words it knows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.compute.engine import Engine, choose_engine, has_fast_bfloat16
from ganzfeld.data.scales import AS_BYTES
from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.geometry import plan
from ganzfeld.model import as_bytes
from ganzfeld.networks import Generator

pytestmark = pytest.mark.machine

ENGINE = Engine(torch.device("cpu"), "float32")
SCALE = AS_BYTES.scale


def test_bytes_become_the_range_of_the_generator_and_come_back():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    images = ENGINE.images(torch.from_numpy(levels), SCALE)
    assert images.shape == (1, 1, 16, 16)
    assert (float(images.min()), float(images.max())) == (-1, 1)
    assert np.array_equal(as_bytes(images), levels)


def test_images_are_channels_last_without_a_copy_of_the_layout():
    images = ENGINE.images(torch.zeros(2, 8, 6, 3, dtype=torch.uint8), SCALE)
    assert images.shape == (2, 3, 8, 6)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_mirroring_turns_left_and_right_of_the_chosen_only():
    batch = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    chosen = np.array([True, False, True, False])
    mirrored = as_bytes(ENGINE.images(torch.from_numpy(batch), SCALE, chosen))
    assert np.array_equal(mirrored[chosen], batch[chosen][:, :, ::-1])
    assert np.array_equal(mirrored[~chosen], batch[~chosen])


class TestCrops:
    """The window of an image continued by reflection, against NumPy's padding."""

    @given(
        st.tuples(st.integers(1, 3), st.integers(2, 9), st.integers(2, 9), st.sampled_from([1, 3])),
        st.booleans(),
        st.integers(0, 2**32 - 1),
    )
    def test_are_windows_of_the_reflected_image(self, shape, with_mirror, seed):
        random = np.random.default_rng(seed)
        num, height, width, _ = shape
        batch = random.integers(0, 256, shape, np.uint8)
        mirrored = random.random(num) < 0.5 if with_mirror else np.zeros(num, bool)
        reach = np.array([height - 1, width - 1])
        shifts = random.integers(-reach, reach + 1, (num, 2))
        cut = as_bytes(
            ENGINE.images(torch.from_numpy(batch), SCALE, mirrored if with_mirror else None, shifts)
        )
        for found, image, flipped, (down, right) in zip(cut, batch, mirrored, shifts, strict=True):
            upright = image[:, ::-1] if flipped else image
            padded = np.pad(upright, [(reach[0],) * 2, (reach[1],) * 2, (0, 0)], "reflect")
            top, left = reach[0] + down, reach[1] + right
            assert np.array_equal(found, padded[top : top + height, left : left + width])

    def test_no_shift_changes_nothing(self):
        batch = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
        whole = ENGINE.images(torch.from_numpy(batch), SCALE, shifts=np.zeros((4, 2), np.int64))
        assert torch.equal(whole, ENGINE.images(torch.from_numpy(batch), SCALE))
        assert whole.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_placing_keeps_the_numbers(dims):
    generator = Generator(plan(8, dims=dims), width=2, latent_size=3).eval()
    latents = torch.randn(2, 3)
    before = generator(latents)
    placed = ENGINE.place(generator)
    torch.testing.assert_close(placed(latents), before)


def test_autocast_follows_the_precision():
    product = [torch.ones(2, 2) @ torch.ones(2, 2)]
    for precision in ("float32", "bfloat16"):
        with Engine(torch.device("cpu"), precision).autocast():
            product.append(torch.ones(2, 2) @ torch.ones(2, 2))
    assert [result.dtype for result in product] == [torch.float32, torch.float32, torch.bfloat16]


def test_automatic_precision_asks_the_chip():
    engine = choose_engine("cpu", "auto")
    assert (engine.precision == "bfloat16") == has_fast_bfloat16(torch.device("cpu"))
    assert choose_engine("cpu", "bfloat16").precision == "bfloat16"


def test_graphics_cards_are_asked_for_the_same_bits_every_time():
    torch.backends.cudnn.deterministic = False
    choose_engine("cpu")
    assert torch.backends.cudnn.deterministic


@pytest.mark.parametrize(
    ("device", "precision"),
    [("gpu", "auto"), ("cpu:1", "auto"), ("cuda:x", "auto"), ("cpu", "fp16"), ("", "auto")],
)
def test_unknown_words_are_answered(device, precision):
    with pytest.raises(UsageError, match="unknown"):
        choose_engine(device, precision)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has an MPS device")
def test_a_device_that_is_not_there():
    with pytest.raises(ResourceError, match="MPS"):
        choose_engine("mps")
