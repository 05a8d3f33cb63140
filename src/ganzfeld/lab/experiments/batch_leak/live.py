"""``batch-leak`` in situ: a live discriminator, and one with batch norm."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganzfeld.lab.entering import entering
from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.batch_leak import NETWORKS, Settings
from ganzfeld.lab.experiments.batch_leak.toy import CROWD, SHARES, by_differences, probed, sensitivities
from ganzfeld.lab.language import say
from ganzfeld.lab.live import Live
from ganzfeld.lab.outcome import Measured, claim, shown
from ganzfeld.networks.normalisations import normalisations


def variants(settings: Settings) -> list[dict[str, Any]]:
    """Return the discriminator that is measured beside that of the run."""
    return [{"discriminator.normalisation": "batch"}]


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure how a logit depends on the other images of its batch, in the discriminator as it trains and in
    one with batch norm.
    """
    figures, curves = [], {}
    networks = {"as-trained": live}
    if not _across(live):
        networks["batch-norm"] = live.variant({"discriminator.normalisation": "batch"})
    for key, network in networks.items():
        measured, curves[NETWORKS[key]] = _of_network(key, network, settings, seed)
        figures += measured
    return figures, {"curves": curves}


def _of_network(
    key: str, network: Live, settings: Settings, seed: int
) -> tuple[list[Measured], dict[str, Any]]:
    """Measure how a logit of one discriminator depends on the other images of its batch."""
    words = NETWORKS[key]
    discriminator, fakes = _in_training(network.trainer().gan.discriminator), _fakes(network)
    real = network.real(CROWD // 4, seed)
    half = settings.batch // 2
    images = torch.cat((real[:half], fakes[: settings.batch - half]))
    own, others = sensitivities(discriminator, images)
    name = say("derivative of a logit by other images, over that by its own, {words}", words=words)
    shift, curve = _shift(discriminator, real, fakes, settings, seed)
    shift_name = say(
        "shift of a real image's logit as the others turn fake, over the spread of logits, {words}",
        words=words,
    )
    if not _across(network):
        return [
            claim(
                f"others-over-own-{key}",
                name,
                others / own,
                0.0,
                of="others",
                part="in situ",
                identity=True,
            ),
            claim(
                f"shift-{key}",
                shift_name,
                shift.value,
                0.0,
                of="others",
                part="in situ",
                tolerance=1e-4,
                identity=True,
            ),
        ], curve
    ratio = by_differences(_in_training(discriminator.double()), images.double())
    discriminator.float()
    r2 = _probe_of_statistics(discriminator, real, fakes, settings, seed)
    return [
        shown(f"others-over-own-{key}", name, others / own, part="in situ"),
        claim(
            f"by-differences-{key}",
            say("{name}: by finite differences over autograd", name=name),
            ratio,
            1.0,
            of="depends",
            part="in situ",
            tolerance=1e-3,
            identity=True,
        ),
        shown(f"shift-{key}", shift_name, shift, part="in situ"),
        shown(
            f"probe-{key}",
            say("R^2 of a probe on the statistics of the first norm alone, {words}", words=words),
            r2,
            part="in situ",
        ),
    ], curve


def _across(live: Live) -> bool:
    """Return whether the discriminator's normalisation takes statistics across images."""
    return normalisations.load(live.recipe.discriminator.normalisation).ACROSS_IMAGES


def _in_training(discriminator: nn.Module) -> nn.Module:
    """Make a discriminator use the statistics of the batch, as in training, without power iteration."""
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
) -> tuple[Estimate, dict[str, Any]]:
    """Return how far the logits of 16 real images move as the other images change from real to fake, in units
    of the spread of all logits, with the error over the images; and the curves between.
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
    logits_by_share = torch.stack(rows) / spread
    shifts = logits_by_share - logits_by_share[:, :1]
    curve = {"share": SHARES, "way": shifts.tolist()}
    return mean_and_error(logits_by_share[:, -1] - logits_by_share[:, 0]), curve


@torch.no_grad()
def _probe_of_statistics(
    discriminator: nn.Module, real: Tensor, fakes: Tensor, settings: Settings, seed: int
) -> Estimate:
    """Return R^2 of a probe that predicts the share of fakes from the first batch norm's statistics."""
    first = [module for module in discriminator.modules() if isinstance(module, _BatchNorm)][:1]
    (of_real,), (of_fakes,) = (entering(discriminator, first, images) for images in (real, fakes))
    # The layers before it treat each image by itself, so a batch's statistics are means over its images.
    sums = [
        torch.stack((maps.flatten(2).mean(2), maps.flatten(2).square().mean(2)), 1)
        for maps in (of_real, of_fakes)
    ]
    random = torch.Generator().manual_seed(seed)
    batch, draws = settings.batch, min(settings.draws, 4_000)
    shares = torch.randint(0, batch + 1, (draws,), generator=random)
    chosen = torch.randint(0, len(real), (draws, batch), generator=random)
    is_fake = torch.arange(batch) < shares[:, None]
    means, squares = (
        torch.stack(
            [
                (torch.where(is_fake[k, :, None], sums[1][chosen[k], which], sums[0][chosen[k], which])).mean(
                    0
                )
                for k in range(draws)
            ]
        )
        for which in (0, 1)
    )
    return probed(torch.cat((means, squares - means.square()), 1), shares / batch)
