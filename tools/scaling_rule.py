"""Run the recipe for the scaling rule, fit the rule to the runs on its page, and check its choices.

    python tools/scaling_rule.py train --batch 32 [--images 192000] [--set path=value ...]
    python tools/scaling_rule.py fit
    python tools/scaling_rule.py check [--minutes 3] [--speeds 8=502 16=590 32=796] [--size 32] [--show]

with ``--seeds 0 1 2``, ``--data PATH`` (by default the built-in faces) and ``--keep DIR`` (runs/scaling), the
folder of all that was trained: the same command, called again after it was stopped, resumes there.

``train`` trains ``modern`` at constant rates, in one thread, and prints rows of the table in
``docs/scaling_rule.md``: the kernel distance after a quarter, a half and the whole, of an average over the
last 15 % of the steps. At each of them the rates also fall to zero over a further quarter of the images; the
training then goes on from before. ``fit`` fits the rule to the rows on the page. ``check`` trains the batch
that the rule chooses for some minutes and its two neighbours, each for as many images as the ``--speeds``
(images/s by batch) pay for, and prints whether a neighbour is better; ``--show`` only prints what is kept.
"""

import argparse
import math
import os
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

import numpy as np
import torch
from scaling_runs import name_of, rows_of
from scipy.optimize import least_squares

import ganzfeld as gz
from ganzfeld.errors import GanzfeldError, UsageError
from ganzfeld.recipes.scaling import LEAST_BATCH, MOST_BATCH, best_batch, fitted_settings, is_past_best

PAGE = Path(__file__).parents[1] / "docs" / "scaling_rule.md"
SPEEDS = ((8, 502.0), (16, 590.0), (32, 796.0), (64, 880.0))
"""Images per second by batch, for ``check``; docs/performance.md has the first three."""
MOST_MINUTES = 600_000
ROW = re.compile(r"^\| ([\d,]+) \| (\d+) \| ([^|]*) \| \d+ \| constant \| (\d\.\d+) \|$", re.MULTILINE)


