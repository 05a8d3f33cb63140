"""How much of a gradient passes an activation: the mean slope, and the one that counts."""

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from matplotlib.figure import Figure
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from ganzfeld.compute.seeding import Purpose, noise_at
from ganzfeld.errors import UsageError
from ganzfeld.lab.entering import live_maps
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, Outcome
from ganzfeld.networks.activations import activations
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.recipes.schema import Section

CLAIM = (
    "The mean slope of ReLU under a zero-mean Gaussian is 0.5 and that of LeakyReLU 0.5 (1 + alpha), so that "
    "after k layers 0.5^k of a gradient is left against 0.6^k at alpha = 0.2."
)
CLAIM_ZH = (
    "在零均值高斯前激活下，ReLU 的期望导数为 0.5，LeakyReLU 为 0.5(1+α)；因此 α=0.2 时经过 k 层后，"
    "梯度的总衰减因子分别为 0.5^k 与 0.6^k。"
)
SECTION = "激活函数：塑造信号与梯度 / 中间层：LeakyReLU 实现鲁棒的梯度流"
FORMULAS = {
    "mean slope": r"E[f'(a)] = \Phi(\mu/\sigma) + \alpha\,\Phi(-\mu/\sigma)",
    "root mean square slope": r"\sqrt{E[f'(a)^2]} = \sqrt{\Phi(\mu/\sigma) + \alpha^2\,\Phi(-\mu/\sigma)}",
    "gain of a batch-normalised layer": r"\sqrt{E[f'(a)^2] \,/\, \mathrm{Var}[f(a)]}",
}
SIDES = ("discriminator", "generator")
SHORT = {"draws": 20_000, "networks": 4, "width": 48}
THOROUGH = {"draws": 2_000_000, "networks": 40}

RATIO = "root mean square slope, LeakyReLU over ReLU"

FEW, MANY = 4_096, 65_536
"""Pictures over which dead units are counted at most, and with ``--thorough``."""


@final
class Settings(Section):
    """``alpha``: slope of LeakyReLU's negative side. ``mean`` and ``std`` of the Gaussian pre-activation.

    ``depth``, ``width`` and ``networks``: layers, channels and number of the random networks through which
    gradients are sent. ``draws``: of the Monte Carlo.
    """

    alpha: float = 0.2
    mean: float = Field(default=0.0, ge=-1_000, le=1_000)
    std: float = Field(default=1.0, gt=0, le=1_000)
    depth: int = Field(default=20, ge=1, le=200)
    width: int = Field(default=96, ge=2, le=1_024)
    networks: int = Field(default=12, ge=2, le=1_000)
    draws: int = Field(default=400_000, ge=1_000, le=10_000_000)

    @field_validator("alpha")
    @classmethod
    def _is_a_slope(cls, alpha: float) -> float:
        if not 0 <= alpha <= 1:
            raise UsageError(f"alpha {alpha} is out of range: the slope of the negative side is from 0 to 1")
        return alpha

    @model_validator(mode="after")
    def _has_both_sides(self) -> "Settings":
        if abs(self.mean) > 2 * self.std:
            raise UsageError(
                f"mean {self.mean:g} is more than two standard deviations ({self.std:g}) from 0: nearly all "
                "pre-activations would have one sign, and there is no slope to measure"
            )
        return self


def mean_slope(alpha: float, mean: float = 0.0, std: float = 1.0) -> float:
    """E[f'(a)] for a from N(mean, std^2): the share above 0, and alpha times the share below.

    Seed text, section on LeakyReLU, for mean 0: 0.5 (1 + alpha). ReLU is alpha = 0.
    """
    above = share_above(mean, std)
    return above + alpha * (1 - above)


def rms_slope(alpha: float, mean: float = 0.0, std: float = 1.0) -> float:
    """sqrt(E[f'(a)^2]): what a gradient's norm is multiplied by, where slopes and weights are independent.

    He et al. 2015, "Delving deep into rectifiers", equation 15, with the activation's slope of their section
    2.2 for the backward pass.
    """
    above = share_above(mean, std)
    return math.sqrt(above + alpha**2 * (1 - above))


