"""The speedrun: how good the default recipe is after how much training, on this machine.

    python tools/speedrun.py MINUTES [MINUTES ...] [--seeds 0 1 2] [--set path=value ...]

Trains on the built-in faces for each number of minutes and each seed, one after the other, and prints the
kernel distance of every run and the median. The learning rates of a run are planned for its own length, so
each length is a run of its own.
"""

import argparse
import os
import statistics
import tempfile

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

import numpy as np

from ganzfeld.data import open_pictures
from ganzfeld.metrics import features, kernel_distance
from ganzfeld.training import train

NUM = 1000


def main() -> None:
    """One line a run, one a length."""
    parser = argparse.ArgumentParser(description="Kernel distance after minutes of training.")
    parser.add_argument("minutes", nargs="+", type=float)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    pictures = open_pictures(None)
    chosen = np.sort(np.random.default_rng(0).permutation(pictures.num_pictures)[:NUM])
    reals = features(pictures.batch(chosen))
    with tempfile.TemporaryDirectory() as folder:
        for minutes in options.minutes:
            distances = []
            for seed in options.seeds:
                run = train(minutes=minutes, seed=seed, out=folder, settings=options.settings)
                distances.append(kernel_distance(features(run.sample(NUM)), reals))
                seen = run.journal[-1]["images_seen"]
                print(
                    f"{60 * minutes:.0f} s, seed {seed}: {distances[-1]:.3f} after {seen:,} pictures",
                    flush=True,
                )
            print(f"{60 * minutes:.0f} s: median {statistics.median(distances):.3f}", flush=True)


if __name__ == "__main__":
    main()
