"""``downsampling`` in situ: what a live discriminator reads, strides against pooling, and a blind border."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.downsampling import TASKS, Settings, theory
from ganzfeld.lab.experiments.downsampling.downsamplers import (
    BATCH,
    KINDS,
    blind_discriminator,
    loss_on_new_images,
    of_kind,
    share_lost,
    shift_error,
)
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import couples_positions
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import as_bytes, span_of_most
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.lab.repeated import over_runs, runs_of
from ganzfeld.networks import Discriminator, Generator


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure sizes, fields and unread pixels of the live discriminator, in float64."""
    discriminator = copy.deepcopy(live.trainer().gan.discriminator).cpu().double().eval()
    images = live.real(16, seed).cpu().double().requires_grad_()
    plan = live.recipe.plan()
    logits, maps = _logits_and_maps(discriminator, images)
    (gradient,) = torch.autograd.grad(logits.sum(), images, retain_graph=True)
    by_pixel = gradient.abs().sum((0, 1))
    fields, span = [], 0
    for depth, output in enumerate(maps):
        row, column = output.shape[2] // 2, output.shape[3] // 2
        (seen,) = torch.autograd.grad(output[:, :, row, column].abs().sum(), images, retain_graph=True)
        energy = seen.square().sum((0, 1, 3))
        fields.append((len(energy.nonzero()), theory.rows_in_field(plan, depth, row)))
        span = span_of_most(energy)
    sizes_differ = [tuple(output.shape[2:]) for output in maps] != [
        layer.small for layer in plan.layers[::-1]
    ]
    of_fields = limit if couples_positions(live.recipe.discriminator.normalisation) else claim
    name = say("live layers whose receptive field is not as calculated")
    mismatches = sum(rows != expected for rows, expected in fields)
    unread = int((by_pixel == 0).sum())
    figures = [
        claim(
            "live-sizes",
            say("live maps have sizes that are not by the formula (0: no, 1: yes)"),
            int(sizes_differ),
            0,
            of="size",
            part="in situ",
            identity=True,
        ),
        of_fields("live-fields", name, mismatches, 0, of="logit", part="in situ", identity=True),
        claim(
            "live-unread",
            say("pixels that the live logit does not depend on"),
            unread,
            0,
            of="logit",
            part="in situ",
            identity=True,
        ),
        shown(
            "span-last-map",
            say("rows that hold 95 % of the gradient of a middle cell of the last map"),
            span,
            part="in situ",
        ),
        shown(
            "weakest-over-strongest",
            say("weakest over strongest gradient of the live logit by a pixel"),
            float(by_pixel.min() / by_pixel.max()),
            part="in situ",
        ),
    ]
    data = {"by_pixel": by_pixel.tolist(), "fields": fields, "image": as_bytes(images.detach()[:1])[0]}
    return figures, data


