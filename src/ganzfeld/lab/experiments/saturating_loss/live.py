"""``saturating-loss`` in situ: the live generator is frozen while its own discriminator learns."""

import math
from typing import Any

import numpy as np
import torch

from ganzfeld.lab.experiments.saturating_loss import TWO, Settings
from ganzfeld.lab.experiments.saturating_loss.toy import pull_of
from ganzfeld.lab.game.frozen import live_game, look_rounds
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.losses import Loss, losses


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Freeze the live generator, early in its training, while its own discriminator learns further."""
    stages = live.stages
    stage = stages[min(1, len(stages) - 1)]
    game = live_game(live, stage, seed)
    num = min(64, 4 * live.recipe.batch)
    real, latents = live.real(num, seed), live.latents(num, seed)
    rounds = look_rounds(max(1, settings.num_steps // 4))
    courses: dict[str, list[float]] = {name: [] for name in losses.names()}
    slopes: dict[str, list[float]] = {name: [] for name in losses.names()}
    for round_number in rounds:
        game.play(round_number - game.index)
        for name in courses:
            gradients, mean_slope = pull_of(game.gan, Loss(name), real, latents)
            courses[name].append(float(torch.stack([part.square().sum() for part in gradients]).sum().sqrt()))
            slopes[name].append(mean_slope)
    with torch.no_grad():
        at_fake = game.gan.discriminator(game.gan.generator(latents))
    mean = float(torch.sigmoid(at_fake).mean())
    figures = [
        *(
            claim(
                f"live-slope-{name}",
                say("mean slope of {name} in situ", name=name),
                slopes[name][-1],
                expected,
                of=name,
                part="in situ",
                tolerance=1e-5,
                identity=True,
            )
            for name, expected in (("minimax", mean), ("non-saturating", 1 - mean))
        ),
        shown(
            "live-ratio",
            say("log10 of the minimax over the non-saturating gradient in situ"),
            float(np.log10(courses["minimax"][-1] / courses["non-saturating"][-1])),
            part="in situ",
        ),
        *(
            limit(
                f"live-left-{name}",
                say("log10 of the gradient in situ with a strong D, over that at first, {name}", name=name),
                float(np.log10(courses[name][-1] / courses[name][0])),
                float(np.log10(slopes[name][-1] / slopes[name][0])),
                of=name,
                part="in situ",
                tolerance=math.log10(1.5),
            )
            for name in TWO
        ),
    ]
    return figures, {"live_moments": rounds, "live_courses": courses, "live_slopes": slopes, "stage": stage}
