"""Speed of training and sampling against the classical loop, measured in turns in one process."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganzfeld.bench.classical import LATENT_SIZE, ClassicalTraining, classical_generator
from ganzfeld.bench.peak import peak_flops_per_s
from ganzfeld.bench.roofline import MapSpeed, map_speeds
from ganzfeld.compute.cuda_graphs import REHEARSALS
from ganzfeld.compute.engine import wait_for
from ganzfeld.compute.fast_path import PLAIN, USUAL, FastPath
from ganzfeld.model import calibrate
from ganzfeld.model.sampling import images_of_latents, require_sampling_precision
from ganzfeld.options import TrainOptions
from ganzfeld.recipes import Recipe, resolve
from ganzfeld.training.setup import resolve_options
from ganzfeld.training.trainer import Trainer, scalars_of

BATCH = 128
SAMPLES = 256
LEAST_S = 0.3
"""Shortest measurement. A GPU takes milliseconds per step, and the next step starts before it ends."""

SAME_WIDTHS = {
    "discriminator.normalisation": "none",
    "loss.name": "non-saturating",
    "updates": "simultaneous",
}
"""Changes to ``radford2015`` that the fast path needs; the widths stay the same."""
CLASSICAL = "radford2015"
"""The recipe that is compared with the classical loop. Others are compared with their own plain route."""


@dataclass(frozen=True, slots=True)
class SpeedFigures:
    """Median speeds over the rounds, in images per second.

    ``ratio`` is the median of the ratios within each round. ``parts`` holds the speeds with one part of the
    fast path left out, ``maps`` those of the layers.
    """

    batch: int
    rounds: int
    plain_images_per_s: float
    ours_images_per_s: float
    ratio: float
    flops_per_image: float
    peak_flops_per_s: float
    peak_of: str
    parts: dict[str, float]
    recipe: str = CLASSICAL
    maps: Sequence[MapSpeed] = ()

    @property
    def share_of_peak(self) -> float:
        """Operations that ours executes, over those that the chip can do in the same time."""
        return self.ours_images_per_s * self.flops_per_image / self.peak_flops_per_s

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON, with the keys that other programs rely on."""
        return {
            "plain_images_per_s": round(self.plain_images_per_s, 1),
            "ours_images_per_s": round(self.ours_images_per_s, 1),
            "ratio": round(self.ratio, 2),
            "share_of_peak": round(self.share_of_peak, 3),
            "recipe": self.recipe,
            "batch": self.batch,
            "rounds": self.rounds,
            "peak_gflops_per_s": round(self.peak_flops_per_s / 1e9),
            "peak_of": self.peak_of,
            "without": {name: round(speed, 1) for name, speed in self.parts.items()},
            "layers": [speed.as_json() for speed in self.maps],
        }


def bench_train(
    rounds: int = 3, batch: int = BATCH, with_parts: bool = False, recipe: str = CLASSICAL
) -> SpeedFigures:
    """Measure our training step against the plain loop, at 64 px.

    For ``radford2015`` the plain loop is the classical one with the same widths. For any other recipe it is
    the recipe itself by the plain route in float32, with its losses read after every step.
    """
    classical = resolve(recipe).name == CLASSICAL
    trainer = _trainer(resolve(recipe, (SAME_WIDTHS if classical else {}) | {"batch": batch}))
    sides: dict[str, Callable[[], object]] = {
        "plain": _classical_loop(trainer) if classical else _plain_loop(trainer.recipe),
        "ours": trainer.advance,
    }
    full = trainer.route
    routes = _routes_without_parts(full) if with_parts else {}
    for name, route in routes.items():
        sides[name] = _with_route(trainer, route, full)
    turn = _turn(trainer)
    speeds = _in_turns(sides, rounds, batch, trainer.engine.device, turn)
    flops = _flops_of_step(trainer.recipe) if classical else _counted_flops(trainer, turn)
    peak, peak_of = peak_flops_per_s(trainer.engine.device)
    return SpeedFigures(
        batch=batch,
        rounds=rounds,
        plain_images_per_s=statistics.median(speeds["plain"]),
        ours_images_per_s=statistics.median(speeds["ours"]),
        ratio=_ratio(speeds),
        flops_per_image=flops,
        peak_flops_per_s=peak,
        peak_of=peak_of,
        parts={name: statistics.median(speeds[name]) for name in routes},
        recipe=trainer.recipe.name,
        maps=map_speeds(trainer, peak) if with_parts else (),
    )


