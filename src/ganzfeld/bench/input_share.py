"""The cost of input while training: the time to gather and convert a batch, as a share of a step."""

import statistics

from ganzfeld.bench.timing import seconds_of
from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.recipes import resolve
from ganzfeld.training.build import start
from ganzfeld.training.trainer import Trainer, scalars_of

BATCHES = (8, 128)


def input_shares(num_steps: int) -> dict[int, float]:
    """Return the share of a step that input takes, from 0 to 1, by batch size.

    Times are medians over ``num_steps`` steps. The data are the built-in faces with the recipe ``modern``,
    from the second epoch on. A batch is timed by itself, and then a step, which gathers the same batch again.
    """
    return {batch: share_of_input(_second_epoch(batch), num_steps) for batch in BATCHES}


def _second_epoch(batch: int) -> Trainer:
    recipe = resolve("modern", {"batch": batch})
    dataset = open_images(None, size=recipe.size, progress=False)
    trainer = start(recipe, dataset, choose_engine(), seed=0)
    trainer.stand_at(index=0, images_seen=dataset.num_pictures)
    scalars_of(trainer.advance())  # the first step includes setup
    return trainer


def share_of_input(trainer: Trainer, num_steps: int) -> float:
    """Return the share for one trainer, measured from its current step on."""
    inputs, steps = [], []
    for _ in range(num_steps):
        inputs.append(seconds_of(trainer.real))
        steps.append(seconds_of(lambda: scalars_of(trainer.advance())))
    return statistics.median(inputs) / statistics.median(steps)
