"""Measure how many runs that were broken on purpose recover with ``train --auto``.

    python tools/doctor_recovery.py [--images 64000] [--processes 2] [--runs runs/treatment]

All runs train on Fashion-MNIST at 32 px on as many images: ``radford2015`` and ``modern`` unchanged; with a
fault, without ``--auto``; and with the same fault and ``--auto``. The faults are those of
``doctor_runs.FAULTS`` that consist of settings only. The qualities at the end, on the absolute scale of the
doctor, and the remedies that were tried are written into ``docs/doctor.md``. A run recovers if ``--auto``
wins back at least half of the quality that the fault costs. Finished runs are read, so the command can be
interrupted and repeated.
"""

import argparse
import json
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from doctor_runs import BATCHES, FASHION, FAULTS, SMALL

import ganzfeld as gz
from ganzfeld.durable import make_folder, write_bytes, write_json
from ganzfeld.errors import TrainingFailed
from ganzfeld.health.derived import series_of
from ganzfeld.recipes import Recipe, resolve

RECIPES = ("radford2015", "modern")
BROKEN = tuple(name for name, fault in FAULTS.items() if fault.plant is None and fault.kept is None)
PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
BEGIN, END = "<!-- treatment -->\n", "<!-- end of treatment -->\n"
HALF = 0.5
HARM = 0.05
"""The least loss of quality from which there is something to recover."""
RECENT = 0.1
"""The last share of a run, whose looks count as its end."""


@dataclass(frozen=True)
class Course:
    """The plan of one run; ``fault`` is empty for a healthy one."""

    recipe: str
    fault: str
    auto: bool
    images: int

    @property
    def file(self) -> str:
        """Name of the file with its result."""
        words = f"{self.recipe} {self.fault or 'healthy'} {'auto' if self.auto else 'alone'} {self.images}"
        return words.replace(" ", "-") + ".json"


def main() -> None:
    """Train the runs and write the table."""
    parser = argparse.ArgumentParser(description="Measure how many broken runs recover with --auto.")
    parser.add_argument("--images", type=int, default=64_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/treatment"))
    options = parser.parse_args()
    courses = [
        Course(recipe, fault, auto, options.images)
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
    page = report(results, options.images)
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
        """Train a run and write its result; a run that fails has no quality."""
        out = self.folder / course.file.removesuffix(".json")
        try:
            run = gz.train(
                FASHION,
                recipe=broken(course.recipe, course.fault),
                images=course.images,
                auto=course.auto,
                checkpoint_seconds=5.0,
                out=out,
            )
            quality = series_of(run.evidence, "quality")
            at_end = quality.values[quality.images >= (1 - RECENT) * run.evidence.images_seen]
            value, trials = float(at_end.mean()), [trial.summary for trial in run.metadata.trials]
        except TrainingFailed:
            value, trials = None, []
        write_json(self.folder / course.file, {"quality": value, "trials": trials})
        return f"{course.file}: {value} {trials}"


def report(results: dict[Course, dict], images: int) -> str:
    """Return the table as Markdown."""
    rows, outcomes, num_worse = [], [], 0
    for course, result in results.items():
        if not course.auto:
            continue
        alone = results[Course(course.recipe, course.fault, False, images)]["quality"]
        healthy = results[Course(course.recipe, "", False, images)]["quality"]
        treated = result["quality"]
        num_worse += (alone or 0.0) - (treated or 0.0) > HARM
        outcomes.append(_outcome(healthy, alone, treated))
        tried = "; ".join(result["trials"]) or "nothing"
        cells = [course.fault, course.recipe, _number(healthy), _number(alone), _number(treated)]
        rows.append(f"| {' | '.join(cells)} | {outcomes[-1]} | {tried} |")
    return "\n".join(
        [
            "Only faults that are planted by settings are listed, since settings cannot undo others. A run "
            "recovers if `--auto` wins back at least half of the quality that the fault costs, on the scale "
            f"from 0 (untrained) to 1 (real); if that is less than {HARM:g}, there is nothing to recover "
            "from (*no harm*). *Healthy* is the same recipe without the fault. One seed each.",
            "",
            f"`python tools/doctor_recovery.py --images {images}`: **{outcomes.count('yes')} of "
            f"{outcomes.count('yes') + outcomes.count('no')}** recover; {num_worse} of {len(outcomes)} end "
            f"worse than without `--auto` by more than {HARM:g}.",
            "",
            "| planted fault | recipe | healthy | without `--auto` | with `--auto` | recovers | tried |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _outcome(healthy: float, alone: float | None, treated: float | None) -> str:
    """Return in a word whether a run recovers; a run that diverged has no quality, as if it were 0."""
    alone, treated = alone or 0.0, treated or 0.0
    if healthy - alone < HARM:
        return "no harm"
    return "yes" if treated - alone >= HALF * (healthy - alone) else "no"


def _number(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.2f}"


if __name__ == "__main__":
    main()
