"""``spiral`` in situ: the eigenvalues of the live game, and the rhythm of its logits."""

from typing import Any

import numpy as np
import torch

from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.experiments.spiral import Settings
from ganzfeld.lab.game.rotation import eigenvalues_of_play, rhythm
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.training.step import StepContext


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Measure the eigenvalues of the live game, and the rhythm of its logits.

    Eigenvalues: at the last stage, on one batch, in units of one step of its Adam. A pair counts as complex
    if its imaginary part is more than twice what its residual allows.
    """
    trainer = live.trainer()
    num = min(64, live.recipe.batch * 4)
    context = StepContext(1, trainer.progress, torch.Generator().manual_seed(seed))
    motion = eigenvalues_of_play(
        trainer.gan, trainer.config, live.real(num, seed), live.latents(num, seed), context, 24, seed
    )
    turns = np.imag(motion.values)
    turning = turns > 2 * motion.residuals
    fastest = int(np.where(turning, turns, -1).argmax())
    figures = [
        claim(
            "live-turns",
            "live game has complex pairs (0: none, 1: some)",
            float(turning.any()),
            1.0,
            of="eigenvalues",
            part="in situ",
        ),
        shown(
            "live-fastest",
            "fastest turn of the live game, radians a step",
            Estimate(float(turns[fastest]) if turning.any() else 0.0, float(motion.residuals[fastest])),
            part="in situ",
        ),
    ]
    data: dict[str, Any] = {"ritz": motion.values, "ritz_errors": motion.residuals}
    entries = [entry for entry in live.journal if "logit_real" in entry and "logit_fake" in entry]
    if len(entries) >= 64:
        # The beginning is another regime: the second half only.
        gap = np.array([entry["logit_real"] - entry["logit_fake"] for entry in entries])[len(entries) // 2 :]
        found_rhythm = rhythm(gap, 400, seed)
        figures += [
            limit(
                "rhythm-chance",
                "chance that noise shows as strong a rhythm in the logits",
                Estimate(found_rhythm.chance, found_rhythm.error),
                0.0,
                of="spirals",
                part="in situ",
                tolerance=0.05,
            ),
            shown(
                "rhythm-period",
                "period of the strongest rhythm, entries of the journal",
                2 * np.pi / found_rhythm.frequency,
                part="in situ",
            ),
        ]
        data |= {"gap": gap, "powers": found_rhythm.powers, "chance": found_rhythm.chance}
    return tuple(figures), data
