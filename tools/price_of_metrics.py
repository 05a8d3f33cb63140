"""Measure the cost of each metric: processor time of one thread, for 1,000 generated and 1,000 real images.

    python tools/price_of_metrics.py [--num 1000] [--features NAME-OR-FILE]

All images are built-in faces, and half of them stand for the generated images, so the values are also those
of two samples of one dataset. Features and the distances between them, which several metrics share, are
counted once, in lines of their own.
"""

import argparse
import time

import numpy as np
import torch

from ganzfeld.data import open_images
from ganzfeld.metrics import Comparison, Side, measure, space
from ganzfeld.metrics.measures import figure_names, with_meaning


def main() -> None:
    """Print one line per metric."""
    parser = argparse.ArgumentParser(description="Processor time of each metric.")
    parser.add_argument("--num", type=int, default=1000)
    parser.add_argument("--features")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, looked_with = open_images(None), space(options.features)
    chosen = np.random.default_rng(0).permutation(images.num_pictures)[: 2 * options.num]
    halves = [images.batch(np.sort(half)) for half in np.split(chosen, 2)]
    looked_with.features(halves[0][:10])
    begun = time.process_time()
    generated, real = (Side(half, looked_with.features(half)) for half in halves)
    print(f"{'features of one side':24} {(time.process_time() - begun) / 2:7.2f} s")
    comparison = Comparison(generated, real, real, looked_with)
    begun = time.process_time()
    _ = comparison.between, comparison.generated.among, comparison.real.among
    print(f"{'distances':24} {time.process_time() - begun:7.2f} s")
    for name in dict.fromkeys(with_meaning(figure_names(), looked_with.sha256, asked_for=False).values()):
        begun = time.process_time()
        found = measure(comparison, [name])
        took = time.process_time() - begun
        said = ", ".join(
            f"{each.figure.name} {each.figure.value:.4f} ({each.figure.low:.4f} to {each.figure.high:.4f})"
            for each in found
        )
        print(f"{name:24} {took:7.2f} s  {said}", flush=True)


if __name__ == "__main__":
    main()
