"""``soft-labels`` in situ: a generator is frozen while its discriminator learns by each kind of label."""

import math
from typing import Any

import torch

from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.experiments.soft_labels import KINDS, Settings, theory
from ganzfeld.lab.game.frozen import live_game
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, claim, limit, shown


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Freeze the live generator while its discriminator learns further, by hard and by soft labels."""
    num = min(64, 4 * live.recipe.batch)
    real, latents = live.real(num, seed), live.latents(num, seed)
    figures, data, largest = [], {}, {}
    for kind in KINDS:
        game = live_game(live, live.stages[-1], seed, settings.loss(kind))
        game.play(min(60, settings.num_rounds))
        with torch.no_grad():
            at_real = game.gan.discriminator(real)
            at_fake = game.gan.discriminator(game.gan.generator(latents))
        targets = settings.loss(kind).targets
        gradients = torch.cat(
            [theory.logit_gradient(at_real, targets.real), theory.logit_gradient(at_fake, targets.fake)]
        ).abs()
        data[kind] = [at_real.numpy(), at_fake.numpy()]
        name = say("mean |D - y| of a strong live D, {kind}", kind=say(kind))
        measured = Estimate(float(gradients.mean()), float(gradients.std() / math.sqrt(len(gradients))))
        if kind == "two-sided":
            figures.append(
                limit("live-lesson-two-sided", name, measured, settings.alpha, of="targets", part="in situ")
            )
        else:
            figures.append(shown(f"live-lesson-{kind}", name, measured, part="in situ"))
        largest[kind] = float(torch.cat([at_real, at_fake]).abs().max())
        figures.append(
            shown(
                f"live-largest-{kind}",
                say("largest live logit, {kind}", kind=say(kind)),
                largest[kind],
                part="in situ",
            )
        )
    name = say("largest live logit, two-sided minus hard")
    smaller = largest["two-sided"] - largest["hard"]
    figures.append(claim("live-smaller", name, smaller, 0.0, of="confident", relation="<", part="in situ"))
    return figures, {"live": data}
