"""Measure what the doctor finds in runs that were broken on purpose, and its false alarms in healthy runs.

    python tools/doctor_suite.py [--faulty 0] [--healthy 0-22] [--processes 2] [--runs runs/doctor]
        [--finished]

Every fault of ``doctor_runs.py`` is planted in runs of ``radford2015`` and of ``modern`` on two datasets, and
healthy runs of every recipe are trained on both. The doctor checks each run 40 times, and the tables are
written into ``docs/doctor.md``. The seeds are not those that the limits were measured with. Finished runs are
read, so the command can be interrupted and repeated; with ``--finished`` nothing is trained, and the tables
are those of the finished runs.

A run without a planted fault is healthy if it ended well (``doctor_limits.ended_well``). The others are
counted apart: what the doctor says of them is no false alarm.

Measures that no detector uses (``doctor_runs.Judge``) decide when a fault shows: from the first check after
which, up to the end of the run, at least one of them is always worse than in every healthy run of the same
recipe and dataset at the same check, among those that the limits were measured with. A run that ended early
because its numbers were no longer finite shows its fault at its last check at the latest.

A fault is found in time if one of the findings expected for it is there no later than a tenth of the run
after the fault shows, and is upheld: one is there at the end of the run too, or was there at every check
until a tenth of the run after both. A finding that was withdrawn sooner does not count, even if it was right.
"""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from doctor_limits import ended_well, plans_by_class, usual_plans, varied_from
from doctor_runs import BY_CLASS, DATA, FAULTS, NUM_LOOKS, Journal, Plan, is_finished, numbers_of, train_all

from ganzfeld.durable import write_bytes
from ganzfeld.health import diagnose
from ganzfeld.health.detectors import detectors

VERDICTS = ("sick", "watch", "early", "healthy")
BROKEN_RECIPES = ("radford2015", "modern")
PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
ALIKE = 0.95
"""From this share of images with a near duplicate on, nobody would call them varied."""
SOON = NUM_LOOKS // 10
"""Checks within which a fault is to be found after it shows."""
BEGIN, END = "<!-- suite -->\n", "<!-- end of suite -->\n"


@dataclass(frozen=True)
class Result:
    """What the doctor says of a run: the names of the findings at every check.

    ``shows_from`` is the check, from 1, from which the fault shows by the measures; None if it never does.
    ``verdicts`` holds the verdict of every check. ``varied_from`` is the number of images from which the
    images were varied, None if they never were; ``foretold`` are the numbers that were foretold for this
    while they were not.
    """

    journal: Journal
    named: tuple[frozenset[str], ...]
    shows_from: int | None
    verdicts: tuple[str, ...] = ()
    varied_from: int | None = None
    foretold: tuple[int, ...] = ()

    @property
    def findings(self) -> dict[str, int]:
        """The findings, each with the first check (from 1) at which it was there."""
        first: dict[str, int] = {}
        for look, names in enumerate(self.named, start=1):
            first |= {name: look for name in names if name not in first}
        return first

    @property
    def called_healthy_too_soon(self) -> int:
        """Number of checks at which the run was called healthy although all its images were alike."""
        pairs = zip(self.verdicts, self.journal.entries, strict=True)
        return sum(verdict == "healthy" and looks_untrained(entry) for verdict, entry in pairs)

    @property
    def is_called_healthy(self) -> bool:
        """Whether the run is healthy at its end, and at half of the checks since its images varied."""
        pairs = zip(self.verdicts, self.journal.entries, strict=True)
        since = [verdict for verdict, entry in pairs if entry["images_seen"] >= (self.varied_from or 0)]
        return self.verdicts[-1] == "healthy" and 2 * since.count("healthy") >= len(since)

    @property
    def is_foretold(self) -> bool | None:
        """Whether the middle of what was foretold is right within a factor of 2; None if nothing was."""
        if not self.foretold or self.varied_from is None:
            return None
        return 0.5 <= median(self.foretold) / self.varied_from <= 2

    @property
    def found_at(self) -> int | None:
        """First check at which an expected finding was there; None if there was none."""
        expected = FAULTS[self.journal.plan.fault].expected
        return min((self.findings[name] for name in expected if name in self.findings), default=None)

    @property
    def in_time(self) -> bool:
        """Whether the fault is found within a tenth of the run after it shows, and the finding is upheld."""
        return self._is_upheld(set(FAULTS[self.journal.plan.fault].expected))

    @property
    def in_time_by_readings(self) -> bool:
        """Whether this holds of findings from readings alone, not from settings or the dataset."""
        return self._is_upheld(
            {name for name in FAULTS[self.journal.plan.fault].expected if detectors.load(name).READINGS}
        )

    def _is_upheld(self, expected: set[str]) -> bool:
        there = [bool(expected & names) for names in self.named]
        if self.shows_from is None or True not in there[: self.shows_from + SOON]:
            return False
        if there[-1]:
            return True
        spans = ((look, max(look, self.shows_from) + SOON) for look in range(1, self.shows_from + SOON + 1))
        return any(last <= len(there) and all(there[first - 1 : last]) for first, last in spans)


