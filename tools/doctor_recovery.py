"""Measure how many runs that were broken on purpose recover with ``train --auto``.

    python tools/doctor_recovery.py [--minutes 2] [--processes 2] [--runs runs/treatment]

All runs train on the built-in faces at 32 px for the same time: ``radford2015`` and ``modern`` unchanged;
with a fault, without ``--auto``; and with the same fault and ``--auto``. The faults are those of
``doctor_runs.FAULTS`` that consist of settings only. Kernel distances and the remedies that were tried are
written into ``docs/doctor.md``. A run recovers if ``--auto`` removes at least half of what the fault adds to
the kernel distance. Finished runs are read, so the command can be interrupted and repeated.
"""

import argparse
import json
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from doctor_runs import BATCHES, FAULTS, SMALL

import ganzfeld as gz
from ganzfeld.durable import make_folder, write_bytes, write_json
from ganzfeld.errors import TrainingFailed
from ganzfeld.recipes import Recipe, resolve

RECIPES = ("radford2015", "modern")
BROKEN = tuple(name for name, fault in FAULTS.items() if fault.plant is None and fault.kept is None)
PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
BEGIN, END = "<!-- treatment -->\n", "<!-- end of treatment -->\n"
HALF = 0.5


@dataclass(frozen=True)
class Course:
    """The plan of one run; ``fault`` is empty for a healthy one."""

    recipe: str
    fault: str
    auto: bool
    minutes: float

    @property
    def file(self) -> str:
        """Name of the file with its result."""
        words = f"{self.recipe} {self.fault or 'healthy'} {'auto' if self.auto else 'alone'} {self.minutes:g}"
        return words.replace(" ", "-") + ".json"


def main() -> None:
    """Train the runs and write the table."""
    parser = argparse.ArgumentParser(description="Measure how many broken runs recover with --auto.")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/treatment"))
    options = parser.parse_args()
    courses = [
        Course(recipe, fault, auto, options.minutes)
        for recipe in RECIPES
        for fault in ("", *BROKEN)
        for auto in ((False, True) if fault else (False,))
    ]
    make_folder(options.runs)
    missing = [course for course in courses if not (options.runs / course.file).is_file()]
    print(f"{len(courses) - len(missing)} runs are finished, {len(missing)} to train", flush=True)
    with get_context("spawn").Pool(options.processes) as pool:
        for message in pool.imap_unordered(_Trainer(options.runs), missing):
            print(message, flush=True)
    results = {course: json.loads((options.runs / course.file).read_bytes()) for course in courses}
    page = report(results, options.minutes)
    print(page)
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_bytes(PAGE, f"{before}{BEGIN}{page}{END}{after}".encode())


def broken(recipe: str, fault: str) -> Recipe:
    """Return a recipe with a fault planted in its settings."""
    settings = FAULTS[fault].settings if fault else {}
    result = resolve(recipe, SMALL | {"batch": BATCHES[recipe]} | settings)
    for path, factor in (FAULTS[fault].times if fault else {}).items():
        lr = getattr(result, path.split(".")[0]).optimizer.lr
        result = resolve(result, {path: min(1.0, lr * factor)})
    return result


@dataclass(frozen=True)
class _Trainer:
    folder: Path

    def __call__(self, course: Course) -> str:
        """Train a run and write its result; a run that fails has no kernel distance."""
        out = self.folder / course.file.removesuffix(".json")
        try:
            run = gz.train(
                recipe=broken(course.recipe, course.fault),
                minutes=course.minutes,
                auto=course.auto,
                checkpoint_seconds=5.0,
                out=out,
            )
            final, trials = run.metadata.final, [trial.summary for trial in run.metadata.trials]
            distance = final.best.kernel_distance if final else None
        except TrainingFailed:
            distance, trials = None, []
        write_json(self.folder / course.file, {"kernel_distance": distance, "trials": trials})
        return f"{course.file}: {distance} {trials}"


def report(results: dict[Course, dict], minutes: float) -> str:
    """Return the table as Markdown."""
    rows, outcomes = [], []
    for course, result in results.items():
        if not course.auto:
            continue
        alone = results[Course(course.recipe, course.fault, False, minutes)]["kernel_distance"]
        healthy = results[Course(course.recipe, "", False, minutes)]["kernel_distance"]
        treated = result["kernel_distance"]
        outcomes.append(_outcome(healthy, alone, treated))
        tried = "; ".join(result["trials"]) or "nothing"
        cells = [course.fault, course.recipe, _number(healthy), _number(alone), _number(treated)]
        rows.append(f"| {' | '.join(cells)} | {outcomes[-1]} | {tried} |")
    return "\n".join(
        [
            "Only faults that are planted by settings are listed, since settings cannot undo others. A run "
            "recovers if `--auto` removes at least half of what the fault adds to the kernel distance; if "
            "the fault adds nothing, there is nothing to recover from (*no harm*). *Healthy* is the same "
            "recipe without the fault. One seed each.",
            "",
            f"`python tools/doctor_recovery.py --minutes {minutes:g}`: **{outcomes.count('yes')} of "
            f"{outcomes.count('yes') + outcomes.count('no')}** recover.",
            "",
            "| planted fault | recipe | healthy | without `--auto` | with `--auto` | recovers | tried |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _outcome(healthy: float, alone: float | None, treated: float | None) -> str:
    """Return in a word whether a run recovers; a run that diverged has no kernel distance."""
    if alone is not None and alone <= healthy:
        return "no harm"
    if treated is None:
        return "no"
    return "yes" if alone is None or alone - treated >= HALF * (alone - healthy) else "no"


def _number(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