def bench_sample(rounds: int = 3, num: int = SAMPLES, precision: str = "float32") -> SpeedFigures:
    """Measure our sampling, up to images as bytes, against the forward pass of the classical generator.

    The classical generator always computes in float32, ours in ``precision``.
    """
    require_sampling_precision(precision)
    trainer = _trainer(resolve("radford2015"))
    ours = calibrate(trainer.gan.generator, "normal")
    plain = classical_generator().to(trainer.engine.device).eval()
    latents = torch.randn(num, LATENT_SIZE)

    @torch.no_grad()
    def classical() -> None:
        plain(latents.view(num, LATENT_SIZE, 1, 1).to(trainer.engine.device)).cpu()

    sides = {"plain": classical, "ours": lambda: images_of_latents(ours, latents, precision=precision)}
    speeds = _in_turns(sides, rounds, num, trainer.engine.device)
    peak, peak_of = peak_flops_per_s(trainer.engine.device)
    return SpeedFigures(
        batch=num,
        rounds=rounds,
        plain_images_per_s=statistics.median(speeds["plain"]),
        ours_images_per_s=statistics.median(speeds["ours"]),
        ratio=_ratio(speeds),
        flops_per_image=_flops(trainer.recipe)[0],
        peak_flops_per_s=peak,
        peak_of=peak_of,
        parts={},
    )


def _trainer(recipe: Recipe, route: str = "auto", precision: str = "auto") -> Trainer:
    options = TrainOptions(recipe=recipe, images=1, route=route, precision=precision)
    return replace(resolve_options(options).build(), traces_from=0)


def _classical_loop(trainer: Trainer) -> Callable[[], object]:
    classical, real = ClassicalTraining(trainer.engine.device), trainer.real().contiguous()
    return lambda: classical.step(real)


def _plain_loop(recipe: Recipe) -> Callable[[], object]:
    trainer = _trainer(recipe, "plain", "float32")
    return lambda: scalars_of(trainer.advance())


def _turn(trainer: Trainer) -> int:
    """Return the period, in steps, after which the same updates and lazy penalties come again."""
    penalties = (getattr(stabiliser, "every", 1) for stabiliser in trainer.config.stabilisers)
    return math.lcm(trainer.config.discriminator_steps, *penalties)


def _routes_without_parts(full: FastPath) -> dict[str, FastPath]:
    """Return the fast path with each part left out in turn, and with all parts left out."""
    measured = {"recorded steps": full.model_copy(update={"recorded": False})} if full.recorded else {}
    if full.lanes > 1:
        measured["two lanes"] = full.model_copy(update={"lanes": 1})
    return measured | {
        "one pass through D": full.model_copy(update={"one_pass": False}),
        "shared backward pass": full.model_copy(update={"shared_backward": False}),
        "shared penalties": full.model_copy(update={"shared_penalties": False}),
        "traced steps": full.model_copy(update={"traced": False}),
        "measured ways of layers": full.model_copy(update={"ways": {}}),
        "all of them": PLAIN,
    }


def _with_route(trainer: Trainer, route: FastPath, back: FastPath) -> Callable[[], object]:
    def step() -> None:
        trainer.take(route)
        trainer.advance()
        trainer.take(back)

    return step


def _in_turns(
    sides: Mapping[str, Callable[[], object]],
    rounds: int,
    num_pictures: int,
    device: torch.device,
    turn: int = 1,
) -> dict[str, list[float]]:
    """Measure the images per second of every side in every round, after some calls for setup.

    In a round a side is called at least once, until it has taken ``LEAST_S``, and always a multiple of
    ``turn`` times, the number of calls after which the same work comes again.
    """
    for call in sides.values():
        for _ in range(turn * (1 if device.type == "cpu" else 1 + REHEARSALS)):
            call()
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, call in sides.items():
            wait_for(device)
            start, num_calls = time.perf_counter(), 0
            while num_calls % turn or not num_calls or time.perf_counter() - start < LEAST_S:
                call()
                num_calls += 1
            wait_for(device)
            speeds[name].append(num_calls * num_pictures / (time.perf_counter() - start))
    return speeds


def _ratio(speeds: dict[str, list[float]]) -> float:
    return statistics.median(
        ours / plain for ours, plain in zip(speeds["ours"], speeds["plain"], strict=True)
    )


def _flops_of_step(recipe: Recipe) -> float:
    """Return the operations of a step of ``radford2015`` for one image.

    They amount to three passes through G, and three each through D for the real and for the generated image:
    forward, backward to the input, and backward to the weights.
    """
    of_generator, of_discriminator = _flops(recipe)
    return 3 * of_generator + 6 * of_discriminator


def _counted_flops(trainer: Trainer, turn: int) -> float:
    """Count the operations of a step for one image, over ``turn`` ordinary steps."""
    back = trainer.route
    trainer.take(USUAL)
    with _CountedOperations() as counted:
        for _ in range(turn):
            trainer.advance()
    trainer.take(back)
    return counted.total / (turn * trainer.recipe.batch)


class _CountedOperations(TorchDispatchMode):
    """Count the operations of convolutions and matrix products.

    The formulas are torch's own; its ``FlopCounterMode`` cannot be used, since its hooks break
    ``torch.autograd.grad``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func._overloadpacket):
            self.total += formula(*args, **(kwargs or {}), out_val=result)
        return result


def _flops(recipe: Recipe) -> tuple[float, float]:
    """Return the operations of a forward pass through G and through D for one colour image."""
    ladder = recipe.plan()
    of_generator = ladder.flops(recipe.generator.width, 3, recipe.latent.size)[0]
    return of_generator, ladder.flops(recipe.discriminator.width, 3, recipe.latent.size)[1]
