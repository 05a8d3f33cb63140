"""The bench of ``ring``: the measures on exact points, and games with every loss and stabiliser."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzfeld.lab.estimate import Estimate, means_and_errors
from ganzfeld.lab.experiments.ring import Settings, theory
from ganzfeld.lab.experiments.ring.rules import CHOSEN, every_entry, key_of, label
from ganzfeld.lab.game import Coverage, PointNetworks, PointTraining, coverage, game_of_points
from ganzfeld.lab.game.points import generated
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.losses import Loss
from ganzfeld.stabilisers import stabiliser

PENALTIES = ("r1", "r2", "wgan-gp")
"""Stabilisers that penalise the gradient of D."""
RATES = (3e-3, 3e-3)
"""Learning rates of generator and discriminator."""
NUM_POINTS = 2_500
"""Number of points on which a generator is measured."""

ALMOST = 1.0
"""Number of modes that may be missed: one may be just short of the points that it needs to be found."""

MEASURES = {
    "modes": say("modes found"),
    "quality": say("share of high quality"),
    "divergence": say("KL of the histogram of modes, nats"),
    "surprise": say("mean -log p, nats"),
}
"""The fields of ``Coverage``: the key in figures, and the words for people."""


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[tuple[Measured, ...], dict[str, Any]]:
    """Measure exact points, then points of the games."""
    figures = _measures(settings, seed)
    entries = every_entry() if thorough else CHOSEN
    table, clouds = {}, {}
    for loss, chosen in entries:
        name = label(loss, chosen)
        covered, points = play(settings, loss, chosen, seed)
        table[name] = np.array(covered)
        clouds[name] = points[0, :1_000].numpy()
        penalised = any(choice["name"] in PENALTIES for choice in chosen)
        rules, num_modes = key_of(loss, chosen), len(settings.target.centres)
        figures += _figures(rules, name, table[name], num_modes, penalised)
    real = settings.target.sample(1_000, torch.Generator().manual_seed(seed))
    data = {"table": table, "clouds": clouds, "real": real.numpy(), "modes": len(settings.target.centres)}
    return tuple(figures), data


def play(
    settings: Settings, loss: str, chosen: Sequence[dict[str, Any]], seed: int
) -> tuple[list[Coverage], Tensor]:
    """Play one game per seed with this loss and these stabilisers, and return the coverage of each at the end
    and its points (seeds, n, 2).
    """
    mixture = settings.target
    game = game_of_points(
        mixture.sample,
        loss=Loss(loss),
        stabilisers=[stabiliser(choice) for choice in chosen],
        networks=PointNetworks(settings.seeds),
        training=PointTraining(seed, settings.num_rounds, settings.num_points, RATES, ema=0.99),
    )
    game.play(settings.num_rounds)
    points = generated(game, settings.seeds, NUM_POINTS, seed)
    return [coverage(mixture, cloud) for cloud in points], points


def _measures(settings: Settings, seed: int) -> list[Measured]:
    """Compare the measures of points drawn from the mixture itself with their closed forms."""
    mixture = settings.target
    num_modes = len(mixture.centres)
    noise = torch.Generator().manual_seed(seed)
    coverages = np.array([coverage(mixture, mixture.sample(NUM_POINTS, noise)) for _ in range(20)])
    means, errors = means_and_errors(coverages)
    closed_forms = (
        num_modes,
        mixture.quality,
        theory.expected_divergence(num_modes, NUM_POINTS),
        mixture.entropy,
    )
    return [
        claim(
            f"exact-{key}",
            say("exact points: {name}", name=name),
            Estimate(float(mean), float(error), len(coverages) - 1),
            float(expected),
            of="modes",
            part="closed form",
        )
        for (key, name), mean, error, expected in zip(
            MEASURES.items(), means, errors, closed_forms, strict=True
        )
    ]


def _figures(rules: str, name: str, table: np.ndarray, num_modes: int, penalised: bool) -> list[Measured]:
    """Build the figures of the games with one loss and its stabilisers, over seeds.

    The worst seed has to agree with the claim, since a mean with a large error agrees with everything.
    """
    means, errors = means_and_errors(table)
    of_claim = claim if penalised else limit
    fewest = of_claim(
        f"{rules}-fewest",
        say("{name}: fewest modes found in a seed", name=name),
        float(table[:, 0].min()),
        float(num_modes),
        of="modes",
        tolerance=ALMOST,
        num_trainings=len(table),
    )
    return [
        fewest,
        *(
            shown(
                f"{rules}-{key}",
                say("{name}: {measure}", name=name, measure=measure),
                Estimate(float(mean), float(error), len(table) - 1),
                num_trainings=len(table),
            )
            for (key, measure), mean, error in zip(MEASURES.items(), means, errors, strict=True)
        ),
    ]