def share_above(mean: float, std: float) -> float:
    """P(a > 0) for a from N(mean, std^2)."""
    return 0.5 * math.erfc(-mean / std / math.sqrt(2))


def normalised_gain(alpha: float) -> float:
    """What a batch-normalised layer multiplies a gradient's norm by: sqrt(E[f'^2] / Var[f]) at N(0, 1).

    A batch norm takes the mean of what comes out of the activation away and divides by what is left of its
    spread, and so multiplies the gradient by the same; exact for wide layers. sqrt(pi / (pi - 1)) for ReLU:
    Yang et al. 2019, "A mean field theory of batch normalization", section 3.
    """
    variance = 0.5 * (1 + alpha**2) - (1 - alpha) ** 2 / (2 * math.pi)
    return rms_slope(alpha) / math.sqrt(variance)


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Slopes by Monte Carlo; gradients through random networks, with and without normalisation."""
    figures = _slopes(settings, seed)
    alpha, depth = settings.alpha, settings.depth
    through: dict[str, dict[str, list[float]]] = {}
    for normalisation in normalisations.names():
        if normalisations.load(normalisation).ON_WEIGHTS:
            continue
        energy = torch.stack(
            [gradient_energies(normalisation, settings, seed, k) for k in range(settings.networks)]
        )
        ratio, error = jackknife(energy[:, :, 0], lambda e: (e.mean(0)[1] / e.mean(0)[0]) ** (0.5 / depth))
        name = f"gradient's gain per layer, LeakyReLU over ReLU, {_called(normalisation)}"
        figures.append(Measured(name, ratio, error, 1 + alpha, "limit", "bench"))
        if normalisation in ("none", "batch"):
            ours = math.sqrt(1 + alpha**2)
            if normalisation == "batch":
                ours = normalised_gain(alpha) / normalised_gain(0)
            whole, spread = jackknife(energy[:, :, 0], lambda e: (e.mean(0)[0] / e.mean(0)[1]).sqrt())
            figures += [
                Measured(
                    f"{name}: by root mean squares",
                    ratio,
                    error,
                    ours,
                    "shown",
                    "bench",
                    0.2 / math.sqrt(settings.width),
                ),
                Measured(
                    f"gradient after {depth} layers, ReLU over LeakyReLU, {_called(normalisation)}",
                    *(whole, spread, (1 + alpha) ** -depth, "limit", "bench"),
                ),
            ]
        kept = energy.mean(0).sqrt()
        through[normalisation] = {"relu": (kept[0] / kept[0, -1]).tolist()}
        through[normalisation]["leaky-relu"] = (kept[1] / kept[1, -1]).tolist()
    return figures, {"through": through}


def _called(normalisation: str) -> str:
    return "no normalisation" if normalisation == "none" else f"{normalisation} normalisation"


def _slopes(settings: Settings, seed: int) -> list[Measured]:
    """The slopes of the catalogue's activations, by autograd at Gaussian draws."""
    alpha, mean, std = settings.alpha, settings.mean, settings.std
    noise = torch.Generator().manual_seed(seed)
    drawn = mean + std * torch.randn(settings.draws, generator=noise, dtype=torch.float64)
    relu, leaky = slopes("relu", alpha, drawn), slopes("leaky-relu", alpha, drawn)
    figures = [
        Measured("mean slope of ReLU", *mean_and_error(relu), mean_slope(0, mean, std), "claim", "bench"),
        Measured(
            "mean slope of LeakyReLU",
            *mean_and_error(leaky),
            *(mean_slope(alpha, mean, std), "claim", "bench"),
        ),
    ]
    # A mean of two slopes is known as well as the share above 0, from which both come.
    above, error = mean_and_error((drawn > 0).double())
    squares = [float(leaky.square().mean()), float(relu.square().mean())]
    ratio = math.sqrt(squares[0] / squares[1])
    error *= alpha**2 / (2 * ratio * above**2)
    gained = mean_slope(alpha, mean, std) / mean_slope(0, mean, std)
    ours = rms_slope(alpha, mean, std) / rms_slope(0, mean, std)
    return [
        *figures,
        Measured(RATIO, ratio, error, gained, "limit", "bench"),
        Measured(f"{RATIO}: by its own formula", ratio, error, ours, "shown", "bench"),
    ]


