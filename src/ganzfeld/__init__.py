"""Ganzfeld: train and understand deep convolutional generative adversarial networks.

    import ganzfeld as gz
    run = gz.train("photos/", size=64, minutes=10)
    images = run.sample(16)                 # uint8, (16, 64, 64, 3)
    generator = gz.load("runs/photos-001")  # a torch.nn.Module

Names are imported on first use, so that ``import ganzfeld`` takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzfeld import lab
    from ganzfeld.data import open_images, open_pictures
    from ganzfeld.errors import GanzfeldError
    from ganzfeld.geometry import plan
    from ganzfeld.inside import (
        anomalies,
        features,
        first_filters,
        latent_add,
        latent_directions,
        latent_walk,
        linear_probe,
        strongest_images,
    )
    from ganzfeld.latent import latents_of_seeds
    from ganzfeld.model import load
    from ganzfeld.recipes import Recipe, resolve
    from ganzfeld.runs import Run, open_run
    from ganzfeld.training import Progress, evaluate, resume, train
    from ganzfeld.watching import watch

__version__ = "0.1.0"

__all__ = [
    "GanzfeldError",
    "Progress",
    "Recipe",
    "Run",
    "anomalies",
    "evaluate",
    "features",
    "first_filters",
    "lab",
    "latent_add",
    "latent_directions",
    "latent_walk",
    "latents_of_seeds",
    "linear_probe",
    "load",
    "open_images",
    "open_pictures",
    "open_run",
    "plan",
    "resolve",
    "resume",
    "strongest_images",
    "train",
    "watch",
]

_HOMES = {
    "GanzfeldError": "errors",
    "Progress": "training",
    "Recipe": "recipes",
    "Run": "runs",
    "anomalies": "inside",
    "evaluate": "training",
    "features": "inside",
    "first_filters": "inside",
    "latent_add": "inside",
    "latent_directions": "inside",
    "latent_walk": "inside",
    "latents_of_seeds": "latent",
    "linear_probe": "inside",
    "load": "model",
    "open_images": "data",
    "open_pictures": "data",
    "open_run": "runs",
    "plan": "geometry",
    "resolve": "recipes",
    "resume": "training",
    "strongest_images": "inside",
    "train": "training",
    "watch": "watching",
}


_MODULES = {"lab"}
"""Modules that are public as a whole: ``gz.lab.run(...)``."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"ganzfeld.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'ganzfeld' has no attribute {name!r}")
    return getattr(importlib.import_module(f"ganzfeld.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
