"""``batch-leak`` in situ: a live discriminator, and one with batch norm."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.lab.entering import entering
from ganzfeld.lab.estimate import mean_and_error
from ganzfeld.lab.experiments.batch_leak import NETWORKS, Settings
from ganzfeld.lab.experiments.batch_leak.toy import CROWD, SHARES, by_differences, company, probed
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, claim, shown
from ganzfeld.networks.normalisations import normalisations


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure what company does to a logit, in the discriminator as it trains and in one with batch norm."""
    figures, curves = [], {}
    networks = {"as-trained": live}
    if not _across(live):
        networks["batch-norm"] = live.variant({"discriminator.normalisation": "batch"})
    for key, network in networks.items():
        called = NETWORKS[key]
        trainer = network.trainer()
        discriminator, fakes = _in_training(trainer.gan.discriminator), _fakes(network)
        real = network.real(CROWD // 4, seed)
        half = settings.batch // 2
        own, others = company(discriminator, torch.cat((real[:half], fakes[: settings.batch - half])))
        name = f"derivative of a logit by other images, over that by its own, {called}"
        moved, curve = _shift(discriminator, real, fakes, settings, seed)
        shift = f"shift of a real image's logit from real to fake company, over the logits' spread, {called}"
        curves[called] = curve
        if not _across(network):
            figures.append(
                claim(f"others-over-own-{key}", name, others / own, 0.0, 0.0, of="others", part="in situ")
            )
            figures.append(
                claim(f"shift-{key}", shift, *moved, 0.0, of="others", part="in situ", tolerance=1e-4)
            )
            continue
        images = torch.cat((real[:half], fakes[: settings.batch - half])).double()
        ratio = by_differences(_in_training(discriminator.double()), images)
        discriminator.float()
        guess = _guessed_from_statistics(discriminator, real, fakes, settings, seed)
        figures += [
            shown(f"others-over-own-{key}", name, others / own, part="in situ"),
            claim(
                f"by-differences-{key}",
                f"{name}: by finite differences over autograd",
                ratio,
                0.0,
                1.0,
                of="leaks",
                part="in situ",
                tolerance=1e-3,
            ),
            shown(f"shift-{key}", shift, *moved, part="in situ"),
            shown(
                f"probe-{key}",
                f"R^2 of a probe on the statistics of the first norm alone, {called}",
                *guess,
                part="in situ",
            ),
        ]
    return figures, {"curves": curves}


def _across(live: Live) -> bool:
    """Tell whether the discriminator's normalisation takes statistics across images."""
    return normalisations.load(live.recipe.discriminator.normalisation).ACROSS_IMAGES


def _in_training(discriminator: nn.Module) -> nn.Module:
    """Set a discriminator to the statistics of the batch, as in training, without steps of power
    iteration.
    """
    discriminator.eval()
    for module in discriminator.modules():
        if isinstance(module, _BatchNorm):
            module.train()
    return discriminator


@torch.no_grad()
def _fakes(live: Live) -> Tensor:
    """Generate ``CROWD / 4`` images as the live generator makes them in training."""
    generator = live.trainer().gan.generator
    return torch.cat([generator(part) for part in live.latents(CROWD // 4).split(live.recipe.batch)])


@torch.no_grad()
def _shift(
    discriminator: nn.Module, real: Tensor, fakes: Tensor, settings: Settings, seed: int
) -> tuple[tuple[float, float], dict[str, Any]]:
    """Return by how much the logits of 16 real images move as their company turns from real to fake, in
    spreads of the logits of all, with the error over the images; and the curves between.
    """
    random = torch.Generator().manual_seed(seed)
    spread = float(torch.cat([discriminator(part) for part in real[:256].split(settings.batch)]).std())
    rows = []
    for image in real[-16:]:
        row = []
        for share in SHARES:
            num = round(share * (settings.batch - 1))
            logits = []
            for _ in range(4):
                chosen_fakes = fakes[torch.randperm(len(fakes), generator=random)[:num]]
                chosen = real[torch.randperm(len(real) - 16, generator=random)[: settings.batch - 1 - num]]
                logits.append(discriminator(torch.cat((image[None], chosen_fakes, chosen)))[0])
            row.append(torch.stack(logits).double().mean())
        rows.append(torch.stack(row))
    way = torch.stack(rows) / spread
    curve = {"share": SHARES, "way": (way - way[:, :1]).tolist()}
    return mean_and_error(way[:, -1] - way[:, 0]), curve


@torch.no_grad()
def _guessed_from_statistics(
    discriminator: nn.Module, real: Tensor, fakes: Tensor, settings: Settings, seed: int
) -> tuple[float, float]:
    """Return R^2 of the share of fakes guessed from the means and variances of the first batch norm."""
    first = [module for module in discriminator.modules() if isinstance(module, _BatchNorm)][:1]
    (of_real,), (of_fakes,) = (entering(discriminator, first, images) for images in (real, fakes))
    # Layers before it treat each image by itself: the sums of a batch are those of its images.
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
