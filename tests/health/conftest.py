"""Runs of a few steps, small enough to take readings in a blink."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.health.probe import ProbeContext
from ganzfeld.recipes import Recipe
from ganzfeld.training.build import start
from ganzfeld.training.monitors.health import HealthMonitor
from ganzfeld.training.trainer import Trainer

TOOLS = Path(__file__).parents[2] / "tools"


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


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, ModuleType]]:
    """Yield the modules behind ``docs/doctor.md`` by name."""
    names = ("runs", "limits", "suite", "archive", "processor")
    sys.path.insert(0, str(TOOLS))
    yield {name: importlib.import_module(f"doctor_{name}") for name in names}
    sys.path.remove(str(TOOLS))


@pytest.fixture
def brief(tools, array_file, tmp_path, monkeypatch):
    """The setup of tiny runs: 16 px, the 200 blobs, two checks."""
    monkeypatch.chdir(tmp_path)
    return tools["runs"].Setup(
        datasets={"blobs": str(array_file), "two": str(tmp_path / "two")},
        by_class=frozenset({"two"}),
        small=tools["runs"].SMALL | {"size": 16, "generator.width": 4, "discriminator.width": 4},
        batches={"modern": 8, "radford2015": 8, "seed": 8},
        num_looks=2,
        num_compared=32,
    )
