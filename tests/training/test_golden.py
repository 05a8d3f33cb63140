"""Golden losses: twenty seeded steps of each recipe, exact between two runs and close to what was stored.

A change that should only make things faster leaves them alone; one that changes the mathematics stores them
anew: ``python -m tests.training.test_golden``.
"""

import json
from pathlib import Path

import pytest

from ganzfeld.recipes import recipes_of
from ganzfeld.training.trainer import Trainer, scalars_of
from tests.training.conftest import small

pytestmark = pytest.mark.machine

STORED = Path(__file__).with_name("golden.json")
STEPS = 20

FIRST = 1e-5
"""Relative, for the first step, which no earlier one could disturb."""

TOLERANCE = 2e-2
"""Relative, against the stored values: other processors add in another order, and twenty steps of two
networks playing against each other let that grow."""


def losses_of(trainer: Trainer) -> list[list[float]]:
    """Generator's and discriminator's loss of every step."""
    steps = (scalars_of(trainer.advance()) for _ in range(STEPS))
    return [[scalars.loss_generator, scalars.loss_discriminator] for scalars in steps]


@pytest.mark.parametrize("name", recipes_of("image"))
def test_losses_are_golden(name, trainer_of):
    first, again = (losses_of(trainer_of(small(name), seed=1)) for _ in range(2))
    assert first == again, "two runs on one machine are equal to the last bit"
    assert losses_of(trainer_of(small(name), seed=2)) != first
    stored = json.loads(STORED.read_text())[name]
    for step, (found, wanted) in enumerate(zip(first, stored, strict=True)):
        assert found == pytest.approx(wanted, rel=TOLERANCE if step else FIRST), f"step {step}"


def store(folder: Path) -> None:
    """Write the golden file from this machine."""
    import numpy as np

    from ganzfeld.compute.engine import choose_engine
    from ganzfeld.data import open_images
    from ganzfeld.training.build import start
    from tests.conftest import blobs

    np.save(folder / "blobs.npy", blobs(200, 16))
    golden = {}
    for name in recipes_of("image"):
        recipe = small(name)
        dataset = open_images(folder / "blobs.npy", size=recipe.size, cache_dir=folder)
        golden[name] = losses_of(start(recipe, dataset, choose_engine("cpu", "float32"), 1))
    STORED.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        store(Path(temporary))
