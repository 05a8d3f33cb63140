"""The slope of the output activation: in real numbers, and in those that a computer has."""

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from matplotlib.figure import Figure
from pydantic import Field
from torch import Tensor

from ganzfeld.lab.entering import PASS, entering
from ganzfeld.lab.estimate import jackknife, mean_and_error
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, Outcome
from ganzfeld.networks.outputs import outputs
from ganzfeld.recipes.schema import Section

CLAIM = (
    "tanh has a gradient at every finite input, so that every pixel can still be put right; clip has none "
    "outside [-1, 1], and clipped pixels stick."
)
CLAIM_ZH = (
    "tanh 在任何有限输入处的梯度都不为零，极端的像素仍可被缓慢修正；而硬裁剪 clip 在 [-1, 1] 之外梯度精确为零，"
    "被裁剪的像素会“卡”住。"
)
SECTION = "激活函数：塑造信号与梯度 / 生成器输出层：tanh 实现有界且可微的输出"
FORMULAS = {
    "tanh": r"1 - \tanh^2(a) = 4 e^{-2|a|} \,/\, (1 + e^{-2|a|})^2 > 0",
    "clip": r"1\,[\,|a| < 1\,]",
    "where rounding ends it, p binary digits": r"|a| = \mathrm{artanh}(1 - 2^{-(p+1)}) \approx (p+2)\,\ln 2 \,/\, 2",
}
SHORT = {"pixels": 101, "steps": 100}

PRECISIONS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
LARGEST = 32.0
"""Pre-activations are looked at up to this; beyond, no format here has a tanh below 1."""
LATENTS = 1_024
END = "tanh's gradient is exactly 0 from,"


@final
class Settings(Section):
    """``reach``: inputs from -reach to reach are looked at. ``pixels`` of such inputs are pulled to ``target``
    by ``steps`` steps of gradient descent of size ``rate``.
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
    """The catalogue's output activations, in every number of the formats that matter, and pixels that learn."""
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
    data = {"inputs": inputs.tolist(), "exact": exact.tolist(), "slopes": slopes, "moved": moved}
    return [*figures, *taught], data


def slope(output: str, at: Tensor) -> Tensor:
    """The slope of an output activation of the catalogue, as autograd has it in the precision of ``at``."""
    at = at.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(outputs.load(output).output()(at).sum(), at)
    return gradient


def first_without_slope(precision: torch.dtype) -> float:
    """The smallest number of a format from which on, up to 32, autograd's tanh has no gradient at either sign.

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
    real = live.real(LATENTS, seed)
    pictures = {name: shown(trained[name], seed) for name in ("tanh", "clip")}
    for name, made in pictures.items():
        value = jackknife(made.unflatten(0, (16, -1)), lambda kept: colour_distance(kept.flatten(0, 1), real))
        figures.append(
            Measured(f"distance of the colours from the real ones, {name}", *value, None, "shown", "in situ")
        )
        value = jackknife(
            made.unflatten(0, (16, -1)), lambda kept: roughness(kept.flatten(0, 1)) / roughness(real)
        )
        figures.append(
            Measured(
                f"energy of single pixels, over that of the real, {name}", *value, None, "shown", "in situ"
            )
        )
    sizes = before.abs().flatten()
    data = {"sizes": sizes[torch.linspace(0, len(sizes) - 1, 20_000).long()].tolist()}
    return figures, data | {"pictures": {name: made[:6] for name, made in pictures.items()}}


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


def colour_distance(pictures: Tensor, real: Tensor) -> Tensor:
    """Mean distance between the sorted values of each channel (Wasserstein-1), of 2: black against white."""
    quantiles = torch.linspace(0, 1, 201)
    along = [
        _sorted(given)[:, (quantiles * (_sorted(given).shape[1] - 1)).long()] for given in (pictures, real)
    ]
    return (along[0] - along[1]).abs().mean()


def _sorted(pictures: Tensor) -> Tensor:
    return pictures.transpose(0, 1).flatten(1).sort(1).values


def roughness(pictures: Tensor) -> Tensor:
    """Mean square of what differs from the mean of the four neighbours."""
    middle = pictures[..., 1:-1, 1:-1]
    around = (
        pictures[..., 2:, 1:-1]
        + pictures[..., :-2, 1:-1]
        + pictures[..., 1:-1, 2:]
        + pictures[..., 1:-1, :-2]
    )
    return (middle - around / 4).square().mean()


def advice(figures: Sequence[Measured]) -> str:
    """What to do about it."""
    value = {figure.name: figure.value for figure in figures}
    ends = ", ".join(f"{value[f'{END} {name}']:.2f} in {name}" for name in PRECISIONS)
    lost = value["pixels of tanh without a gradient, bfloat16"]
    kept = value["pixels of tanh without a gradient, float32"]
    freed = next(number for name, number in value.items() if name.startswith("pixels clipped after"))
    return (
        f"Keep the output activation in float32 under mixed precision, as this package does: the gradient of tanh "
        f"is exactly 0 from abs(a) = {ends}. In the training looked at here {100 * lost:.2g} % of all pixel values "
        f"would have no gradient in bfloat16, and {100 * kept:.2g} % have none in float32. Clipping is less final "
        f"than it looks: {100 * freed:.0f} % of the pixels that were clipped became free again, since weights are "
        "shared and other pixels move them. A pixel sticks only where all that shares its weights is saturated too."
    )


def draw(outcome: Outcome) -> Figure:
    """The slope in each format, how large pre-activations get, and the pictures of both."""
    data = outcome.data
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    slopes, sizes, pictures = figure.subplots(1, 3, width_ratios=(1, 1, 1.2))
    at = torch.tensor(data["inputs"])
    right = at >= 0
    slopes.plot(at[right], torch.tensor(data["exact"])[right], "k--", label="tanh in real numbers")
    counts = torch.tensor(data["sizes"]).sort().values
    sizes.plot(counts, 100 * torch.linspace(1, 0, len(counts)), "k", label="tanh, as it trains")
    for color, (name, precision) in enumerate(PRECISIONS.items()):
        slope_of = torch.tensor(data["slopes"][name])[right]
        slopes.plot(at[right], slope_of.where(slope_of > 0, math.nan), f"C{color}", label=name)
        for axes in (slopes, sizes):
            axes.axvline(end_of_slope(precision), color=f"C{color}", linestyle=":")
    slopes.axvline(1, color="C3", label="clip ends")
    slopes.set(yscale="log", xlabel="pre-activation", ylabel="slope", ylim=(1e-9, 2))
    slopes.set_title("Where the gradient of tanh ends")
    slopes.legend(fontsize=8)
    sizes.set(
        xlabel="absolute pre-activation",
        ylabel="pixel values that are larger, %",
        xlim=(0, outcome.settings["reach"]),
    )
    sizes.set_title("How large pre-activations get")
    rows = [torch.cat(list(data["pictures"][name]), 2) for name in ("tanh", "clip")]
    sheet = torch.cat(rows, 1).movedim(0, 2).add(1).div(2)
    pictures.imshow(sheet.expand(-1, -1, 3) if sheet.shape[2] == 1 else sheet, interpolation="nearest")
    pictures.set_title("Pictures after equal training: tanh above, clip below")
    pictures.axis("off")
    return figure
