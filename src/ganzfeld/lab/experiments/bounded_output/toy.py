"""The slope of the output activation: in real numbers, and in those that a computer has."""

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from pydantic import Field
from torch import Tensor

from ganzfeld.lab.entering import PASS, entering
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.experiments.bounded_output.figure import draw as draw
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import row_of
from ganzfeld.lab.outcome import Measured
from ganzfeld.networks.outputs import outputs
from ganzfeld.recipes.schema import Section

CLAIM = (
    "tanh has a gradient at every finite input, so that every pixel can still be put right; clip has none "
    "outside [-1, 1], and clipped pixels stick."
)
CLAIM_ZH = (
    "tanh 在任何有限输入处的梯度都不为零，极端的像素仍可被缓慢修正；"
    "而硬裁剪 clip 在 [-1, 1] 之外梯度精确为零，被裁剪的像素会“卡”住。"
)
SECTION = "激活函数：塑造信号与梯度 / 生成器输出层：tanh 实现有界且可微的输出"
FORMULAS = {
    "tanh": r"1 - \tanh^2(a) = 4 e^{-2|a|} \,/\, (1 + e^{-2|a|})^2 > 0",
    "clip": r"1\,[\,|a| < 1\,]",
    "where rounding ends it, p binary digits": (
        r"|a| = \mathrm{artanh}(1 - 2^{-(p+1)}) \approx (p+2)\,\ln 2 \,/\, 2"
    ),
}
SHORT = {"pixels": 101, "steps": 100}
THOROUGH = {"pixels": 10_001}

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
LARGEST = 32.0
"""Pre-activations are looked at up to this; beyond, no format here has a tanh below 1."""
LATENTS = 1_024
END = "tanh's gradient is exactly 0 from,"


@final
class Settings(Section):
    """``reach``: inputs from -reach to reach are looked at. ``pixels`` saturated ones are pulled to
    ``target`` by ``steps`` steps of gradient descent of size ``rate``.
    """

    reach: float = Field(default=12.0, gt=1, le=19)
    pixels: int = Field(default=1_001, ge=11, le=1_000_000)
    target: float = Field(default=0.0, ge=-0.9, le=0.9)
    steps: int = Field(default=1_000, ge=1, le=100_000)
    rate: float = Field(default=1.0, gt=0, le=10)


def tanh_slope(preactivation: float) -> float:
    """1 - tanh^2(a) = 4 e^(-2 abs(a)) / (1 + e^(-2 abs(a)))^2, without the subtraction that rounds to 0."""
    falling = math.exp(-2 * abs(preactivation))
    return 4 * falling / (1 + falling) ** 2


def log_tanh_slope(preactivation: float) -> float:
    """Its logarithm, finite at every finite input: so the slope is above 0 in real numbers."""
    size = abs(preactivation)
    return math.log(4) - 2 * size - 2 * math.log1p(math.exp(-2 * size))


def clip_slope(preactivation: float) -> float:
    """1 inside (-1, 1) and 0 outside."""
    return float(abs(preactivation) < 1)


def end_of_slope(precision: torch.dtype) -> float:
    """The input from which on tanh is 1 to the nearest number of a format, and 1 - tanh^2 exactly 0.

    With p binary digits the last number below 1 is 1 - 2^-p, and half of that way rounds to 1:
    artanh(1 - 2^-(p + 1)), about (p + 2) ln 2 / 2.
    """
    return math.atanh(1 - torch.finfo(precision).eps / 4)


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """The catalogue's output activations in the formats that matter, and pixels that learn."""
    reach, figures = settings.reach, []
    inputs = torch.linspace(-reach, reach, settings.pixels, dtype=torch.float64)
    exact = torch.tensor([tanh_slope(a) for a in inputs.tolist()], dtype=torch.float64)
    measured = slope("tanh", inputs)
    away = float((measured - exact).abs().max())
    figures.append(
        Measured("slope of tanh in float64, away from 1 - tanh^2", away, 0.0, 0.0, "claim", "bench", 1e-14)
    )
    figures.append(
        Measured(
            "logarithm of tanh's slope at 1000, in real numbers",
            log_tanh_slope(1e3),
            0.0,
            math.log(4) - 2e3,
            "shown",
            "closed form",
            1e-9,
        )
    )
    lost = float((measured == 0).double().mean())
    figures.append(
        Measured(
            f"inputs up to {reach:g} at which tanh has no gradient, float64", lost, 0.0, 0.0, "claim", "bench"
        )
    )
    wanted = torch.tensor([clip_slope(a) for a in inputs.tolist()], dtype=torch.float64)
    away = float((slope("clip", inputs) - wanted).abs().max())
    figures.append(
        Measured("slope of clip, away from 1 inside and 0 outside", away, 0.0, 0.0, "claim", "bench")
    )
    slopes = {}
    for name, precision in PRECISIONS.items():
        inside = slope("tanh", inputs.to(precision))
        lost = float((inside == 0).double().mean())
        slopes[name] = inside.double().tolist()
        figures.append(
            Measured(
                f"inputs up to {reach:g} at which tanh has no gradient, {name}",
                lost,
                0.0,
                0.0,
                "limit",
                "bench",
            )
        )
        end = first_without_slope(precision)
        figures.append(Measured(f"{END} {name}", end, 0.0, end_of_slope(precision), "shown", "bench", 0.01))
    taught, moved = _taught(settings)
    ends = {name: end_of_slope(precision) for name, precision in PRECISIONS.items()}
    data = {
        "inputs": inputs.tolist(),
        "exact": exact.tolist(),
        "slopes": slopes,
        "ends": ends,
        "moved": moved,
    }
    return [*figures, *taught], data


