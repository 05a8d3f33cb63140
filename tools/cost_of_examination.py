"""Measure what the doctor's readings cost a run, on this machine, for each recipe named (default: all).

    python tools/cost_of_examination.py [RECIPE ...]

Alternates steps and readings on the built-in faces. Prints the median times of a step, of all readings, and
of the few readings that need no passes; how often each is taken by the rules of
``training/monitors/health.py``; and the time of each reading.
"""

import statistics
import sys
import time
from collections import defaultdict

from ganzfeld.health.readings import readings
from ganzfeld.options import TrainOptions
from ganzfeld.recipes import recipes_of
from ganzfeld.training.callbacks import Pace
from ganzfeld.training.monitors.health import HealthMonitor
from ganzfeld.training.setup import resolve_options
from ganzfeld.training.trainer import scalars_of as numbers

ROUNDS = 5


def main() -> None:
    """Print some lines per recipe."""
    for name in sys.argv[1:] or recipes_of("image"):
        trainer = resolve_options(TrainOptions(recipe=name, images=1)).build()
        health_monitor = HealthMonitor(trainer)
        steps, full, few = [], [], []
        parts: dict[str, list[float]] = defaultdict(list)
        for _ in range(ROUNDS + 1):
            begun = time.perf_counter()
            outcome = trainer.advance()
            health_monitor.note(outcome)
            numbers(outcome)
            steps.append(time.perf_counter() - begun)
            for everything, taken in ((True, full), (False, few)):
                begun = time.perf_counter()
                health_monitor.take_readings(-1.0, everything)  # before either is due
                taken.append(time.perf_counter() - begun)
            for part, seconds in in_parts(health_monitor):
                parts[part].append(seconds)
        # The first round of each includes set-up, and is left out.
        step = statistics.median(steps[1:])
        print(f"{name}: a step {1000 * step:.0f} ms")
        for what, taken, most in (("all", full, Pace.readings_cost), ("few", few, Pace.cheap_readings_cost)):
            seconds = statistics.median(taken[1:])
            spacing = max(Pace.readings_every_s, seconds / most)
            print(
                f"  {what}: {1000 * seconds:.0f} ms ({seconds / step:.1f} steps), every {spacing:.1f} s or"
                f" {spacing / step:.0f} steps, {seconds / spacing:.2%} of the time"
            )
        for part, seconds in parts.items():
            print(f"    {part}: {1000 * statistics.median(seconds[1:]):.0f} ms")


def in_parts(health_monitor: HealthMonitor) -> list[tuple[str, float]]:
    """Return the time of the probe and of each reading, with the passes that it is the first to need."""
    begun = time.perf_counter()
    probe = health_monitor.probe()
    _ = probe.images
    taken = [("images of the average", time.perf_counter() - begun)]
    for name in readings.names():
        begun = time.perf_counter()
        sum(float(value) for value in readings.load(name).read(probe).values())
        taken.append((name, time.perf_counter() - begun))
    begun = time.perf_counter()
    health_monitor.quality_of(probe.images)
    return [*taken, ("quality", time.perf_counter() - begun)]


if __name__ == "__main__":
    main()
