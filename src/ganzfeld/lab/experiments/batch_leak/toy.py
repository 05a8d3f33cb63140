"""What a discriminator with statistics across the batch learns from the company a picture is in."""

import math
from collections.abc import Sequence
from typing import Any, final

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.compute.seeding import Purpose, derived_seed
from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.lab.entering import entering
from ganzfeld.lab.estimate import mean_and_error
from ganzfeld.lab.experiments.batch_leak.figure import draw as draw
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured
from ganzfeld.losses import Loss
from ganzfeld.networks import Discriminator, initialise
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.recipes.schema import Section

CLAIM = (
    "Batch normalisation in a discriminator that is fed mixed batches lets the composition of the batch leak "
    "into the logit of every picture; layer or instance normalisation, or none, does not."
)
CLAIM_ZH = (
    "判别器中的批量归一化在真伪混合的批次上会泄露批次组成信息：一个样本的输出取决于同批的其他样本；"
    "层归一化、实例归一化或不归一化则不会。"
)
SECTION = "归一化层：稳定深度对抗系统 / 判别器中批量归一化的陷阱"
FORMULAS = {
    "across a batch norm": r"\partial y_i / \partial x_j = -\,(1 + y_i y_j) \,/\, (N s), \quad i \neq j",
    "fixed value, fake share f": r"y(f) = (x - f\delta) \,/\, \sqrt{1 + f(1-f)\,\delta^2}",
    "probe on the batch mean": r"R^2 = \delta^2 V \,/\, (\delta^2 V + 1/B), \quad V = (B+2)/(12B)",
}
SHORT = {"draws": 2_000, "steps": 12, "batch": 8}
THOROUGH = {"draws": 100_000, "steps": 1_000}

SHARES = tuple(eighth / 8 for eighth in range(9))
CROWD = 4_096
"""Pictures whose statistics stand for those of all."""
TINY = 1e-300
TOYS = 64
"""Batches on which a discriminator that was taught on toys is tested."""
SIDE = 16


@final
class Settings(Section):
    """``batch``: pictures in a batch. ``distance``: between the means of real and fake values, in standard
    deviations. ``draws``: batches for the probe. ``steps``: for which discriminators are taught on toys.
    """

    batch: int = 16
    distance: float = Field(default=1.0, gt=0, le=10)
    draws: int = Field(default=20_000, ge=500, le=1_000_000)
    steps: int = Field(default=250, ge=1, le=10_000)

    @field_validator("batch")
    @classmethod
    def _has_company(cls, batch: int) -> int:
        if not 2 <= batch <= 256:
            raise UsageError(f"in a batch of {batch} nothing can leak that we could measure: from 2 to 256")
        return batch


def cross_gradient(normalised: Tensor, scale: Tensor) -> Tensor:
    """d y_i / d x_j of a batch norm without gain, (N, N), from its outputs ``normalised`` (N,).

    ``scale`` is s = sqrt(variance + eps). (1[i = j] - (1 + y_i y_j)/N)/s: Ioffe & Szegedy 2015, the equations
    after their algorithm 1, put together.
    """
    num = len(normalised)
    own = torch.eye(num, dtype=normalised.dtype)
    return (own - (1 + torch.outer(normalised, normalised)) / num) / scale


def normalised_value(value: float, share: float, distance: float) -> float:
    """What a batch norm over many numbers makes of one value, where a ``share`` of them comes from
    N(-distance, 1), the fakes, and the rest from N(0, 1): the mean is -share distance, and two means add
    share (1 - share) distance^2 to the variance.
    """
    return (value + share * distance) / math.sqrt(1 + share * (1 - share) * distance**2)


def probe_r2(batch: int, distance: float) -> float:
    """R^2 of the best linear guess of a batch's share of fakes from its mean alone, if 0 to B fakes are
    equally likely: the share has the variance (B + 2)/(12 B), the mean a noise of 1/B.
    """
    signal = distance**2 * (batch + 2) / (12 * batch)
    return signal / (signal + 1 / batch)


