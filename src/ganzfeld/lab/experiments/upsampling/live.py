"""``upsampling`` in situ: how far cells of a live generator reach, and its checkerboard during training."""

import copy
from typing import Any

import torch
from torch import Tensor

from ganzfeld.geometry import Plan
from ganzfeld.lab.estimate import Estimate, mean_and_error
from ganzfeld.lab.experiments.upsampling import Settings, theory
from ganzfeld.lab.experiments.upsampling.untrained import of_kind, spectrum
from ganzfeld.lab.experiments.upsampling.upsamplers import Upsampler, checkerboard, kinds, put
from ganzfeld.lab.language import say
from ganzfeld.lab.layers import couples_positions
from ganzfeld.lab.live import Live
from ganzfeld.lab.looking import as_bytes, span_of_most
from ganzfeld.lab.outcome import Measured, claim, limit, shown
from ganzfeld.networks import Generator

NUM_IMAGES = 64
"""Number of images that a trained generator makes, and of real ones that these are compared with."""

BEYOND = say("checkerboard beyond that of real images, log10")


def in_situ(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Measure how far a cell of the base map and a component of z reach, and the checkerboard during
    training.
    """
    figures, data = _reaches(live, seed)
    stride = last_stride(live.recipe.plan())
    if stride == 1:
        return figures, data
    latents, real = live.latents(NUM_IMAGES, seed), live.real(NUM_IMAGES, seed)
    of_real = checkerboard(real, stride)
    through = []
    for stage in live.stages:
        images = _images(live.trainer(stage).gan.generator, latents)
        through.append((stage, _beyond(images, stride, of_real)))
    figures += [
        (claim if stage == live.stages[-1] else limit)(
            f"after-{stage}",
            say("after {stage:,} images: {what}", stage=stage, what=BEYOND),
            measured,
            0.0,
            of="checkerboard",
            part="in situ",
        )
        for stage, measured in through
    ]
    data |= {
        "through": [(stage, *measured) for stage, measured in through],
        "spectrum_of_real": spectrum(real),
        "stride": stride,
    }
    return figures, data


def last_stride(plan: Plan) -> int:
    """Return the last stride above 1 before the image, along its first axis; 1 if there is none."""
    return next((layer.stride[0] for layer in plan.layers[::-1] if layer.stride[0] > 1), 1)


@torch.no_grad()
def _images(generator: Generator, latents: Tensor) -> Tensor:
    """Generate images as a generator makes them while it trains."""
    return generator.train()(latents).cpu()


def _beyond(images: Tensor, stride: int, of_real: float) -> Estimate:
    """Return the checkerboard of images beyond that of real ones, with a standard error from eight parts."""
    parts = [checkerboard(part, stride) - of_real for part in images.chunk(8)]
    return Estimate(checkerboard(images, stride) - of_real, mean_and_error(torch.tensor(parts)).error)


def images_trained(live: Live, settings: Settings) -> int:
    """Return the number of images on which ``trained`` trains."""
    if live.of_user or last_stride(live.recipe.plan()) == 1:
        return 0
    return len(_kinds(live, settings)) * settings.trainings * settings.images


def _kinds(live: Live, settings: Settings) -> list[Upsampler]:
    """Return the kinds of layers that generators are trained with."""
    stride = last_stride(live.recipe.plan())
    return kinds(settings.kernel if settings.stride == stride else 2 * stride, stride)


def trained(live: Live, settings: Settings, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Repeat short runs with each kind of layer in the generator."""
    if live.of_user or last_stride(live.recipe.plan()) == 1:
        return [], {}
    stride = last_stride(live.recipe.plan())
    of_real = checkerboard(live.real(NUM_IMAGES, seed), stride)
    latents, figures, data = live.latents(NUM_IMAGES, seed), [], []
    for kind in _kinds(live, settings):
        generated = []
        for number in range(settings.trainings):
            trainer = live.restarted(lambda generator, _, make=kind.make: put(generator, make), seed + number)
            while trainer.images_seen < settings.images:
                trainer.advance()
            generated.append(_images(trainer.gan.generator, latents))
        values = [checkerboard(images, stride) - of_real for images in generated]
        measured = mean_and_error(torch.tensor(values))
        num_runs = settings.trainings
        name = say(
            "{kind}, {num} runs over {images:,} images: {what}",
            kind=kind.name,
            num=num_runs,
            images=settings.images,
            what=BEYOND,
        )
        figures.append(of_kind(kind, f"trained-{kind.key}", name, measured, "in situ", num_runs))
        image = as_bytes(generated[0][:1])[0]
        data.append({"name": kind.name, "plain": kind.kernel is not None, "values": values, "image": image})
    return figures, {"trained": data}


@torch.no_grad()
def _reaches(live: Live, seed: int) -> tuple[list[Measured], dict[str, Any]]:
    """Change a row of the base map, its middle cell or a component of z, and measure which pixels change."""
    generator = copy.deepcopy(live.trainer().gan.generator).cpu().double().eval()
    latents, plan = live.latents(8, seed).cpu().double(), live.recipe.plan()
    cells = generator.projection(latents)
    before = generator.layers(cells)
    middle = plan.seed[0] // 2, plan.seed[1] // 2
    of_cell = (generator.layers(_raised(cells, *middle)) - before).square().sum((0, 1))
    other = latents.clone()
    other[:, 0] += 1
    of_component = (generator.layers(generator.projection(other)) - before).square().sum((0, 1))
    of_claim = limit if couples_positions(live.recipe.generator.normalisation) else claim
    mismatches, widest, expected = _row_reaches(generator, cells, plan)
    name = say("rows of the base map whose reach is not as calculated")
    widest_name = say("rows of the image that the row of the base map with the widest reach changes")
    share_name = say("share of the image's rows that this row changes")
    share = widest / plan.size[0]
    figures = [
        of_claim("reach-all", name, mismatches, 0, of="grow", part="in situ", identity=True),
        of_claim("reach-widest", widest_name, widest, expected, of="grow", part="in situ", identity=True),
        claim("reach-over-picture", share_name, share, 1, of="coherence", part="in situ", identity=True),
        shown(
            "span-middle-cell",
            say("rows of the image that hold 95 % of the change by the middle cell"),
            span_of_most(of_cell.sum(1)),
            part="in situ",
        ),
        shown(
            "component-pixels",
            say("share of all pixels that one component of z changes"),
            float((of_component > 0).double().mean()),
            part="in situ",
        ),
    ]
    spliced = torch.cat((cells[:1, :, :, : middle[1]], cells[1:2, :, :, middle[1] :]), 3)
    images = generator.output(generator.layers(torch.cat((cells[:2], spliced))))
    data = {
        "of_cell": of_cell.tolist(),
        "of_component": of_component.tolist(),
        "spliced": as_bytes(images),
        "cell": middle,
    }
    return figures, data


def _row_reaches(generator: Generator, cells: Tensor, plan: Plan) -> tuple[int, int, int]:
    """Raise each row of the base map, and return the number of rows with another reach than calculated, then
    the widest reach, measured and calculated.
    """
    layers = [(layer.kernel[0], layer.stride[0], layer.padding[0], layer.large[0]) for layer in plan.layers]
    before = generator.layers(cells)
    mismatches, widest, widest_expected = 0, 0, 0
    for row in range(plan.seed[0]):
        changed = (generator.layers(_raised(cells, row)) - before).square().sum((0, 1, 3)).nonzero()
        first, last = theory.reach(row, layers)
        mismatches += (int(changed.min()), int(changed.max())) != (first, last)
        widest, widest_expected = max(widest, len(changed)), max(widest_expected, last - first + 1)
    return mismatches, widest, widest_expected


def _raised(cells: Tensor, row: int, column: int | slice = slice(None)) -> Tensor:
    """Return a copy of the base maps with one row, or one cell of it, raised by 1."""
    changed = cells.clone()
    changed[:, :, row, column] += 1
    return changed