def _logits_and_maps(discriminator: nn.Module, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the logits of images, and the maps that every convolution gives on the way."""
    maps: list[Any] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, outputs: maps.append(outputs))
        for module in discriminator.modules()
        if isinstance(module, nn.Conv2d)
    ]
    logits = discriminator(images)
    for hook in hooks:
        hook.remove()
    return logits, maps


def images_trained(live: Live, settings: Settings) -> int:
    """Return the number of images on which ``trained`` trains: with a blind discriminator in every run, and
    the compared layers, where a step of D alone counts as a third of a step.
    """
    steps = len(KINDS) * settings.seeds * (settings.steps + (settings.steps + 1) // 2)
    blind = len(runs_of(live)) * settings.images if _has_blind(live) else 0
    return blind + steps * BATCH // 3


def _has_blind(live: Live) -> bool:
    """Return whether a run is repeated with a blind D: not a run of the user's, nor one of tiny images."""
    return not live.of_user and min(live.recipe.size) >= 8


def trained(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Compare strides with pooling, and train a generator against a blind discriminator."""
    figures, compared = _compared(live, settings, seed)
    data: dict[str, Any] = {"compared": compared}
    if _has_blind(live):
        more, data["blind"] = over_runs(
            live, seed, lambda run, seed: _trained_by_a_blind_discriminator(run, settings, seed)
        )
        figures += more
    return figures, data


def _compared(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Train the layers of the live discriminator from new weights on two tasks, with strides and with
    pooling, and measure what their features keep.
    """
    trainer = live.trainer()
    like, count = copy.deepcopy(trainer.gan.discriminator).cpu(), 400
    real = live.real(count, seed).cpu()
    with torch.no_grad():
        fake = trainer.gan.generator.train()(live.latents(count, seed)).cpu()
    results: dict[str, dict[str, list[float]]] = {task: {} for task in TASKS}
    for key, (_, make) in KINDS.items():
        of_seeds: dict[str, list[float]] = {task: [] for task in TASKS}
        for number in range(seed, seed + settings.seeds):
            network = of_kind(like, make, number, real[:BATCH])
            teller = copy.deepcopy(network)
            steps = (settings.steps + 1) // 2
            of_seeds["telling"].append(loss_on_new_images(teller, real, fake, steps, _noise(number)))
            of_seeds["shift"].append(shift_error(network, real, settings.steps, _noise(number)))
            of_seeds["lost"].append(share_lost(teller, real))
        for task in TASKS:
            results[task][key] = of_seeds[task]
    figures = []
    for task, by_kind in results.items():
        for key, values in by_kind.items():
            figures.append(
                shown(
                    f"{task}-{key}",
                    say("{task}, {kind}", task=TASKS[task], kind=KINDS[key].name),
                    mean_and_error(torch.tensor(values)),
                    part="in situ",
                    num_trainings=settings.seeds,
                )
            )
        for key in list(KINDS)[1:]:
            better = mean_and_error(torch.tensor(by_kind["stride"]) - torch.tensor(by_kind[key]))
            name = say(
                "{task}: by how much {kind} is better than a stride", task=TASKS[task], kind=KINDS[key].name
            )
            figures.append(
                claim(
                    f"{task}-{key}-better",
                    name,
                    better,
                    0,
                    of="information",
                    relation="<",
                    part="in situ",
                    num_trainings=settings.seeds,
                )
            )
    named: dict[str, Any] = {
        TASKS[task]: {KINDS[key].name: values for key, values in by_kind.items()}
        for task, by_kind in results.items()
    }
    return figures, named


def _noise(seed: int) -> torch.Generator:
    """Return a source of random numbers from a seed."""
    return torch.Generator().manual_seed(seed)


def _trained_by_a_blind_discriminator(
    live: Live, settings: Settings, seed: int
) -> tuple[list[Measured], dict[str, Any]]:
    """Repeat the run with a discriminator whose last layer loses the far rows and columns."""
    architecture = live.recipe.discriminator.architecture

    def change(generator: Generator, discriminator: Discriminator) -> None:
        size = discriminator.plan.size
        blind = blind_discriminator(size, live.dataset.channels, architecture)
        discriminator.plan, discriminator.layers, discriminator.logit = blind.plan, blind.layers, blind.logit

    trainer = live.restarted(change)
    images = live.real(64, seed).requires_grad_()
    (gradient,) = torch.autograd.grad(trainer.gan.discriminator(images).sum(), images)
    unread = (gradient.abs().sum((0, 1)) == 0).cpu()
    while trainer.images_seen < settings.images:
        trainer.advance()
    latents, real = live.latents(64, seed), live.real(512, seed).cpu().mean(0)
    with torch.no_grad():
        generated = trainer.gan.generator.train()(latents).cpu()
    errors = (generated.mean(0) - real).abs().mean(0)
    parts = [(part.mean(0) - real).abs().mean(0) for part in generated.chunk(8)]
    ratios = (
        [float(part[unread].mean() / part[~unread].mean()) for part in parts] if unread.any() else [1.0, 1.0]
    )
    error = mean_and_error(torch.tensor(ratios)).error
    ratio = float(errors[unread].mean() / errors[~unread].mean()) if unread.any() else 1.0
    share = float(unread.double().mean())
    figures = [
        limit(
            "blind-unread",
            say("share of pixels without a gradient from a D that ends in k=3, s=2"),
            share,
            0,
            of="logit",
            part="in situ",
            identity=True,
        ),
        limit(
            "blind-colour",
            say("error of the generator's mean colour there, over that elsewhere"),
            Estimate(ratio, error),
            1,
            of="logit",
            part="in situ",
        ),
    ]
    return figures, {"images": as_bytes(generated[:6]), "unread": unread.tolist(), "off": errors.tolist()}
