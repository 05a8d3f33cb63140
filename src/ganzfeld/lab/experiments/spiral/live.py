"""``spiral`` in situ: the eigenvalues of the live game, and the rhythm of its logits."""

import cmath
from typing import Any

import numpy as np
import torch

from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.experiments.spiral import Settings, theory
from ganzfeld.lab.game.rotation import eigenvalues_of_play, spectral_peak
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, claim, shown
from ganzfeld.training.step import GANState, StepContext

PRODUCTS = 96
"""The most products of the Jacobian with a vector; fewer are enough where a pair is clearly complex."""

SYMMETRIC = 0.01
"""Below this antisymmetric share the motion counts as that of a single loss, whose Jacobian is symmetric."""


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the eigenvalues of the live game, and the rhythm of its logits.

    The eigenvalues are those at the last stage, on one batch, in units of one Adam step, without momentum
    and with it. A pair counts as complex if its residual is below a fifth of its imaginary part.
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
    context = StepContext(0, trainer.progress, torch.Generator().manual_seed(seed))
    motion = eigenvalues_of_play(
        trainer.gan, trainer.config, live.real(num, seed), live.latents(num, seed), context, PRODUCTS, seed
    )
    # Where no pair is clear, the clearest is shown with its residual, and nothing is decided.
    turns = np.imag(motion.values)
    clearest = int((turns - 5 * motion.residuals).argmax())
    fastest = int(np.where(motion.clear, turns, -1).argmax()) if motion.clear.any() else clearest
    value, error = complex(motion.values[fastest]), float(motion.residuals[fastest])
    figures = [
        claim(
            "live-asymmetry",
            say("antisymmetric share of the live game's motion, without which nothing turns"),
            motion.asymmetry,
            SYMMETRIC,
            relation=">",
            of="eigenvalues",
            part="in situ",
        ),
        claim(
            "live-turns",
            say("fastest clear rotation of the live game without momentum, radians per step"),
            Estimate(max(0.0, value.imag), error),
            0.0,
            relation=">",
            of="eigenvalues",
            part="in situ",
        ),
        *_with_momentum(value, _momentum(trainer.gan)),
    ]
    return figures, {"ritz": motion.values, "ritz_errors": motion.residuals}


def _momentum(gan: GANState) -> float | None:
    """Return the first beta of Adam, if both networks have the same."""
    optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
    betas = {group["betas"][0] for optimizer in optimizers for group in optimizer.param_groups}
    return float(betas.pop()) if len(betas) == 1 else None


def _with_momentum(value: complex, beta: float | None) -> list[Measured]:
    """Show angle and growth of the rotation by an eigenvalue of the motion, without and with momentum."""
    factors = {"plain": (say("without momentum"), 1 + value)}
    if beta is not None:
        words = say("with momentum {beta:g}", beta=beta)
        factors["momentum"] = (words, theory.with_momentum(value, beta))
    figures = []
    for key, (words, factor) in factors.items():
        name = say("growth of that rotation per step, {words}", words=words)
        figures.append(shown(f"live-growth-{key}", name, abs(factor), part="in situ"))
        name = say("angle of that rotation per step in radians, {words}", words=words)
        figures.append(shown(f"live-angle-{key}", name, abs(cmath.phase(factor)), part="in situ"))
    return figures


def _rhythm(gap: np.ndarray, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the strongest rhythm in the gap between real and fake logits, and how often noise has one."""
    strongest = spectral_peak(gap, 400, seed)
    figures = [
        claim(
            "rhythm-chance",
            say("chance that noise has as strong a rhythm as the logits"),
            Estimate(strongest.chance, strongest.error),
            0.05,
            of="inherent",
            relation="<",
            part="in situ",
        ),
        shown(
            "rhythm-period",
            say("period of the strongest rhythm, entries of the journal"),
            2 * np.pi / strongest.frequency,
            part="in situ",
        ),
    ]
    return figures, {"gap": gap, "powers": strongest.powers, "chance": strongest.chance}
