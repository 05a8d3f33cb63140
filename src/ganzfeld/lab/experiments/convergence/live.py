"""``convergence`` in situ: how far the images of live networks still move, with R1 and without a penalty."""

from dataclasses import replace
from typing import Any

import torch

from ganzfeld.lab.experiments.convergence import Settings
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, shown
from ganzfeld.stabilisers import GradientPenalty, Stabiliser, stabiliser
from ganzfeld.training.trainer import Trainer

STEPS = 32
LATENTS = 64
WEIGHT = 10.0
"""The weight of R1 for images; Mescheder et al. 2018, section 5."""


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Continue the run from its last stage with R1 and without a penalty; measure how far images move.

    Half of the steps let D adapt to the penalty; over the others the images of fixed latents move by the root
    mean square of their change, over the standard deviation of images. They decide nothing.
    """
    moved = {
        "none": _moved(live, [], seed),
        "r1": _moved(live, [stabiliser({"name": "r1", "weight": WEIGHT})], seed),
    }
    figures = tuple(
        shown(f"moved-{key}", say(name, steps=STEPS // 2), moved[key], part="in situ")
        for key, name in (
            ("none", "how far images move in {steps} steps without a penalty"),
            ("r1", "how far images move in {steps} steps with R1"),
        )
    )
    return figures, {"moved": moved}


def _moved(live: Live, penalties: list[Stabiliser], seed: int) -> float:
    trainer = live.trainer()
    others = [entry for entry in trainer.config.stabilisers if not isinstance(entry, GradientPenalty)]
    trainer = replace(trainer, config=replace(trainer.config, stabilisers=[*others, *penalties]))
    latents = live.latents(LATENTS, seed)
    for _ in range(STEPS // 2):
        trainer.advance()
    before = _images(trainer, latents)
    for _ in range(STEPS // 2):
        trainer.advance()
    change = _images(trainer, latents) - before
    return float(change.square().mean().sqrt() / before.std(0).square().mean().sqrt().clamp_min(1e-12))


@torch.no_grad()
def _images(trainer: Trainer, latents: torch.Tensor) -> torch.Tensor:
    """Return images (LATENTS, C, *size) of the present weights, with the statistics of this batch."""
    return trainer.gan.generator(latents).float()
