"""Run the speedrun: the quality of the default recipe by minutes of training, on this machine.

    python tools/speedrun.py MINUTES [MINUTES ...] [--seeds 0 1 2] [--data PATH] [--set path=value ...]

Trains for each number of minutes and each seed, on the built-in faces or other images, and prints the
kernel distance of every run and the median. The schedule of a run depends on its length, so every length is
a run of its own. ``--processes 2`` trains two runs at a time, if a run uses one core.
"""

import argparse
import os
import statistics
import tempfile
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

import ganzfeld as gz


def main() -> None:
    """Print one line per run and one per length."""
    parser = argparse.ArgumentParser(description="Kernel distance after minutes of training.")
    parser.add_argument("minutes", nargs="+", type=float)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data")
    parser.add_argument("--size")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args()
    lengths = list(product(options.minutes, options.seeds))
    with get_context("spawn").Pool(options.processes) as pool:
        results = pool.imap(
            _Trainer(options.data, options.size, tuple(options.settings)), lengths, chunksize=1
        )
        found: dict[float, list[float]] = {}
        for (minutes, seed), (distance, error, images) in zip(lengths, results, strict=True):
            found.setdefault(minutes, []).append(distance)
            print(
                f"{60 * minutes:.0f} s, seed {seed}: {distance:.3f} ± {error:.3f} after {images:,} images",
                flush=True,
            )
    for minutes, distances in found.items():
        print(f"{60 * minutes:.0f} s: median {statistics.median(distances):.3f}")


@dataclass(frozen=True)
class _Trainer:
    data: str | None
    size: str | None
    settings: tuple[str, ...]

    def __call__(self, length: tuple[float, int]) -> tuple[float, float, int]:
        """Return the kernel distance of the best model, its standard error, and the images seen."""
        minutes, seed = length
        with tempfile.TemporaryDirectory() as out:
            run = gz.train(
                self.data, size=self.size, minutes=minutes, seed=seed, out=out, settings=self.settings
            )
            final = run.metadata.final
        if final is None:
            raise SystemExit("the quality of the runs was not measured; the extra 'metrics' is needed")
        return final.best.kernel_distance, final.best.error, final.at_images


if __name__ == "__main__":
    main()
