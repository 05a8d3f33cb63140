"""Measure how much time ``gz.watch`` takes of a plain loop.

    python tools/cost_of_watching.py [--style plain] [--width 16] [--batch 32] [--steps 1000]

Two loops of ``doctor_strangers.py`` make their steps in turn, one of them watched, so that a busy machine
slows both alike. The first step, which opens the data, and the end, which writes the report, are given apart.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from doctor_strangers import FASHION, Loop, Training, images_of

from ganzfeld.watching import Watch


def main() -> None:
    """Run both loops, and print their times."""
    parser = argparse.ArgumentParser(description="Measure the cost of gz.watch.")
    parser.add_argument("--style", default="plain", help="A style of doctor_strangers.py.")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=1000)
    options = parser.parse_args()
    if not FASHION.is_file():
        parser.error(f"{FASHION} is missing: install the Debian package dataset-fashion-mnist")
    torch.set_num_threads(1)
    loop = Loop("", options.style, width=options.width, batch=options.batch)
    plain_s = watched_s = 0.0

    def clock() -> float:
        return time.perf_counter() - plain_s

    with tempfile.TemporaryDirectory() as folder:
        images = images_of("fashion", Path(folder), limit=5_000)
        plain, watched = Training(loop, images), Training(loop, images)
        watch = Watch(
            watched.generator, watched.discriminator, images.path, Path(folder) / "watched", clock=clock
        )
        first_s = begun = 0.0
        with watch:
            for step in range(1, options.steps + 1):
                begun = time.perf_counter()
                watch.step(step * options.batch, watched.step())
                between = time.perf_counter()
                plain.step()
                if step == 1:
                    first_s = between - begun
                else:
                    watched_s += between - begun
                    plain_s += time.perf_counter() - between
            begun = time.perf_counter()
        end_s = time.perf_counter() - begun
    print(
        f"{options.style}, width {options.width}, batch {options.batch}: a step takes "
        f"{1e3 * plain_s / options.steps:.1f} ms, watched {100 * (watched_s / plain_s - 1):.1f} % more; "
        f"the first step {first_s:.1f} s, the end {end_s:.1f} s"
    )


if __name__ == "__main__":
    main()
