"""What the trainer shows the networks: images of the set, mirrored and cropped as the recipe says."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ganzfeld.bench.input_share import share_of_input
from ganzfeld.compute.batch_loader import from_cache
from ganzfeld.data import open_images
from ganzfeld.model import as_bytes
from ganzfeld.stabilisers import SharedNoise, stabiliser
from ganzfeld.stabilisers._base import GradientPenalty
from ganzfeld.training.classes import Classes
from ganzfeld.training.snapshot import capture, restore
from tests.training.conftest import small

pytestmark = pytest.mark.machine

SHOWN = {"mirror": True, "crop": 0.25}


def shown(trainer, index: int) -> torch.Tensor:
    """The images of the step with that index."""
    trainer.index, trainer.images_seen = index, index * trainer.recipe.batch
    return trainer.real()


def test_what_is_shown_is_a_pure_function_of_seed_and_step(trainer_of):
    first, again, other = (trainer_of(small(**SHOWN), seed) for seed in (5, 5, 6))
    wanted = [shown(first, index) for index in range(4)]
    assert all(torch.equal(shown(again, index), wanted[index]) for index in (3, 0, 2, 1, 1))
    assert not torch.equal(shown(other, 0), wanted[0])


class Crossings(TorchDispatchMode):
    """Whether anybody waited for each tensor that went to the device without numbers, torch's "meta"."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[bool] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = kwargs or {}
        if func is torch.ops.aten._to_copy.default and given.get("device") == torch.device("meta"):
            self.waited.append(not given.get("non_blocking", False))
        return func(*args, **given)


def test_nobody_waits_for_what_goes_to_the_device(trainer_of):
    """A graphics card stands still whenever the processor waits for it."""
    trainer = trainer_of(small(**SHOWN))
    trainer.engine = replace(trainer.engine, device=torch.device("meta"))
    trainer.gather = from_cache(trainer.dataset, trainer.engine)
    trainer.classes = Classes(("a", "b"), np.arange(trainer.dataset.num_pictures) % 2)
    noise = SharedNoise().manual_seed(0)
    with Crossings() as crossings:
        real = trainer.real()
        assert real.is_meta and trainer._latents().is_meta and trainer.labels().is_meta
        for name in ("instance-noise", "augmentation"):
            stabiliser({"name": name}).transform(real, 0.0, noise)
        wgan_gp = stabiliser({"name": "wgan-gp"})
        assert isinstance(wgan_gp, GradientPenalty)
        wgan_gp.points(real, real, noise)
    # Bytes, mirror, crop; latents; classes; noise; three changes of colour, two shifts, a box; places.
    assert crossings.waited == [False] * 14


def test_each_step_and_image_is_cropped_anew(trainer_of, tmp_path):
    """On images of noise, where every window is in one place only."""
    np.save(tmp_path / "noise.npy", np.random.default_rng(0).integers(0, 256, (200, 16, 16, 1), np.uint8))
    plain, cropped = trainer_of(small(batch=200)), trainer_of(small(batch=200, crop=0.25))
    plain.images = cropped.images = open_images(tmp_path / "noise.npy", size=(16, 16))
    first, second = (
        [
            place_of(window, np.pad(image, [(4, 4), (4, 4), (0, 0)], "reflect"))
            for image, window in zip(
                as_bytes(shown(plain, index)), as_bytes(shown(cropped, index)), strict=True
            )
        ]
        for index in (0, 1)
    )
    assert first != second
    for axis in (0, 1):
        assert {place[axis] for place in first} == set(range(9)), "every shift up to a quarter, either way"


def place_of(window: np.ndarray, image: np.ndarray) -> tuple[int, int]:
    """Row and column of the one place in an image where the window is."""
    height, width, _ = window.shape
    down, right = image.shape[0] - height + 1, image.shape[1] - width + 1
    (place,) = [
        (y, x)
        for y in range(down)
        for x in range(right)
        if np.array_equal(image[y : y + height, x : x + width], window)
    ]
    return place


def test_the_share_is_of_each_side(trainer_of):
    cropped = trainer_of(small(size=[32, 8], batch=64, crop=0.125))
    whole = as_bytes(shown(trainer_of(small(size=[32, 8], batch=64)), 0))
    padded = np.pad(whole, [(0, 0), (1, 1), (4, 4), (0, 0)], "reflect")
    for image, found in zip(padded, as_bytes(shown(cropped, 0)), strict=True):
        windows = [image[y : y + 8, x : x + 32] for y in range(3) for x in range(9)]
        assert any(np.array_equal(window, found) for window in windows)


def test_input_is_a_part_of_the_step(trainer_of):
    trainer = trainer_of(small())
    assert 0 < share_of_input(trainer, 3) < 1
    assert trainer.index == 3, "what is timed are real steps"


@pytest.mark.parametrize("changes", [{}, {"mirror": False, "crop": 0.0}, {"crop": 0.01}])
def test_nothing_is_changed_unless_asked(trainer_of, changes):
    """A shift below half a pixel is none."""
    plain, other = trainer_of(small()), trainer_of(small(**changes))
    assert torch.equal(shown(plain, 3), shown(other, 3))


def test_the_model_of_one_moment_is_made_once(trainer_of):
    trainer = trainer_of(small())
    trainer.advance()
    first, taken = trainer.shipped(), capture(trainer, 0.0)
    assert trainer.shipped() is first
    trainer.advance()
    second = trainer.shipped()
    anew = trainer.shipped(trainer.gan.generator_ema)
    weights = second.state_dict()
    assert second is not first and second is not anew
    assert all(torch.equal(tensor, weights[name]) for name, tensor in anew.state_dict().items())
    other = trainer_of(small(), seed=1)
    for _ in range(2):
        other.advance()
    restore(trainer, capture(other, 0.0))  # as many steps, and other weights
    assert trainer.shipped() is not second
    restore(trainer, taken)
    again = trainer.shipped().state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.state_dict().items())


def test_it_knows_a_step_that_was_broken_off_whatever_the_steps_of_the_discriminator(trainer_of):
    for discriminator_steps in (1, 2, 3):
        trainer = trainer_of(small(discriminator_steps=discriminator_steps))
        for _ in range(4):
            assert trainer.is_between_steps
            trainer.advance()
        assert trainer.is_between_steps
        trainer.gan.discriminator_optimizer.step()  # D was updated, and memory ran out before the step ended
        assert not trainer.is_between_steps
