"""A training small enough to run in a blink."""

import pytest

from ganzfeld.data import open_pictures
from ganzfeld.recipes import Recipe, resolve
from ganzfeld.training.engine import choose_engine
from ganzfeld.training.trainer import Trainer, start

SMALL = {"size": 16, "batch": 8, "generator.width": 8, "discriminator.width": 8, "latent.size": 16}


def small(name: str = "modern", **changes) -> Recipe:
    """A built-in recipe at 16 px and width 8; ``changes`` are further settings."""
    return resolve(name, SMALL | changes)


@pytest.fixture
def trainer_of(array_file):
    """Makes trainers on the 16 px blobs, in float32."""

    def make(recipe: Recipe, seed: int = 0) -> Trainer:
        pictures = open_pictures(array_file, size=recipe.size)
        return start(recipe, pictures, choose_engine("cpu", "float32"), seed)

    return make