def main() -> None:
    """Train the runs and write the tables."""
    parser = argparse.ArgumentParser(description="Measure findings in broken and in healthy runs.")
    parser.add_argument("--faulty", default="0")
    parser.add_argument("--healthy", default="0-22")
    parser.add_argument("--limits", default="100-108", help="Seeds of doctor_limits.py.")
    parser.add_argument("--only", nargs="*", default=list(FAULTS), help="Names of the faults to plant.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs", type=Path, default=Path("runs/doctor"))
    parser.add_argument("--finished", action="store_true", help="Train no more runs.")
    options = parser.parse_args()
    healthy = all_plans(numbers_of(options.healthy))
    usual = all_plans(numbers_of(options.limits))
    if {plan.seed for plan in healthy} & {plan.seed for plan in usual}:
        parser.error("the seeds of healthy runs and of limits must differ")
    broken = [plan for fault in options.only for plan in broken_plans(numbers_of(options.faulty), fault)]
    if options.finished:
        healthy, broken = ([p for p in plans if is_finished(p, options.runs)] for plans in (healthy, broken))
    journals = {
        journal.plan: journal
        for journal in train_all([*usual, *broken, *healthy], options.runs, options.processes, options.device)
    }
    worst = worst_of([journals[plan] for plan in usual])
    results = [result_of(journals[plan], worst) for plan in [*broken, *healthy]]
    page = report(results[: len(broken)], results[len(broken) :], options)
    print(page)
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_bytes(PAGE, f"{before}{BEGIN}{page}{END}{after}".encode())


def all_plans(seeds: Sequence[int]) -> list[Plan]:
    """Return the plans of healthy runs, including those by class."""
    return [*usual_plans(seeds), *plans_by_class(seeds)]


def _kind(journal: Journal) -> str:
    """Return the kind of a run, as the tables name it."""
    plan = journal.plan
    end = "healthy" if plan.fault or ended_well(journal) else "ended badly"
    return plan.fault or f"{end}, {plan.recipe}{' by class' * plan.is_by_class}"


def broken_plans(seeds: Sequence[int], fault: str) -> list[Plan]:
    """Return the plans of runs with a planted fault, for all recipes and datasets that it is planted in."""
    if FAULTS[fault].by_class:
        return [Plan(data, "modern", seed, fault) for seed in seeds for data in BY_CLASS]
    return [
        Plan(data, recipe, seed, fault, judged=True)
        for seed in seeds
        for data in DATA
        for recipe in BROKEN_RECIPES
    ]


def worst_of(usual: Sequence[Journal]) -> dict[tuple[str, str, int], dict[str, float]]:
    """Return the worst value of every measure in healthy runs, by dataset, recipe and check."""
    worst: dict[tuple[str, str, int], dict[str, float]] = {}
    for journal in usual:
        for look, entry in enumerate(journal.entries, start=1):
            values = worst.setdefault((journal.plan.data, journal.plan.recipe, look), {})
            for name, value in entry["compared"].items():
                values[name] = max(values.get(name, value), value)
    return worst


def result_of(journal: Journal, worst: dict[tuple[str, str, int], dict[str, float]]) -> Result:
    """Diagnose a run at every check, and find the check at which its fault shows."""
    case, plan = journal.case(), journal.plan
    named, shows, verdicts, foretold = [], [], [], []
    for look, entry in enumerate(journal.entries, start=1):
        diagnosis = diagnose(case.until(entry["images_seen"]))
        verdicts.append(diagnosis.verdict)
        if diagnosis.forecast and diagnosis.forecast.images is not None:
            foretold.append(diagnosis.forecast.images)
        named.append(frozenset(finding.name for finding in diagnosis.findings))
        usual = worst[plan.data, plan.recipe, look]
        shows.append(any(value is None or value > usual[name] for name, value in entry["compared"].items()))
    right = [look for look, wrong in enumerate(shows, start=1) if not wrong]
    shown = (right[-1] if right else 0) + 1
    if shown > len(shows):
        shown = len(shows) if len(shows) < NUM_LOOKS else None
    return Result(journal, tuple(named), shown, tuple(verdicts), varied_from(journal), tuple(foretold))


def looks_untrained(entry: Mapping[str, Any]) -> bool:
    """Check whether all images of a check are alike, or none is like any real one, by the stored readings."""
    health = entry["health"]
    variety, coverage = health.get("quality_variety"), health.get("quality_coverage")
    return health.get("twins", 0.0) >= ALIKE or (variety == 0 and coverage == 0)