def slopes(activation: str, alpha: float, at: Tensor) -> Tensor:
    """The slope of an activation of the catalogue at every number of a tensor, as autograd has it."""
    at = at.detach().requires_grad_()
    (slope,) = torch.autograd.grad(activations.load(activation).activation(alpha)(at).sum(), at)
    return slope


def gradient_energies(normalisation: str, settings: Settings, seed: int, number: int) -> Tensor:
    """Mean squared gradients (2, depth + 1) before each layer of a random network and after the last, with
    ReLU and with LeakyReLU, the same weights, pictures and gradient at the end.
    """
    rows = []
    for activation in ("relu", "leaky-relu"):
        noise = noise_at(seed, Purpose.GENERATOR_WEIGHTS, number)
        maps = [torch.randn(16, settings.width, 4, 4, generator=noise).requires_grad_()]
        for _ in range(settings.depth):
            maps.append(_layer(normalisation, activation, settings, noise)(maps[-1]))
        sent = torch.randn(maps[-1].shape, generator=noise)
        gradients = torch.autograd.grad(maps[-1], maps, sent)
        rows.append(torch.stack([gradient.double().square().mean() for gradient in gradients]))
    return torch.stack(rows)


def _layer(normalisation: str, activation: str, settings: Settings, noise: torch.Generator) -> nn.Module:
    width = settings.width
    mixing = nn.Conv2d(width, width, 1, bias=False)
    with torch.no_grad():
        weight = torch.randn(mixing.weight.shape, generator=noise)
        mixing.weight.copy_(weight * math.sqrt(2 / width))
    normalised = normalisations.load(normalisation).normalise(mixing, width, 2)
    return nn.Sequential(*normalised, activations.load(activation).activation(settings.alpha))


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """The slopes of the networks as they train, and the dead units of two that differ in the activation."""
    alpha, figures = settings.alpha, []
    for side in SIDES:
        positive = torch.stack(
            [maps.gt(0).flatten(1).double().mean(1) for maps in live_maps(live, side, 512)]
        )
        above = positive.mean(0)  # by picture, over the layers
        value = mean_and_error(above + alpha * (1 - above))
        name = f"mean slope in the {side}, if its negative side had alpha"
        figures.append(Measured(name, *value, mean_slope(alpha), "limit", "in situ"))
        value = jackknife(
            above.unflatten(0, (16, -1)), lambda p: (1 + alpha**2 * (1 - p.mean()) / p.mean()).sqrt()
        )
        name = f"root mean square slope in the {side}, LeakyReLU over ReLU"
        figures.append(Measured(name, *value, 1 + alpha, "limit", "in situ"))
    num = min(MANY if live.thorough else FEW, live.pictures.num_pictures)
    dead, stages = {}, {}
    for activation in ("relu", "leaky-relu"):
        wanted = {"activation": activation, "slope": alpha}
        trained = live.variant({f"{side}.{key}": value for side in SIDES for key, value in wanted.items()})
        stages[activation] = trained.stages
        for side in SIDES:
            counts = [never_positive(trained, side, num, stage) for stage in trained.stages]
            dead[f"{activation}, {side}"] = [units for units, _, _ in counts]
            units, channels, without = counts[-1]
            for what, share in (("units", units), ("channels", channels)):
                name = f"share of the {side}'s {what} never positive, {activation}"
                figures.append(Measured(name, share, 0.0, None, "shown", "in situ"))
            if activation == "leaky-relu" and alpha > 0:
                name = f"share of the {side}'s units without any gradient, {activation}"
                figures.append(Measured(name, without, 0.0, 0.0, "claim", "in situ"))
    return figures, {"dead": dead, "stages": stages, "counted": num}