def bench(settings: Settings, seed: int, thorough: bool) -> tuple[list[Measured], dict[str, Any]]:
    """Derivatives across pictures, the drift of a value, a probe, and discriminators taught on toys."""
    noise = torch.Generator().manual_seed(seed)
    figures = [_one_layer(settings, noise), *_whole_networks(settings, seed)]
    drift, curve = _drift(settings, noise)
    taught, accuracies = _taught(settings, seed)
    return [*figures, *drift, _probe(settings, noise), *taught], {
        "drift": curve,
        "accuracies": accuracies,
        "best": BEST,
    }


def _one_layer(settings: Settings, noise: torch.Generator) -> Measured:
    """The catalogue's batch norm against the closed form."""
    values = torch.randn(settings.batch, generator=noise, dtype=torch.float64)
    norm = norm_of_maps("batch", 1)
    jacobian = torch.autograd.functional.jacobian(lambda x: norm(x.view(-1, 1, 1, 1)).flatten(), values)
    assert isinstance(jacobian, Tensor)
    out = norm(values.view(-1, 1, 1, 1)).flatten().detach()
    scale = values.diff()[0] / out.diff()[0]
    away = float((jacobian - cross_gradient(out, scale)).abs().max())
    return Measured(
        "derivatives across a batch norm, away from the formula", away, 0.0, 0.0, "claim", "bench", 1e-9
    )


def norm_of_maps(name: str, channels: int) -> nn.Module:
    """A normalisation of the catalogue, of maps as they are, in float64."""
    return nn.Sequential(*normalisations.load(name).normalise(nn.Identity(), channels, 2)).double()


def toy_discriminator(normalisation: str, seed: int) -> Discriminator:
    """A small one for grey pictures of 16 px, with weights that keep the size of the maps."""
    discriminator = Discriminator(plan(SIDE), channels=1, width=4, normalisation=normalisation)
    initialise(discriminator, derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS))
    with torch.no_grad():
        for layer in discriminator.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.mul_(8)
    return discriminator


def _whole_networks(settings: Settings, seed: int) -> list[Measured]:
    """Derivatives of one picture's logit by another picture, for every normalisation."""
    figures = []
    for name in normalisations.names():
        entry = normalisations.load(name)
        discriminator = toy_discriminator(name, seed).double()
        discriminator.train(not entry.ON_WEIGHTS)  # power iteration moves the weights in training
        noise = torch.Generator().manual_seed(seed)
        pictures = torch.randn(settings.batch, 1, SIDE, SIDE, generator=noise, dtype=torch.float64)
        own, across = company(discriminator, pictures)
        figure = f"derivative of a logit by another picture, over that by its own, {name}"
        if not entry.ACROSS_PICTURES:
            figures.append(Measured(figure, across / own, 0.0, 0.0, "claim", "bench"))
            continue
        figures.append(Measured(figure, across / own, 0.0, None, "shown", "bench"))
        ratio = by_differences(discriminator, pictures)
        figures.append(
            Measured(
                f"the same by finite differences over autograd, {name}",
                ratio,
                0.0,
                1.0,
                "claim",
                "bench",
                1e-4,
            )
        )
    return figures


def company(discriminator: nn.Module, pictures: Tensor) -> tuple[float, float]:
    """Root mean squares of the derivatives of logits by the pixels of their own picture, and by those of all
    the others together.
    """
    pictures = pictures.detach().requires_grad_()
    logits = discriminator(pictures)
    own, across = [], []
    for index, logit in enumerate(logits):
        (gradient,) = torch.autograd.grad(logit, pictures, retain_graph=True)
        squares = gradient.double().square().flatten(1).sum(1)
        own.append(squares[index])
        across.append(squares.sum() - squares[index])
    # A discriminator without any derivative has none by other pictures either.
    return max(math.sqrt(torch.stack(own).mean()), TINY), math.sqrt(torch.stack(across).mean().clamp_min(0))


@torch.no_grad()
def _logit(discriminator: nn.Module, pictures: Tensor) -> float:
    return float(discriminator(pictures)[0])