def slope(output: str, at: Tensor) -> Tensor:
    """The slope of an output activation of the catalogue, as autograd has it in the precision of ``at``."""
    at = at.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(outputs.load(output).output()(at).sum(), at)
    return gradient


def first_without_slope(precision: torch.dtype) -> float:
    """The smallest number of a format from which on autograd's tanh has no gradient, at either sign.

    Every number from 2 to 32 is tried, from 8 to 16 only in float32.
    """
    width = {4: torch.int32, 2: torch.int16}[precision.itemsize]
    between = (8.0, 16.0) if precision == torch.float32 else (2.0, LARGEST)
    first, last = (int(torch.tensor(edge, dtype=precision).view(width)) for edge in between)
    numbers = torch.arange(first, last, dtype=width).view(precision)
    some = (slope("tanh", numbers) != 0) | (slope("tanh", -numbers) != 0)
    return float(numbers[int(some.nonzero().max()) + 1])


def _taught(settings: Settings) -> tuple[list[Measured], dict[str, Any]]:
    """Pixels, each with a pre-activation of its own, that are pulled to one value by gradient descent."""
    begun = torch.linspace(1.05, 6.0, settings.pixels)
    figures, moved = [], {"from": begun.tolist()}
    for output, expected in (("tanh", 1.0), ("clip", 0.0)):
        at = begun.clone()
        module = outputs.load(output).output()
        for _ in range(settings.steps):
            at.requires_grad_()
            loss = 0.5 * (module(at) - settings.target).square().sum()
            (gradient,) = torch.autograd.grad(loss, at)
            at = (at - settings.rate * gradient).detach()
        moved[output] = module(at).tolist()
        share = float((at != begun).double().mean())
        figures.append(
            Measured(
                f"saturated pixels that {settings.steps} steps move at all, {output}",
                share,
                0.0,
                expected,
                "claim",
                "bench",
            )
        )
        near = float(((module(at) - settings.target).abs() < 0.1).double().mean())
        figures.append(
            Measured(
                f"saturated pixels that {settings.steps} steps bring within 0.1, {output}",
                near,
                0.0,
                None,
                "shown",
                "bench",
            )
        )
    return figures, moved


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Pixels without a gradient under each precision; whether clipped ones stick; the pictures of both."""
    figures = []
    trained = {
        name: live.variant({"generator.output": name})
        for name in ("tanh", "clip")
        if name != live.recipe.generator.output
    }
    trained[live.recipe.generator.output] = live
    before = before_output(trained["tanh"], seed)
    for name, precision in PRECISIONS.items():
        value = _by_picture(slope("tanh", before.to(precision)) == 0)
        figures.append(
            Measured(f"pixels of tanh without a gradient, {name}", *value, 0.0, "limit", "in situ")
        )
    held = before_output(trained["clip"], seed)
    value = _by_picture(slope("clip", held) == 0)
    figures.append(Measured("pixels of clip without a gradient", *value, None, "shown", "in situ"))
    figures.append(_freed(trained["clip"], seed))
    pictures = {name: shown(trained[name], seed) for name in ("tanh", "clip")}
    for name, made in pictures.items():
        others = [] if not live.thorough else [shown(each, seed) for each in _again(trained[name])]
        figures += _compared(name, [made, *others], live.real(LATENTS, seed))
    sizes = before.abs().flatten()
    data = {"sizes": sizes[torch.linspace(0, len(sizes) - 1, 20_000).long()].tolist()}
    return figures, data | {"pictures": {name: row_of(made[:6]) for name, made in pictures.items()}}


def _again(trained: Live) -> list[Live]:
    """The same training from two other seeds."""
    return [trained.variant(seed=trained.training.seed + more) for more in (1, 2)]


def _compared(name: str, trainings: Sequence[Tensor], real: Tensor) -> list[Measured]:
    """Colours and smoothness of pictures against real ones.

    Of several trainings the errors are over these; of one they are over its pictures, and say nothing of how
    another training would come out.
    """
    truth = histograms(real)
    if len(trainings) > 1:
        colours = [float(colour_distance(histograms(made), truth)) for made in trainings]
        grain = [float(roughness(made).mean() / roughness(real).mean()) for made in trainings]
        values = mean_and_error(torch.tensor(colours)), mean_and_error(torch.tensor(grain))
    else:
        (made,) = trainings
        colour = jackknife(histograms(made), lambda kept: colour_distance(kept, truth))
        values = colour, mean_and_error(roughness(made) / roughness(real).mean())
    what = ("distance of the colours from the real ones", "energy of single pixels, over that of the real")
    return [
        Measured(f"{each}, {name}", *value, None, "shown", "in situ")
        for each, value in zip(what, values, strict=True)
    ]


@torch.no_grad()
def before_output(live: Live, seed: int, stage: int | None = None) -> Tensor:
    """What enters the output activation of the generator as it trains, (LATENTS, C, *size)."""
    generator = live.trainer(stage).players.generator
    parts = live.latents(LATENTS, seed).split(PASS)
    return torch.cat([entering(generator, [generator.output], part)[0] for part in parts])


def _by_picture(flags: Tensor) -> tuple[float, float]:
    return mean_and_error(flags.flatten(1).double().mean(1))


def _freed(clip: Live, seed: int) -> Measured:
    """Of the pixels that clip holds at a quarter of the training, how many it no longer holds at its end."""
    earlier, later = clip.stages[-2], clip.stages[-1]
    held, still = (before_output(clip, seed, stage).abs() >= 1 for stage in (earlier, later))
    counts = torch.stack((held.flatten(1).sum(1), (held & ~still).flatten(1).sum(1)), 1)
    value = jackknife(
        counts.unflatten(0, (16, -1)).sum(1), lambda kept: kept[:, 1].sum() / kept[:, 0].sum().clamp_min(1)
    )
    name = f"pixels clipped after {earlier} pictures that are free after {later}"
    return Measured(name, *value, 0.0, "limit", "in situ")


@torch.no_grad()
def shown(live: Live, seed: int) -> Tensor:
    """Pictures of the model, (LATENTS, C, *size) in [-1, 1]."""
    model = live.trainer().shipped()
    return torch.cat([model(part) for part in live.latents(LATENTS, seed).split(PASS)]).clamp(-1, 1)


def histograms(pictures: Tensor) -> Tensor:
    """How often each of 256 values occurs in each channel, (16, C, 256): in 16 parts of the pictures."""
    parts = pictures.transpose(0, 1).chunk(16, 1)
    return torch.stack([torch.stack([torch.histc(each, 256, -1, 1) for each in part]) for part in parts])


def colour_distance(counts: Tensor, others: Tensor) -> Tensor:
    """Wasserstein-1 distance between the values of a channel, mean over the channels, of two ``histograms``.

    Black is 2 away from white.
    """
    shares = [each.double().sum(0) / each.double().sum((0, 2))[:, None] for each in (counts, others)]
    return (shares[0] - shares[1]).cumsum(1).abs().sum(1).mean() * 2 / 256


def roughness(pictures: Tensor) -> Tensor:
    """Mean square, by picture, of what differs from the mean of the four neighbours."""
    middle = pictures[..., 1:-1, 1:-1]
    beside = pictures[..., 1:-1, 2:] + pictures[..., 1:-1, :-2]
    around = pictures[..., 2:, 1:-1] + pictures[..., :-2, 1:-1] + beside
    return (middle - around / 4).square().flatten(1).mean(1)


def advice(figures: Sequence[Measured]) -> str:
    """What to do about it."""
    value = {figure.name: figure.value for figure in figures}
    ends = ", ".join(f"{value[f'{END} {name}']:.2f} in {name}" for name in PRECISIONS)
    lost, kept = (
        100 * value[f"pixels of tanh without a gradient, {name}"] for name in ("bfloat16", "float32")
    )
    freed = next(number for name, number in value.items() if name.startswith("pixels clipped after"))
    return (
        "Keep the output activation in float32 under mixed precision, as this package does: the gradient of "
        f"tanh is exactly 0 from abs(a) = {ends}. In the training looked at here {lost:.2g} % of all pixel "
        f"values would have no gradient in bfloat16; in float32 {kept:.2g} % have none. Clipping is less "
        f"final than it looks: {100 * freed:.0f} % of the pixels that were clipped became free again, since "
        "weights are shared and other pixels move them. A pixel sticks only where all that shares its "
        "weights is saturated too."
    )