def never_positive(live: Live, side: str, num: int, stage: int) -> tuple[float, float, float]:
    """Shares of a network's hidden units (a channel at a position) that are positive on none of so many
    pictures, of its channels that are so at every position, and of units without a gradient on all pictures.
    """
    choices = getattr(live.recipe, side)
    largest = [maps.amax(0) for maps in live_maps(live, side, num, stage=stage)]
    channels = torch.cat([maps.flatten(1).amax(1) for maps in largest])
    units = torch.cat([maps.flatten() for maps in largest])
    slope = slopes(choices.activation, choices.slope, units)  # which falls nowhere
    of_units, of_channels, without = (
        float(each.double().mean()) for each in (units <= 0, channels <= 0, slope == 0)
    )
    return of_units, of_channels, without


def advice(figures: Sequence[Measured]) -> str:
    """What to do about it."""
    value = {figure.name: figure.value for figure in figures}
    ratio = value[RATIO]
    behind = next(
        number for name, number in value.items() if name.startswith("gradient after") and "batch" in name
    )
    apart = value["mean slope of LeakyReLU"] / value["mean slope of ReLU"]
    dead, still, whole = (
        100 * value[f"share of the discriminator's {what}"]
        for what in (
            "units never positive, relu",
            "units never positive, leaky-relu",
            "channels never positive, relu",
        )
    )
    order = "ReLU passes on" if behind > 1 else "ReLU still passes on only"
    return (
        "The two mean slopes are right, and they are not what a gradient feels: its norm goes with the root "
        f"mean square slope, and there LeakyReLU and ReLU are {100 * (ratio - 1):.1f} % apart, not "
        f"{100 * (apart - 1):.0f} %. Behind batch norms {order} {behind:.2g} times what LeakyReLU does over "
        "this depth. So do not choose LeakyReLU for the size of gradients, which Adam divides out in any "
        f"case. Choose it because no unit can die: in the discriminator with ReLU, {dead:.2g} % of the units "
        f"(a channel at a position) were positive on no picture, and {whole:.2g} % of the channels nowhere: "
        f"those learn no more. With LeakyReLU {still:.2g} % of the units were positive on none, and still "
        "learn."
    )


def draw(outcome: Outcome) -> Figure:
    """What each activation passes on through depth, and the units that are never positive."""
    alpha, depth = outcome.settings["alpha"], outcome.settings["depth"]
    figure = Figure(figsize=(10, 5), layout="constrained")
    passed, units = figure.subplots(1, 2)
    below: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 2}
    layers = range(depth + 1)
    passed.plot(layers, [(1 + alpha) ** k for k in layers], "k--", label="mean slopes (the claim)")
    passed.plot(layers, [(1 + alpha**2) ** (k / 2) for k in layers], "k:", label="root mean square slopes")
    for color, (normalisation, kept) in enumerate(outcome.data["through"].items()):
        ratio = [leaky / relu for leaky, relu in zip(kept["leaky-relu"], kept["relu"], strict=True)]
        passed.plot(layers, ratio[::-1], f"C{color}", label=f"measured, {_called(normalisation)}")
    passed.set(yscale="log", xlabel="layers that the gradient has passed", ylabel="LeakyReLU over ReLU")
    passed.set_title(f"Gradient norm with LeakyReLU {alpha:g} over that with ReLU")
    passed.legend(fontsize=8, **below)
    for color, side in enumerate(SIDES):
        for style, activation in (("o-", "relu"), ("s:", "leaky-relu")):
            shares = [100 * share for share in outcome.data["dead"][f"{activation}, {side}"]]
            units.plot(
                outcome.data["stages"][activation],
                shares,
                style,
                color=f"C{color}",
                label=f"{side}, {activation}",
            )
    units.set_xscale("symlog", linthresh=outcome.data["stages"]["relu"][1])
    units.set(xlabel="pictures seen", ylabel="units, %", ylim=(0, None))
    units.set_title("Units that are positive on no picture")
    units.legend(fontsize=8, **below)
    return figure
