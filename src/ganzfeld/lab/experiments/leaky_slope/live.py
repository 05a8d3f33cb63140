"""``leaky-slope`` in situ: slopes of live networks, and units that are never positive."""

from collections.abc import Sequence
from typing import Any

import torch

from ganzfeld.lab.entering import live_maps
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.experiments.leaky_slope import SIDES, Settings, theory
from ganzfeld.lab.experiments.leaky_slope.toy import slopes
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, claim, limit, shown

FEW, MANY = 2_048, 32_768
"""The most images of a kind over which dead units are counted, by default and with ``--thorough``."""


def variants(settings: Settings) -> list[dict[str, Any]]:
    """Return the activations that are compared, in both networks."""
    return [
        {f"{side}.{key}": value for side in SIDES for key, value in choices.items()}
        for choices in ({"activation": name, "slope": settings.alpha} for name in ("relu", "leaky-relu"))
    ]


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the slopes of the networks as they train, and the dead units of two runs that differ in the
    activation.
    """
    figures = [figure for side in SIDES for figure in _slopes_of(live, side, settings.alpha)]
    num = min(MANY if live.thorough else FEW, live.dataset.num_pictures)
    dead, stages = {}, {}
    for activation, change in zip(("relu", "leaky-relu"), variants(settings), strict=True):
        trained = live.variant(change)
        stages[activation] = trained.stages
        for side in SIDES:
            counts = [never_positive(trained, side, num, stage) for stage in trained.stages]
            dead[f"{activation}, {side}"] = [units for units, _, _ in counts]
            figures += _dead_in(side, activation, counts)
            if activation == "leaky-relu" and settings.alpha > 0:
                figures.append(_without_gradient(side, activation, counts[-1][2]))
    for side in SIDES:
        more = dead[f"relu, {side}"][-1] - dead[f"leaky-relu, {side}"][-1]
        name = say("share of the {side}'s units never positive, relu less leaky-relu", side=say(side))
        figures.append(claim(f"more-dead-{side}", name, more, 0.0, of="dying", relation=">", part="in situ"))
    return figures, {"dead": dead, "stages": stages, "counted": num}


def _slopes_of(live: Live, side: str, alpha: float) -> list[Measured]:
    """Measure the mean and the root mean square slope of one network as it is after training."""
    positive = torch.stack([maps.gt(0).flatten(1).double().mean(1) for maps in live_maps(live, side, 512)])
    above = positive.mean(0)  # per image, mean over the layers
    mean = mean_and_error(above + alpha * (1 - above))
    ratio = jackknife(
        above.unflatten(0, (16, -1)), lambda p: (1 + alpha**2 * (1 - p.mean()) / p.mean()).sqrt()
    )
    return [
        limit(
            f"live-mean-{side}",
            say("mean slope in the {side}, with slope alpha on the negative side", side=say(side)),
            mean,
            theory.mean_slope(alpha),
            of="mean-slope",
            part="in situ",
        ),
        limit(
            f"live-rms-ratio-{side}",
            say("root mean square slope in the {side}, LeakyReLU over ReLU", side=say(side)),
            ratio,
            1 + alpha,
            of="depth",
            part="in situ",
        ),
    ]


def _dead_in(side: str, activation: str, counts: Sequence[tuple[float, float, float]]) -> list[Measured]:
    """Show the shares of units and channels that are never positive, before training and after it."""
    figures = []
    for when, key, (units, channels, _) in (
        (say("before training"), "first", counts[0]),
        (say("after it"), "last", counts[-1]),
    ):
        for what, share in (("units", units), ("channels", channels)):
            name = say(
                "share of the {side}'s {what} never positive, {activation}, {when}",
                side=say(side),
                what=say(what),
                activation=activation,
                when=when,
            )
            full = f"never-positive-{what}-{side}-{activation}-{key}"
            figures.append(shown(full, name, share, part="in situ"))
    return figures


def _without_gradient(side: str, activation: str, share: float) -> Measured:
    """Build the figure of the share of units without any gradient, of which LeakyReLU has none."""
    name = say(
        "share of the {side}'s units without any gradient, {activation}",
        side=say(side),
        activation=activation,
    )
    return claim(f"no-gradient-{side}", name, share, 0.0, of="leak", part="in situ", identity=True)


def never_positive(live: Live, side: str, num: int, stage: int) -> tuple[float, float, float]:
    """Return three shares of a network over ``num`` images: the hidden units (a channel at a position) that
    are positive on no image, the channels that are positive nowhere on any image, and the units without a
    gradient on every image.

    A discriminator learns from generated images as well, so it is measured on ``num`` real ones and as many
    of the generator at that stage.
    """
    choices = getattr(live.recipe, side)
    largest = [maps.amax(0) for maps in live_maps(live, side, num, stage=stage)]
    if side == "discriminator":
        generated = live_maps(live, side, num, stage=stage, generated=True)
        largest = [torch.maximum(real, maps.amax(0)) for real, maps in zip(largest, generated, strict=True)]
    channels = torch.cat([maps.flatten(1).amax(1) for maps in largest])
    units = torch.cat([maps.flatten() for maps in largest])
    slope = slopes(
        choices.activation, choices.slope, units
    )  # slopes grow with the input, so 0 here is 0 on all
    of_units, of_channels, without = (
        float(flags.double().mean()) for flags in (units <= 0, channels <= 0, slope == 0)
    )
    return of_units, of_channels, without