def by_differences(discriminator: nn.Module, pictures: Tensor, step: float = 1e-5) -> float:
    """The derivative of the first logit along the change of the second picture that moves it most, by central
    differences in float64, over what autograd says; 0 where that is 0.
    """
    leaf = pictures.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(leaf)[0], leaf)
    norm = float(gradient[1].norm())
    if norm == 0:
        return 0.0
    moved = torch.zeros_like(pictures)
    moved[1] = gradient[1] / norm * step
    ahead, behind = _logit(discriminator, pictures + moved), _logit(discriminator, pictures - moved)
    return (ahead - behind) / (2 * step) / norm


def _drift(settings: Settings, noise: torch.Generator) -> tuple[list[Measured], dict[str, Any]]:
    """A value that stays what it is, behind a batch norm, as its company turns from real to fake."""
    distance, repeats = settings.distance, 64
    rows, none = [], []
    for share in SHARES:
        values = torch.randn(CROWD, repeats, 1, 1, generator=noise, dtype=torch.float64)
        values[: round(share * CROWD)] -= distance
        values[-1] = 0.5  # takes the place of one real
        with torch.no_grad():
            rows.append(norm_of_maps("batch", repeats)(values)[-1].flatten())
            none.append(norm_of_maps("none", repeats)(values)[-1].flatten())
    measured = [mean_and_error(row) for row in rows]
    figures = []
    # The value is part of the crowd whose mean and variance it is divided by.
    reach = distance + 0.5
    own_part = (reach + reach**3 / 2) / CROWD
    for share in (0.0, 0.5, 1.0):
        index = SHARES.index(share)
        expected = normalised_value(0.5, share, distance)
        name = f"what a batch norm makes of 0.5 among {share:.0%} fakes"
        figures.append(Measured(name, *measured[index], expected, "claim", "bench", own_part))
    still = float((none[-1] - none[0]).abs().max())
    figures.append(
        Measured(
            "the same without a norm, from all real to all fake: change", still, 0.0, 0.0, "claim", "bench"
        )
    )
    return figures, {
        "share": SHARES,
        "measured": measured,
        "exact": [normalised_value(0.5, share, distance) for share in SHARES],
    }


def _probe(settings: Settings, noise: torch.Generator) -> Measured:
    """A line from the mean of a batch to its share of fakes."""
    batch, draws = settings.batch, settings.draws
    fakes = torch.randint(0, batch + 1, (draws,), generator=noise)
    values = torch.randn(draws, batch, generator=noise, dtype=torch.float64)
    values -= settings.distance * (torch.arange(batch) < fakes[:, None])
    return Measured(
        f"R^2 of a probe on the mean of {batch} values alone",
        *probed(values.mean(1, keepdim=True), fakes / batch),
        *(probe_r2(batch, settings.distance), "claim", "bench"),
    )


