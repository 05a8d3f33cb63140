"""Kernel distance of finished runs: 1,000 EMA samples (seeds 0 to 999) against 1,000 of their real pictures.

python tools/kernel_distance.py runs/faces-001 ...
"""

import sys

import numpy as np

from ganzfeld.data import open_pictures
from ganzfeld.metrics import features, kernel_distance
from ganzfeld.training import open_run

NUM = 1000


def main() -> None:
    """One line a run."""
    for path in sys.argv[1:]:
        run = open_run(path)
        pictures = open_pictures(run.facts.data, size=run.recipe.size)
        chosen = np.random.default_rng(0).permutation(pictures.num_pictures)[:NUM]
        reals = features(pictures.batch(np.sort(chosen)))
        distance = kernel_distance(features(run.sample(NUM)), reals)
        seen = run.model.card.images_seen
        print(f"{run.path.name}: {distance:.3f} after {seen:,} pictures", flush=True)


if __name__ == "__main__":
    main()
