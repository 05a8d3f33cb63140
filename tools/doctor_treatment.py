"""How many runs that were broken on purpose recover when they are looked after (``train --auto``).

    python tools/doctor_treatment.py [--minutes 2] [--processes 2] [--runs runs/treatment]

Trains on the built-in faces at 32 px, each time for the same minutes of training: by ``radford2015`` and by
``modern`` as they are; broken by settings alone (those of ``doctor_runs.FAULTS`` that plant nothing else) and
left alone; and broken so, with ``--auto``. Writes kernel distances and what was tried into
``docs/doctor.md``. A run recovers if ``--auto`` takes away at least half of what the fault adds to the kernel
distance. Runs that are there are read, so that the command can be interrupted and repeated.
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
    """One training; ``fault`` empty: a healthy one."""

    recipe: str
    fault: str
    auto: bool
    minutes: float

    @property
    def file(self) -> str:
        """The name of what is written of it."""
        said = f"{self.recipe} {self.fault or 'healthy'} {'auto' if self.auto else 'alone'} {self.minutes:g}"
        return said.replace(" ", "-") + ".json"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description="Broken runs that recover with --auto.")
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
    print(f"{len(courses) - len(missing)} runs are there, {len(missing)} to make", flush=True)
    with get_context("spawn").Pool(options.processes) as pool:
        for told in pool.imap_unordered(_Trainer(options.runs), missing):
            print(told, flush=True)
    found = {course: json.loads((options.runs / course.file).read_bytes()) for course in courses}
    page = report(found, options.minutes)
    print(page)
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_bytes(PAGE, f"{before}{BEGIN}{page}{END}{after}".encode())


def broken(recipe: str, fault: str) -> Recipe:
    """A recipe with a fault planted in its settings."""
    plan = FAULTS[fault].settings if fault else {}
    made = resolve(recipe, SMALL | {"batch": BATCHES[recipe]} | plan)
    for path, factor in (FAULTS[fault].times if fault else {}).items():
        made = resolve(made, {path: min(1.0, getattr(made, path.split(".")[0]).optimizer.lr * factor)})
    return made


@dataclass(frozen=True)
class _Trainer:
    folder: Path

    def __call__(self, course: Course) -> str:
        """Train, and write down how good it became; a run that fails has no kernel distance."""
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


def report(found: dict[Course, dict], minutes: float) -> str:
    """The table, as Markdown."""
    rows, outcomes = [], []
    for course, told in found.items():
        if not course.auto:
            continue
        alone = found[Course(course.recipe, course.fault, False, minutes)]["kernel_distance"]
        healthy = found[Course(course.recipe, "", False, minutes)]["kernel_distance"]
        treated = told["kernel_distance"]
        outcomes.append(_outcome(healthy, alone, treated))
        tried = "; ".join(told["trials"]) or "nothing"
        cells = [course.fault, course.recipe, _number(healthy), _number(alone), _number(treated)]
        rows.append(f"| {' | '.join(cells)} | {outcomes[-1]} | {tried} |")
    return "\n".join(
        [
            "What a setting cannot plant, it cannot mend, so only such faults are here. A run recovers "
            "if `--auto` takes away half or more of what the fault adds to the kernel distance; where it "
            "adds nothing there is nothing to recover from. *Healthy* is the same recipe without the fault. "
            "One seed each.",
            "",
            f"`python tools/doctor_treatment.py --minutes {minutes:g}`: **{outcomes.count('yes')} of "
            f"{outcomes.count('yes') + outcomes.count('no')}** recover.",
            "",
            "| planted | recipe | healthy | left alone | with `--auto` | recovers | tried |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _outcome(healthy: float, alone: float | None, treated: float | None) -> str:
    """Whether a run recovers, in a word; a run that diverged has no kernel distance."""
    if alone is not None and alone <= healthy:
        return "no harm"
    if treated is None:
        return "no"
    return "yes" if alone is None or alone - treated >= HALF * (alone - healthy) else "no"


def _number(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