def main() -> None:
    """Train and print rows, fit the rule to the rows of the page, or check its choice."""
    parser = argparse.ArgumentParser(description="The runs, the fit and the check of the scaling rule.")
    parser.add_argument("work", choices=["train", "fit", "check"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--images", type=int, default=192_000, help="for train")
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path, default=Path("runs/scaling"))
    parser.add_argument("--minutes", type=_above_0, default=3.0)
    parser.add_argument("--speeds", nargs="+", type=_speed, default=SPEEDS, metavar="BATCH=IMAGES_PER_S")
    parser.add_argument("--size", type=int)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    options.seeds = options.seeds or ([0, 1, 2] if options.work == "check" else [0])
    if any(setting.partition("=")[0].strip() == "batch" for setting in options.settings):
        parser.error("--set batch=... would not be named in the rows: use --batch")
    if options.work == "train" and options.size:
        options.settings.append(f"size={options.size}")
    images_of = {batch: round(60 * options.minutes * speed) for batch, speed in options.speeds}
    if options.work == "check" and max(images_of) < LEAST_BATCH:
        given = ", ".join(map(str, images_of))
        parser.error(f"--speeds has batches of {given}; the rule chooses one of at least {LEAST_BATCH}")
    try:
        _work(options, images_of)
    except GanzfeldError as error:
        print(f"error: {error.message}", *([error.hint] if error.hint else []), sep="\n", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def _work(options: argparse.Namespace, images_of: dict[int, int]) -> None:
    if options.work == "fit":
        print(fit(PAGE.read_text(encoding="utf-8")))
    elif options.work == "check":
        print(check(options, images_of))
    else:
        torch.set_num_threads(1)
        for seed in options.seeds:
            for row in rows_of(options, seed):
                print(row, flush=True)


def _above_0(text: str) -> float:
    """Read a number of minutes above 0."""
    number = float(text)
    if not 0 < number <= MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"must be above 0, and at most {MOST_MINUTES:,}, not {text!r}")
    return number


def _speed(text: str) -> tuple[int, float]:
    """Read a batch and its images per second, as in 16=590."""
    batch, _, speed = text.partition("=")
    try:
        pair = int(batch), float(speed)
    except ValueError:
        pair = 0, 0.0
    if not (pair[0] > 0 and 0 < pair[1] < math.inf):
        raise argparse.ArgumentTypeError(f"must be BATCH=IMAGES_PER_S, such as 16=590, not {text!r}")
    return pair


def check(options: argparse.Namespace, images_of: dict[int, int]) -> str:
    """Train what is missing, seed by seed, and return a table of the rule's choice and its neighbours.

    ``images_of`` gives the images that the budget pays for at each batch, neighbours included.
    """
    chosen = best_batch(tried(images_of))
    batches = [batch for batch in (chosen // 2, chosen, 2 * chosen) if batch in images_of]
    distances = {batch: list[float]() for batch in batches}
    for seed in options.seeds:
        for batch in batches:
            if (distance := _kept_distance(options, batch, images_of[batch], seed)) is not None:
                distances[batch].append(distance)
                print(f"batch {batch}, seed {seed}: {distance:.3f}", flush=True)
    return table(chosen, images_of, distances)


def tried(images_of: dict[int, int]) -> dict[int, int]:
    """Return the batches that a run would measure: from the least one on, until two in a row buy no more."""
    measured = dict[int, int]()
    for batch in sorted(images_of):
        if LEAST_BATCH <= batch <= MOST_BATCH:
            measured[batch] = images_of[batch]
            if is_past_best(measured):
                break
    return measured


def table(chosen: int, images_of: dict[int, int], distances: dict[int, list[float]]) -> str:
    """Return a Markdown table: the chosen batch and its neighbours, with the distances of their seeds.

    A neighbour is better, or worse, if its worst seed is better than the best of the choice, or the reverse.
    """
    lines = ["| batch | images | distance of each seed | median | |", "|---|---|---|---|---|"]
    for batch, cells in distances.items():
        seeds, median, words = ", ".join(f"{cell:.3f}" for cell in cells), "-", "the rule's choice"
        if cells:
            median = f"{statistics.median(cells):.3f}"
        if batch != chosen:
            words = _compared(cells, distances[chosen])
        lines.append(f"| {batch} | {images_of[batch]:,} | {seeds or '-'} | {median} | {words} |")
    return "\n".join(lines)


def _compared(cells: Sequence[float], choice: Sequence[float]) -> str:
    if min(len(cells), len(choice)) < 3:
        return "too few seeds"
    if max(cells) < min(choice):
        return "better, beyond the spread of the seeds"
    return "worse, beyond the spread" if min(cells) > max(choice) else "no difference beyond the spread"


def _kept_distance(options: argparse.Namespace, batch: int, images: int, seed: int) -> float | None:
    """Return the distance at the end of a run, which is trained or resumed unless it has ended."""
    data = name_of(options.data) + (f"-{options.size}px" if options.size else "")
    out = options.keep / f"check-{data}-{images}-batch{batch}-seed{seed}"
    runs = [gz.open_run(path.parent) for path in sorted(out.glob("*/run.json"))]
    if options.show and not (runs and runs[0].final):
        return None
    if not runs:
        chosen = {"settings": fitted_settings(batch, images), "size": options.size, "images": images}
        runs = [gz.train(options.data, **chosen, seed=seed, out=out, progress=False)]
    final = (runs[0] if runs[0].final else gz.resume(runs[0].path, progress=False)).final
    if final is None:
        raise SystemExit("the quality of the runs was not measured; the extra 'metrics' is needed")
    return final.best.kernel_distance


def fit(page: str) -> str:
    """Return the numbers of the rule that fit the rows of a page best, and how well.

    Rows with other widths or data do not count.
    """
    rows = [
        (float(images.replace(",", "")), int(batch), float(distance))
        for images, batch, changes, distance in ROW.findall(page)
        if "width" not in changes and "on " not in changes
    ]
    if not rows:
        raise UsageError(f"{PAGE.name} has no rows to fit the rule to", "`train` prints such rows.")
    images, batch, distance = (np.array(column) for column in zip(*rows, strict=True))

    def misses(numbers: np.ndarray) -> np.ndarray:
        critical, growth, floor, scale, power = np.exp(numbers)
        low, high = np.zeros_like(images), images
        for _ in range(60):
            middle = (low + high) / 2
            is_low = middle * (1 + batch / (critical * (middle / 48_000) ** growth)) < images
            low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
        return np.log((floor + scale * (high / 48_000) ** -power) / distance)

    best = least_squares(misses, np.log([20, 0.5, 0.2, 0.5, 0.4]))
    critical, growth, floor, scale, power = np.exp(best.x)
    return (
        f"critical batch {critical:.1f} (E / 48,000)^{growth:.2f}; distance {floor:.2f} + {scale:.3f} (E / "
        f"48,000)^-{power:.2f}; relative error {np.sqrt(np.mean(best.fun**2)):.1%} over {len(rows)} rows"
    )


if __name__ == "__main__":
    main()