def report(broken: Sequence[Result], healthy: Sequence[Result], options: argparse.Namespace) -> str:
    """Return the tables as Markdown."""
    shown = [result for result in broken if result.shows_from]
    in_time = sum(result.in_time for result in shown)
    by_readings = sum(result.in_time_by_readings for result in shown)
    never = len(broken) - len(shown)
    well = [result for result in healthy if ended_well(result.journal)]
    alarms = sum(bool(result.findings) for result in well)
    others = [result for result in healthy if result not in well]
    noted = sum(bool(result.findings) for result in others)
    lines = [
        f"`python tools/doctor_suite.py --faulty {options.faulty} --healthy {options.healthy} "
        f"--limits {options.limits}{' --finished' * options.finished}`:",
        "",
        f"- **{in_time} of {len(shown)}** faults that show are found within a tenth of the run after "
        f"they show ({in_time / max(1, len(shown)):.0%}): {by_readings} by findings from readings, "
        f"{in_time - by_readings} only by what is known before training, from the settings or the dataset. "
        f"{never} of {len(broken)} broken runs never show a fault by the measures.",
        f"- **{alarms} of {len(well)}** healthy runs raise an alarm at any of their {NUM_LOOKS} "
        f"checks ({alarms / max(1, len(well)):.1%}). Further {len(others)} runs without a planted fault did "
        f"not end well; {noted} of them raise one.",
        "",
        *_verdict_lines([*broken, *healthy], healthy),
        "",
        *_faults_table(broken),
        "",
        "Number of runs with each finding at any check, by planted fault; **expected** findings are bold:",
        "",
        *_findings_table([*broken, *healthy]),
    ]
    return "\n".join([*lines, ""])


def _faults_table(broken: Sequence[Result]) -> list[str]:
    """Return a table of the planted faults: when they are found, and the verdict at the end of the runs."""
    lines = [
        "| planted fault | runs | show the fault | found in time | by readings | found at any check "
        "| checks from showing to the first finding (median) "
        f"| {' | '.join(f'{verdict} at end' for verdict in VERDICTS)} |",
        f"|---|---|---|---|---|---|---|{'---|' * len(VERDICTS)}",
    ]
    for fault in dict.fromkeys(result.journal.plan.fault for result in broken):
        with_fault = [result for result in broken if result.journal.plan.fault == fault]
        delays = [
            result.found_at - result.shows_from
            for result in with_fault
            if result.found_at and result.shows_from
        ]
        ends = Counter(result.verdicts[-1] for result in with_fault)
        counts = (
            len(with_fault),
            sum(result.shows_from is not None for result in with_fault),
            sum(result.in_time for result in with_fault),
            sum(result.in_time_by_readings for result in with_fault),
            sum(result.found_at is not None for result in with_fault),
        )
        cells = [*map(str, counts), f"{median(delays):g}" if delays else ""]
        cells += [str(ends[verdict] or "") for verdict in VERDICTS]
        lines.append(f"| {fault}: {FAULTS[fault].what} | {' | '.join(cells)} |")
    return lines


def _findings_table(results: Sequence[Result]) -> list[str]:
    """Return a table of the number of runs with each finding, by kind of run."""
    columns = [name for name in detectors.names() if any(name in result.findings for result in results)]
    lines = [f"| | runs | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    by_kind: dict[str, list[Result]] = {}
    for result in results:
        by_kind.setdefault(_kind(result.journal), []).append(result)
    for kind, of_kind in by_kind.items():
        counts = Counter(name for result in of_kind for name in result.findings)
        expected = FAULTS[kind].expected if kind in FAULTS else ()
        cells = [f"**{counts[name]}**" if name in expected else f"{counts[name] or ''}" for name in columns]
        lines.append(f"| {kind} | {len(of_kind)} | {' | '.join(cells)} |")
    return lines


def _verdict_lines(results: Sequence[Result], healthy: Sequence[Result]) -> list[str]:
    """Return what the verdicts say of runs that have learned nothing, and of those that ended well."""
    too_soon = sum(result.called_healthy_too_soon for result in results)
    checks = sum(len(result.verdicts) for result in results)
    well = [result for result in healthy if ended_well(result.journal)]
    called = sum(result.is_called_healthy for result in well)
    foretold = [result.is_foretold for result in healthy if result.is_foretold is not None]
    return [
        f"- `healthy` was said {too_soon} times of images that were alike, or like no real one, at {checks:,}"
        " checks.",
        f"- **{called} of {len(well)}** healthy runs that ended well are `healthy` at the end, and at half of"
        f" the checks since their images varied ({called / max(1, len(well)):.0%}).",
        f"- The images until they vary were foretold within a factor of 2 for **{sum(foretold)} of"
        f" {len(foretold)}** runs without a planted fault ({sum(foretold) / max(1, len(foretold)):.0%}).",
    ]


if __name__ == "__main__":
    main()
