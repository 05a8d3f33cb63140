"""Measure how soon the default recipe reaches, and keeps, given kernel distances on this machine.

    python tools/speedrun.py [--minutes 5] [--seeds 0 1 2] [--data PATH] [--size PX] [--set path=value ...]

Trains for some minutes with each seed, on the built-in faces or other images, and prints a table: the
seconds of training after which all quality measurements of the run were at or below a distance, by seed and
as the median, and the distance at the end. A run measures its quality about every 20 seconds, with a
standard error of about 0.03, so a time is known to about 20 seconds.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

import ganzfeld as gz
from ganzfeld.training.callbacks import Pace
from ganzfeld.training.progress_display import PlainLines

DISTANCES = (1.4, 1.2, 1.0, 0.8, 0.6)


class Often(PlainLines):
    """Measures quality as often as 5 % of the time allow, in place of 2 %, to know times to 20 seconds."""

    pace = Pace(score_cost=0.05)


@dataclass(frozen=True)
class Outcome:
    """Quality measurements of a run, as seconds of training and distance, and its end."""

    measured: Sequence[tuple[float, float]]
    distance: float
    error: float
    images: int
    batch: int
    verdict: str

    def seconds_to(self, distance: float) -> float:
        """Return the seconds after which no measurement was above ``distance``, or infinity."""
        above = [number for number, (_, measured) in enumerate(self.measured) if measured > distance]
        after = self.measured[above[-1] + 1 :] if above else self.measured
        return after[0][0] if after else float("inf")


def main() -> None:
    """Print one line per run as it ends, and the table."""
    parser = argparse.ArgumentParser(description="Seconds of training to a kernel distance.")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data")
    parser.add_argument("--size")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    outcomes = []
    for seed in options.seeds:
        outcome = trained(options, seed)
        outcomes.append(outcome)
        print(
            f"seed {seed}: {outcome.distance:.3f} ± {outcome.error:.3f} after {outcome.images:,} images in"
            f" batches of {outcome.batch}; the doctor says {outcome.verdict}",
            flush=True,
        )
    print(f"\n| distance | {' | '.join(f'seed {seed}' for seed in options.seeds)} | median |")
    print(f"|---|{'---|' * (len(options.seeds) + 1)}")
    for distance in DISTANCES:
        seconds = [outcome.seconds_to(distance) for outcome in outcomes]
        cells = [
            "not reached" if each == float("inf") else f"{each:.0f} s"
            for each in (*seconds, statistics.median(seconds))
        ]
        print(f"| {distance} | {' | '.join(cells)} |")
    ends = [outcome.distance for outcome in outcomes]
    cells = [f"{each:.3f}" for each in (*ends, statistics.median(ends))]
    print(f"| after {options.minutes:g} minutes | {' | '.join(cells)} |")


def trained(options: argparse.Namespace, seed: int) -> Outcome:
    """Train with one seed."""
    with tempfile.TemporaryDirectory() as out:
        run = gz.train(
            options.data,
            size=options.size,
            minutes=options.minutes,
            seed=seed,
            out=out,
            settings=options.settings,
            callback=Often(),
        )
        final, verdict = run.metadata.final, run.diagnose().verdict
        if final is None:
            raise SystemExit("the quality of the runs was not measured; the extra 'metrics' is needed")
        measured = [
            (entry["seconds"], entry["health"]["kernel_distance"])
            for entry in run.journal
            if "kernel_distance" in (entry.get("health") or {})
        ]
        return Outcome(
            measured,
            final.best.kernel_distance,
            final.best.error,
            final.at_images,
            run.recipe.batch,
            verdict,
        )


if __name__ == "__main__":
    main()
