"""Run the recipe for the scaling rule, and fit the rule to the runs on its page.

    python tools/scaling_rule.py train --batch 32 [--images 192000] [--seed 0] [--set path=value ...]
    python tools/scaling_rule.py fit

The first trains ``modern`` on the built-in faces at constant rates, in one thread, and prints rows of the
table in ``docs/scaling_rule.md``: the kernel distance after a quarter, a half and the whole, of an average
over the last 15 % of the steps. At each of them the rates also fall to zero over a further quarter of the
images; the training then goes on from before. The second fits the rule to the rows on the page.
"""

import argparse
import copy
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

import numpy as np
import torch
from scipy.optimize import least_squares

from ganzfeld.data import ImageDataset
from ganzfeld.metrics import space
from ganzfeld.metrics.extraction import features_of, real_features, some_of
from ganzfeld.metrics.measures.kernel_distance import estimate
from ganzfeld.model import calibrate
from ganzfeld.networks import Generator
from ganzfeld.options import TrainOptions
from ganzfeld.progress import silent
from ganzfeld.recipes import resolve
from ganzfeld.training.evaluation import generated
from ganzfeld.training.setup import resolve_options
from ganzfeld.training.snapshot import capture, restore
from ganzfeld.training.step import update_ema
from ganzfeld.training.trainer import Trainer

PAGE = Path(__file__).parents[1] / "docs" / "scaling_rule.md"
NUM_SAMPLES = 1000
AVERAGE_SHARE = 0.15
ROW = re.compile(r"^\| ([\d,]+) \| (\d+) \| ([^|]*) \| \d+ \| constant \| (\d\.\d+) \|$", re.MULTILINE)


def main() -> None:
    """Train and print rows, or fit the rule to the rows of the page."""
    parser = argparse.ArgumentParser(description="The runs and the fit of the scaling rule.")
    parser.add_argument("work", choices=["train", "fit"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--images", type=int, default=192_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    if options.work == "fit":
        print(fit(PAGE.read_text(encoding="utf-8")))
        return
    torch.set_num_threads(1)
    changes = " ".join(options.settings)
    for images, kind, distance in _distances(options.batch, options.images, options.seed, options.settings):
        print(
            f"| {images:,} | {options.batch} | {changes} | {options.seed} | {kind} | {distance:.3f} |",
            flush=True,
        )


@dataclass
class _Average:
    """The average over a share of the steps so far: its decay grows with them (Karras et al. 2024)."""

    generator: Generator

    def update(self, trainer: Trainer) -> None:
        step = trainer.index
        decay = min(1 - 1 / max(AVERAGE_SHARE * step, 1), step / (step + 1))
        update_ema(self.generator, trainer.gan.generator, decay)


def _distances(batch: int, images: int, seed: int, settings: list[str]) -> Iterator[tuple[int, str, float]]:
    recipe = resolve(resolve("modern", {"batch": batch}), settings)
    route = "channels-last,one-pass,shared-backward,shared-penalties,traced"
    trainer = resolve_options(TrainOptions(recipe=recipe, images=images, seed=seed, route=route)).build()
    average = _Average(copy.deepcopy(trainer.gan.generator_ema))
    for mark in (images // 4, images // 2, images):
        while trainer.images_seen < mark:
            trainer.advance()
            average.update(trainer)
        yield trainer.images_seen, "constant", _distance(average.generator, trainer)
        before, kept = capture(trainer, 0.0), copy.deepcopy(average.generator.state_dict())
        begun, length = trainer.images_seen, mark // 4
        while (seen := trainer.images_seen - begun) < length:
            trainer.rate_scale = max(0.01, 1 - seen / length)
            trainer.advance()
            average.update(trainer)
        yield trainer.images_seen, "falling", _distance(average.generator, trainer)
        restore(trainer, before)
        average.generator.load_state_dict(kept)


def _distance(average: Generator, trainer: Trainer) -> float:
    prior = trainer.recipe.latent.prior
    shipped = calibrate(average, prior, trainer.images_by_class)
    made = generated(shipped, prior, trainer.images_by_class, NUM_SAMPLES, 0, silent)
    return estimate(features_of(made, space(None), silent), _real(trainer.dataset))[0]


def _real(dataset: ImageDataset) -> torch.Tensor:
    return real_features(dataset, some_of(dataset.num_pictures, NUM_SAMPLES), space(None), silent)


def fit(page: str) -> str:
    """Return the numbers of the rule that fit the rows best, and how well; other widths do not count."""
    rows = [
        (float(images.replace(",", "")), int(batch), float(distance))
        for images, batch, changes, distance in ROW.findall(page)
        if "width" not in changes
    ]
    images, batch, distance = (np.array(column) for column in zip(*rows, strict=True))

    def misses(numbers: np.ndarray) -> np.ndarray:
        critical, growth, floor, scale, power = np.exp(numbers)
        low, high = np.zeros_like(images), images
        for _ in range(60):
            middle = (low + high) / 2
            is_low = middle * (1 + batch / (critical * (middle / 48_000) ** growth)) < images
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        return np.log((floor + scale * (high / 48_000) ** -power) / distance)

    found = least_squares(misses, np.log([20, 0.5, 0.2, 0.5, 0.4]))
    critical, growth, floor, scale, power = np.exp(found.x)
    return (
        f"critical batch {critical:.1f} (E / 48,000)^{growth:.2f}; distance {floor:.2f} + {scale:.3f} (E / "
        f"48,000)^-{power:.2f}; relative error {np.sqrt(np.mean(found.fun**2)):.1%} over {len(rows)} rows"
    )


if __name__ == "__main__":
    main()
