"""Kernel distance of finished runs: 1,000 EMA samples (seeds 0 to 999) against 1,000 of their real pictures.

python tools/kernel_distance.py runs/faces-001 ...

--reals DATA compares with other pictures: for a run on a few of a set with the whole set, which shows what a
generator that copies those few has missed.
"""

import argparse

import numpy as np

from ganzfeld.data import open_pictures
from ganzfeld.metrics import features, kernel_distance
from ganzfeld.training import open_run

NUM = 1000


def main() -> None:
    """One line a run."""
    parser = argparse.ArgumentParser(description="Kernel distance of finished runs.")
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--reals", help="pictures to compare with; by default those of the run")
    options = parser.parse_args()
    for path in options.runs:
        run = open_run(path)
        pictures = open_pictures(options.reals or run.facts.data, size=run.recipe.size)
        chosen = np.random.default_rng(0).permutation(pictures.num_pictures)[:NUM]
        reals = features(pictures.batch(np.sort(chosen)))
        distance = kernel_distance(features(run.sample(NUM)), reals)
        seen = run.model.card.images_seen
        print(f"{run.path.name}: {distance:.3f} after {seen:,} pictures", flush=True)


if __name__ == "__main__":
    main()