def probed(statistics: Tensor, shares: Tensor) -> tuple[float, float]:
    """R^2, on the second half, of the linear guess of ``shares`` (n,) from ``statistics`` (n, m) that was
    fitted (with a little ridge) to the first half, and its standard error over the second half.
    """
    statistics, shares = statistics.double(), shares.double()
    half = len(shares) // 2
    known = statistics[:half]
    standard = (statistics - known.mean(0)) / known.std(0).clamp_min(1e-12)
    given = torch.cat((standard, torch.ones(len(shares), 1, dtype=torch.float64)), 1)
    ridge = 1e-3 * half * torch.eye(given.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(given[:half].T @ given[:half] + ridge, given[:half].T @ shares[:half])
    wrong = (given[half:] @ weights - shares[half:]).square() / shares[half:].var()
    mean, error = mean_and_error(wrong)
    return 1 - mean, error


def proportion(num: int, fake: bool, noise: torch.Generator) -> Tensor:
    """Bright and dark pictures under noise, (num, 1, 16, 16): half of the real are bright, and four in five
    of the fake, which have lost much of a mode; so one picture can be told with 0.65 at best.
    """
    bright = torch.rand(num, 1, 1, 1, generator=noise) < (0.8 if fake else 0.5)
    return torch.where(bright, 1.0, -1.0) + 0.5 * torch.randn(num, 1, SIDE, SIDE, generator=noise)


BEST = 0.65
"""Share of single pictures of ``proportion`` that the best judge tells right (Bayes)."""


def _taught(settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Discriminators that are taught on batches of real and batches of fake pictures, as is usual."""
    figures, accuracies = [], {}
    for normalisation in ("none", "batch"):
        apart, mixed = taught(normalisation, settings, seed)
        accuracies[normalisation] = (apart, mixed)
        limited = "limit" if normalisation == "batch" else "shown"
        name = f"told right in separate batches, taught in them, {normalisation}"
        best = BEST if normalisation == "batch" else None
        figures.append(Measured(name, *apart, best, limited, "bench"))
        name = f"told right in mixed batches, taught in separate ones, {normalisation}"
        figures.append(Measured(name, *mixed, best, limited, "bench"))
    return figures, accuracies


def taught(
    normalisation: str, settings: Settings, seed: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Share of pictures told right, with its error, by a discriminator taught on separate batches: tested on
    separate ones, and on ones that are half real and half fake.
    """
    noise = torch.Generator().manual_seed(seed)
    discriminator, loss = toy_discriminator(normalisation, seed), Loss("non-saturating")
    adam = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    for _ in range(settings.steps):
        real, fake = (discriminator(proportion(settings.batch, fake, noise)) for fake in (False, True))
        adam.zero_grad()
        loss.discriminator(real, fake).backward()
        adam.step()
    apart, mixed = [], []
    with torch.no_grad():
        for _ in range(TOYS):
            real, fake = (proportion(settings.batch, fake, noise) for fake in (False, True))
            apart.append(_right(discriminator(real), discriminator(fake)))
            mixed.append(_right(*discriminator(torch.cat((real, fake))).chunk(2)))
    return mean_and_error(torch.stack(apart)), mean_and_error(torch.stack(mixed))


def _right(real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * ((real > 0).double().mean() + (fake < 0).double().mean())


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """The discriminator as it trains, and one with batch norm: what company does to a logit."""
    figures, curves = [], {}
    judges = {"as it trains": live}
    if not _across(live):
        judges["with batch norm"] = live.variant({"discriminator.normalisation": "batch"})
    for called, each in judges.items():
        trainer = each.trainer()
        discriminator, fakes = _judging(trainer.players.discriminator), _fakes(each)
        real = each.real(CROWD // 4, seed)
        half = settings.batch // 2
        own, others = company(discriminator, torch.cat((real[:half], fakes[: settings.batch - half])))
        name = f"derivative of a logit by other pictures, over that by its own, {called}"
        moved, curve = _shift(discriminator, real, fakes, settings, seed)
        shift = (
            f"shift of a real picture's logit from real to fake company, over the logits' spread, {called}"
        )
        curves[called] = curve
        if not _across(each):
            figures.append(Measured(name, others / own, 0.0, 0.0, "claim", "in situ"))
            figures.append(Measured(shift, *moved, 0.0, "claim", "in situ", 1e-4))
            continue
        pictures = torch.cat((real[:half], fakes[: settings.batch - half])).double()
        ratio = by_differences(_judging(discriminator.double()), pictures)
        discriminator.float()
        told = _told_by_statistics(discriminator, real, fakes, settings, seed)
        figures += [
            Measured(name, others / own, 0.0, None, "shown", "in situ"),
            Measured(
                f"{name}: by finite differences over autograd", ratio, 0.0, 1.0, "claim", "in situ", 1e-3
            ),
            Measured(shift, *moved, None, "shown", "in situ"),
            Measured(
                f"R^2 of a probe on the statistics of the first norm alone, {called}",
                *told,
                None,
                "shown",
                "in situ",
            ),
        ]
    return figures, {"curves": curves}


def _across(live: Live) -> bool:
    return normalisations.load(live.recipe.discriminator.normalisation).ACROSS_PICTURES


def _judging(discriminator: nn.Module) -> nn.Module:
    """With the statistics of the batch, as in training, but no step of a power iteration."""
    discriminator.eval()
    for module in discriminator.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    return discriminator


@torch.no_grad()
def _fakes(live: Live) -> Tensor:
    generator = live.trainer().players.generator
    return torch.cat([generator(part) for part in live.latents(CROWD // 4).split(live.recipe.batch)])


@torch.no_grad()
def _shift(
    discriminator: nn.Module, real: Tensor, fakes: Tensor, settings: Settings, seed: int
) -> tuple[tuple[float, float], dict[str, Any]]:
    """By how much the logits of 16 real pictures move as their company turns from real to fake, in spreads of
    the logits of all, with the error over the pictures; and the way there.
    """
    random = torch.Generator().manual_seed(seed)
    spread = float(torch.cat([discriminator(part) for part in real[:256].split(settings.batch)]).std())
    rows = []
    for picture in real[-16:]:
        row = []
        for share in SHARES:
            num = round(share * (settings.batch - 1))
            logits = []
            for _ in range(4):
                chosen_fakes = fakes[torch.randperm(len(fakes), generator=random)[:num]]
                chosen = real[torch.randperm(len(real) - 16, generator=random)[: settings.batch - 1 - num]]
                logits.append(discriminator(torch.cat((picture[None], chosen_fakes, chosen)))[0])
            row.append(torch.stack(logits).double().mean())
        rows.append(torch.stack(row))
    way = torch.stack(rows) / spread
    curve = {"share": SHARES, "way": (way - way[:, :1]).tolist()}
    return mean_and_error(way[:, -1] - way[:, 0]), curve


@torch.no_grad()
def _told_by_statistics(
    discriminator: nn.Module, real: Tensor, fakes: Tensor, settings: Settings, seed: int
) -> tuple[float, float]:
    """How well the means and variances that the first batch norm takes tell the share of fakes."""
    first = [module for module in discriminator.modules() if isinstance(module, _BatchNorm)][:1]
    (of_real,), (of_fakes,) = (entering(discriminator, first, pictures) for pictures in (real, fakes))
    # What comes before it judges each picture for itself: the sums of a batch are those of its pictures.
    sums = [
        torch.stack((maps.flatten(2).mean(2), maps.flatten(2).square().mean(2)), 1)
        for maps in (of_real, of_fakes)
    ]
    random = torch.Generator().manual_seed(seed)
    batch, draws = settings.batch, min(settings.draws, 4_000)
    shares = torch.randint(0, batch + 1, (draws,), generator=random)
    picked = torch.randint(0, len(real), (draws, batch), generator=random)
    is_fake = torch.arange(batch) < shares[:, None]
    means, squares = (
        torch.stack(
            [
                (torch.where(is_fake[k, :, None], sums[1][picked[k], which], sums[0][picked[k], which])).mean(
                    0
                )
                for k in range(draws)
            ]
        )
        for which in (0, 1)
    )
    return probed(torch.cat((means, squares - means.square()), 1), shares / batch)


def advice(figures: Sequence[Measured]) -> str:
    """What to do about it."""
    value = {figure.name: figure.value for figure in figures}
    apart = value["told right in separate batches, taught in them, batch"]
    mixed = value["told right in mixed batches, taught in separate ones, batch"]
    moved = [number for name, number in value.items() if name.startswith("shift of") and number]
    probe = [number for name, number in value.items() if "first norm alone" in name]
    text = (
        "Give the discriminator no statistics across pictures: without a norm, and with spectral, layer, "
        "group or instance norm, no logit depends on another picture, exactly."
    )
    if moved and probe:
        text += (
            f" In the live discriminator with batch norm, the statistics of its first norm alone tell the "
            f"share of fakes with R^2 = {probe[0]:.3f}, and the logit of a real picture moves by "
            f"{abs(moved[0]):.2g} times the spread of all logits as its company turns from real to fake."
        )
    if apart > BEST:
        text += (
            " Separate batches of reals and of fakes are no cure: taught in them, a discriminator with batch "
            f"norm told {100 * apart:.0f} % right where single pictures allow {100 * BEST:.0f} % at most, by "
            f"the company that each picture is in, and {100 * mixed:.0f} % once the batches were mixed."
        )
    return text
