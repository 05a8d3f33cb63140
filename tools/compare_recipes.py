"""Compare the recipes: the quality of each after the same time, on two datasets.

    python tools/compare_recipes.py [--minutes 3] [--seeds 0 1 2] [--processes 1] [--runs runs/recipes]

Trains every built-in recipe on the built-in faces at 64 px and on Fashion-MNIST at 32 px (Debian:
``dataset-fashion-mnist``), each for the same minutes of training, and writes the kernel distances into
``docs/recipes.md``. Runs follow one another, each alone on the machine; with ``--processes N``, N runs at a
time share the processor cores. The seeds take turns, so that a machine that slows down slows all recipes.
Finished runs are read, so the command can be interrupted and repeated.
"""

import argparse
import json
import math
import os
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

import scipy.stats

import ganzfeld as gz
from ganzfeld.durable import make_folder, write_bytes, write_json
from ganzfeld.recipes import recipes_of
from ganzfeld.system import num_cores

FASHION = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
SETS = {"faces": (None, 64), "Fashion-MNIST": (FASHION, 32)}
PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
BEGIN, END = "<!-- comparison -->\n", "<!-- end of comparison -->\n"


def main() -> None:
    """Train the runs and write the table."""
    parser = argparse.ArgumentParser(description="Kernel distance of every recipe after the same time.")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs/recipes"))
    options = parser.parse_args()
    threads = max(1, num_cores() // options.processes)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # for the processes, which import torch again
    runs = [(name, recipe, seed) for seed, name, recipe in product(options.seeds, SETS, recipes_of("image"))]
    figures_by_run = {}
    with get_context("spawn").Pool(options.processes) as pool:
        results = pool.imap(_Trainer(options.minutes, options.runs), runs, chunksize=1)
        for run, figures in zip(runs, results, strict=True):
            figures_by_run[run] = figures
            print(*run, figures, flush=True)
    seeds = " ".join(map(str, options.seeds))
    command = f"python tools/compare_recipes.py --minutes {options.minutes:g} --seeds {seeds}"
    several = f" --processes {options.processes}" if options.processes > 1 else ""
    page = report(figures_by_run, f"`{command}{several}`, threads for each run: {threads}", options.seeds)
    print(page)
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_bytes(PAGE, f"{before}{BEGIN}{page}{END}{after}".encode())


@dataclass(frozen=True)
class _Trainer:
    minutes: float
    folder: Path

    def __call__(self, run: tuple[str, str, int]) -> dict[str, float]:
        """Return the figures of a run, which is trained unless it is finished."""
        name, recipe, seed = run
        make_folder(self.folder)
        path = self.folder / f"{name}-{recipe}-{seed}-{self.minutes:g}.json"
        if not path.is_file():
            write_json(path, trained(name, recipe, seed, self.minutes, self.folder))
        return json.loads(path.read_bytes())


def trained(name: str, recipe: str, seed: int, minutes: float, out: Path) -> dict[str, float]:
    """Train once; return the kernel distance of the best model, its error, and the images seen."""
    data, size = SETS[name]
    run = gz.train(data, recipe=recipe, size=size, minutes=minutes, seed=seed, out=out)
    final = run.metadata.final
    if final is None:
        raise RuntimeError(f"the quality of {run.path} was not measured; the extra 'metrics' is needed")
    return {
        "kernel_distance": final.best.kernel_distance,
        "error": final.best.error,
        "images": final.at_images,
    }


def report(figures: dict[tuple[str, str, int], dict[str, float]], how: str, seeds: list[int]) -> str:
    """Return the table as Markdown, below a line that says ``how`` it was made."""
    lines = [
        f"{how}:",
        "",
        "| images | recipe | kernel distance, mean and 95 % interval | each seed | images seen, mean |",
        "|---|---|---|---|---|",
    ]
    for name, recipe in product(SETS, recipes_of("image")):
        runs = [figures[name, recipe, seed] for seed in seeds]
        distances = [run["kernel_distance"] for run in runs]
        by_seed = ", ".join(f"{distance:.2f}" for distance in distances)
        images = f"{mean(run['images'] for run in runs):,.0f}"
        lines.append(f"| {name} | `{recipe}` | {_with_interval(distances)} | {by_seed} | {images} |")
    return "\n".join([*lines, ""])


def _with_interval(values: list[float]) -> str:
    """Return the mean, with a Student's t interval if there are two or more seeds."""
    if len(values) < 2:
        return f"{values[0]:.2f}"
    factor = scipy.stats.t.ppf(0.975, len(values) - 1)
    return f"{mean(values):.2f} ± {factor * stdev(values) / math.sqrt(len(values)):.2f}"


if __name__ == "__main__":
    main()
