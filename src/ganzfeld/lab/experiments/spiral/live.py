"""``spiral`` in situ: the eigenvalues of the live game, and the rhythm of its logits."""

from typing import Any

import numpy as np
import torch

from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.experiments.spiral import Settings
from ganzfeld.lab.game.rotation import eigenvalues_of_play, spectral_peak
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, claim, shown
from ganzfeld.training.step import StepContext


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the eigenvalues of the live game, and the rhythm of its logits.

    The eigenvalues are those at the last stage, on one batch, in units of one Adam step. A pair counts as
    complex if its imaginary part is more than twice its residual.
    """
    figures, data = _eigenvalues(live, seed)
    entries = [entry for entry in live.journal if "logit_real" in entry and "logit_fake" in entry]
    if len(entries) >= 64:
        gap = np.array([entry["logit_real"] - entry["logit_fake"] for entry in entries])
        # The beginning is another regime, so only the second half counts.
        measured, series = _rhythm(gap[len(entries) // 2 :], seed)
        figures += measured
        data |= series
    return figures, data


def _eigenvalues(live: Live, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the eigenvalues of the live game, and how clearly a pair of them is complex."""
    trainer = live.trainer()
    num = min(64, live.recipe.batch * 4)
    context = StepContext(1, trainer.progress, torch.Generator().manual_seed(seed))
    motion = eigenvalues_of_play(
        trainer.gan, trainer.config, live.real(num, seed), live.latents(num, seed), context, 24, seed
    )
    turns = np.imag(motion.values)
    is_complex = turns > 2 * motion.residuals
    fastest = int(np.where(is_complex, turns, -1).argmax())
    speed = float(turns[fastest]) if is_complex.any() else 0.0
    figures = [
        claim(
            "live-turns",
            "imaginary part of the live game's clearest eigenvalue over twice its residual, at most 1",
            min(1.0, float(_over(turns, 2 * motion.residuals).max())),
            1.0,
            of="eigenvalues",
            part="in situ",
        ),
        shown(
            "live-fastest",
            "fastest rotation of the live game, radians per step",
            Estimate(speed, float(motion.residuals[fastest])),
            part="in situ",
        ),
    ]
    return figures, {"ritz": motion.values, "ritz_errors": motion.residuals}


def _over(turns: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Divide the imaginary parts by those that count as clear; a real eigenvalue without residual gives 0."""
    without = np.where(turns > 0, np.inf, 0.0)
    return np.divide(turns, least, out=without, where=least > 0)


def _rhythm(gap: np.ndarray, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the strongest rhythm in the gap between real and fake logits, and how often noise has one."""
    strongest = spectral_peak(gap, 400, seed)
    figures = [
        claim(
            "rhythm-chance",
            "chance that noise has as strong a rhythm as the logits",
            Estimate(strongest.chance, strongest.error),
            0.05,
            of="inherent",
            relation="<",
            part="in situ",
        ),
        shown(
            "rhythm-period",
            "period of the strongest rhythm, entries of the journal",
            2 * np.pi / strongest.frequency,
            part="in situ",
        ),
    ]
    return figures, {"gap": gap, "powers": strongest.powers, "chance": strongest.chance}
