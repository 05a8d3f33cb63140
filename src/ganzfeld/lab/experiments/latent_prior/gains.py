"""The bench of ``latent-prior``: saturation of untrained generators by the gain of their weights."""

from typing import Any

import torch
from torch import Tensor, nn

from ganzfeld.lab.entering import entering
from ganzfeld.lab.estimate import mean_and_error
from ganzfeld.lab.experiments.latent_prior import Settings, theory
from ganzfeld.lab.experiments.latent_prior.generators import latents_of, untrained
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.networks import Generator

GAINS = (0.5, 0.7, 1.0, 1.4)
"""Gains of every layer; at 1 a layer keeps the scale of its maps, apart from their borders."""

SATURATED = 2.0
"""Pre-activation beyond which the slope of tanh is below 0.071."""

LOST = 0.01
"""Share of tanh's slope that is lost where saturation counts."""


@torch.no_grad()
def set_gain(generator: Generator, gain: float) -> None:
    """Scale the initial weights of a generator without norms, so that every layer has this gain."""
    for layer in generator.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.mul_(gain * theory.unit_deviation(layer.in_features) / theory.STANDARD_DEVIATION)
        elif isinstance(layer, nn.ConvTranspose2d):
            taps = layer.kernel_size[0] * layer.kernel_size[1] / (layer.stride[0] * layer.stride[1])
            # A ReLU before it halves the mean square.
            deviation = theory.unit_deviation(layer.in_channels * taps / 2)
            layer.weight.mul_(gain * deviation / theory.STANDARD_DEVIATION)


@torch.no_grad()
def saturation(gain: float | None, settings: Settings, seed: int) -> Tensor:
    """Return what tanh does in untrained generators without norms, (networks, priors, 3): the share of
    outputs that saturate it, the share of its slope that is lost, and the spread of the images.

    ``gain`` None leaves the usual initial weights.
    """
    rows = []
    for number in range(settings.networks):
        generator = untrained("none", settings, seed, number)
        if gain is not None:
            set_gain(generator, gain)
        row = []
        for prior in theory.PRIORS:
            latents = latents_of(prior, settings, seed, number)[:MOST_LATENTS]
            (entered,) = entering(generator, [generator.output], latents)
            images = entered.double().tanh()
            spread = (images - images.mean(0)).square().mean()
            beyond = (entered.abs() > SATURATED).double().mean()
            row.append(torch.stack([beyond, images.square().mean(), spread]))
        rows.append(torch.stack(row))
    return torch.stack(rows)


MOST_LATENTS = 64
"""The most latents per network of the sweep."""


def sweep(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Compare both priors at every gain, and with the usual initial weights."""
    tables = {gain: saturation(gain, settings, seed) for gain in GAINS}
    usual = saturation(None, settings, seed)
    unit = tables[1.0]
    more = unit[:, 0] - unit[:, 1]
    figures = [
        claim(
            "unit-saturated",
            say("share of outputs that saturate tanh at unit gain, normal less uniform"),
            mean_and_error(more[:, 0]),
            0.0,
            relation=">",
            of="saturation",
        ),
        claim(
            "unit-lost",
            say("share of tanh's slope that is lost at unit gain, normal less uniform"),
            mean_and_error(more[:, 1]),
            0.0,
            relation=">",
            of="saturation",
        ),
        limit(
            "usual-lost",
            say("share of tanh's slope that is lost with the usual initial weights, normal"),
            mean_and_error(usual[:, 0, 1]),
            LOST,
            relation=">",
            of="saturation",
        ),
        claim(
            "unit-variety",
            say("spread of the images at unit gain, normal over uniform"),
            mean_and_error(unit[:, 0, 2] / unit[:, 1, 2]),
            1.0,
            relation=">",
            of="variety",
        ),
    ]
    for row, prior in enumerate(theory.PRIORS):
        for gain, table in tables.items():
            words = say("at gain {gain:g}, {prior}", gain=gain, prior=say(prior))
            figures += [
                shown(
                    f"saturated-{round(100 * gain)}-{prior}",
                    say("share of outputs that saturate tanh {words}", words=words),
                    mean_and_error(table[:, row, 0]),
                ),
                shown(
                    f"slope-{round(100 * gain)}-{prior}",
                    say("mean slope of tanh {words}", words=words),
                    mean_and_error(1 - table[:, row, 1]),
                ),
            ]
    curves = {
        prior: [float(1 - table[:, row, 1].mean()) for table in tables.values()]
        for row, prior in enumerate(theory.PRIORS)
    }
    return figures, {"gain": list(GAINS), "slope": curves}
