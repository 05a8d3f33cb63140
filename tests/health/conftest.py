"""Runs of a few steps, small enough to take readings in a blink."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.health.probe import ProbeContext
from ganzfeld.recipes import Recipe
from ganzfeld.training.build import start
from ganzfeld.training.monitors.health import HealthMonitor
from ganzfeld.training.trainer import Trainer


def examined(array_file: Path, recipe: Recipe) -> tuple[Trainer, HealthMonitor]:
    """Start a run on the 16 px blobs, in float32; return its trainer and health monitor."""
    dataset = open_images(array_file, size=recipe.size)
    trainer = start(recipe, dataset, choose_engine("cpu", "float32"), 0)
    return trainer, HealthMonitor(trainer)


def patient_of(array_file: Path, recipe: Recipe, steps: int = 3) -> ProbeContext:
    """Return the probe of a run after some steps, whose readings have been taken once before."""
    trainer, health_monitor = examined(array_file, recipe)
    for step in range(steps):
        health_monitor.note(trainer.advance())
        if not step:
            health_monitor.take_readings(0.0, everything=True)
    return health_monitor.probe()


@pytest.fixture
def probe(array_file) -> Callable[..., ProbeContext]:
    """Return a function that makes probes."""
    return lambda recipe, steps=3: patient_of(array_file, recipe, steps)
