"""What the doctor's examinations cost a training, on this machine, for each recipe named (or all of them).

    python tools/cost_of_examination.py [RECIPE ...]

Steps and examinations on the built-in faces, in turns. Told are the median time of each, how often a training
is examined by the rule of ``training/examination.py``, and the largest parts of an examination.
"""

import statistics
import sys
import time
from collections import defaultdict

from ganzfeld.health.readings import readings
from ganzfeld.recipes import recipes
from ganzfeld.training.examination import EVERY_S, MOST_COST, Examiner
from ganzfeld.training.train import agree
from ganzfeld.training.trainer import readings as numbers
from ganzfeld.training.watcher import Watcher

ROUNDS = 5


def main() -> None:
    """Some lines a recipe."""
    for name in sys.argv[1:] or recipes.names():
        trainer = agree(recipe=name, images=1).begin(None, Watcher())
        examiner = Examiner(trainer)
        steps, examinations = [], []
        parts: dict[str, list[float]] = defaultdict(list)
        for _ in range(ROUNDS + 1):
            begun = time.perf_counter()
            outcome = trainer.advance()
            examiner.note(outcome)
            numbers(outcome)
            steps.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            found = examiner.examine(0.0)
            examinations.append(time.perf_counter() - begun)
            for part, seconds in in_parts(examiner):
                parts[part].append(seconds)
        # The first of each sets things up.
        step, examination = (statistics.median(seconds[1:]) for seconds in (steps, examinations))
        spacing = max(EVERY_S, examination / MOST_COST)
        print(
            f"{name}: {len(found)} readings in {1000 * examination:.0f} ms ({examination / step:.1f} steps of"
            f" {1000 * step:.0f} ms), every {spacing:.1f} s: {examination / spacing:.2%}"
        )
        for part, seconds in parts.items():
            print(f"    {part}: {1000 * statistics.median(seconds[1:]):.0f} ms")


def in_parts(examiner: Examiner) -> list[tuple[str, float]]:
    """What is to be read, and each reading after it, with the passes that no reading before has asked for."""
    begun = time.perf_counter()
    patient = examiner.patient()
    taken = [("pictures of the average", time.perf_counter() - begun)]
    for name in readings.names():
        begun = time.perf_counter()
        sum(float(value) for value in readings.load(name).read(patient).values())
        taken.append((name, time.perf_counter() - begun))
    return taken


if __name__ == "__main__":
    main()
