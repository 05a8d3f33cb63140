"""What the doctor finds in runs that were broken on purpose, and what it says of healthy ones.

    python tools/doctor_suite.py [--faulty 0] [--healthy 0-9] [--processes 2] [--runs runs/doctor]

Plants every fault of ``doctor_runs.py`` in a training of ``radford2015`` and of ``modern`` on two sets of
images, trains healthy runs of every recipe on both, asks the doctor at every look, and writes the tables
into ``docs/doctor.md``. No seed is one that the limits were measured with. Runs that were made before are
read, so that the command can be interrupted and repeated.

When a fault shows is said by measures that no detector looks at (``doctor_runs.Judge``): from the look on
from which, to the end of the run, at least one of them is worse than in every healthy run of the same recipe
and set with which the limits were measured, at the same look. A run that ended early, since its numbers were
no longer finite, shows at its last look at the latest. It is found in time when one of the findings that the
fault is expected to give is there no later than a tenth of the run after it shows.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from doctor_limits import plans_by_class, usual_plans
from doctor_runs import BY_CLASS, DATA, FAULTS, NUM_LOOKS, Journal, Plan, numbers_of, train_all

from ganzfeld.durable import write_bytes
from ganzfeld.health import diagnose
from ganzfeld.health.detectors import detectors

BROKEN_RECIPES = ("radford2015", "modern")
PAGE = Path(__file__).parents[1] / "docs" / "doctor.md"
BEGIN, END = "<!-- suite -->\n", "<!-- end of suite -->\n"


@dataclass(frozen=True)
class Result:
    """What the doctor said of a run: the first look (from 1) at which each finding was there.

    ``shown`` is the look from which the fault shows by the measures; None if it never does.
    """

    journal: Journal
    findings: dict[str, int]
    shown: int | None

    @property
    def found(self) -> int | None:
        """The first look at which an expected finding was there."""
        expected = FAULTS[self.journal.plan.fault].expected
        return min((self.findings[name] for name in expected if name in self.findings), default=None)

    @property
    def in_time(self) -> bool:
        """Whether it was found within a tenth of the run after it showed."""
        return self.found is not None and self.shown is not None and self.found <= self.shown + NUM_LOOKS / 10


def main() -> None:
    """Write the tables."""
    parser = argparse.ArgumentParser(description="Confusion of findings and planted faults.")
    parser.add_argument("--faulty", default="0")
    parser.add_argument("--healthy", default="0-9")
    parser.add_argument("--limits", default="100-107", help="Seeds of doctor_limits.py.")
    parser.add_argument("--only", nargs="*", default=list(FAULTS), help="Names of faults.")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("runs/doctor"))
    options = parser.parse_args()
    healthy = all_plans(numbers_of(options.healthy))
    usual = all_plans(numbers_of(options.limits))
    if {plan.seed for plan in healthy} & {plan.seed for plan in usual}:
        parser.error("the seeds of healthy runs and of limits must differ")
    broken = [plan for fault in options.only for plan in _plans(numbers_of(options.faulty), fault)]
    journals = {
        journal.plan: journal
        for journal in train_all([*usual, *broken, *healthy], options.runs, options.processes)
    }
    worst = _worst([journals[plan] for plan in usual])
    results = [judged(journals[plan], worst) for plan in [*broken, *healthy]]
    page = report([each for each in results if each.journal.plan.fault], results[len(broken) :], options)
    print(page)
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_bytes(PAGE, f"{before}{BEGIN}{page}{END}{after}".encode())


def all_plans(seeds: Sequence[int]) -> list[Plan]:
    """Healthy trainings, those by class among them."""
    return [*usual_plans(seeds), *plans_by_class(seeds)]


def _kind(plan: Plan) -> str:
    """Of what kind a training is, in the tables."""
    return plan.fault or f"healthy, {plan.recipe}{' by class' * (plan.data in BY_CLASS)}"


def _plans(seeds: Sequence[int], fault: str) -> list[Plan]:
    return [
        Plan(data, recipe, seed, fault, judged=True)
        for seed in seeds
        for data in DATA
        for recipe in BROKEN_RECIPES
    ]


def _worst(usual: Sequence[Journal]) -> dict[tuple[str, str, int], dict[str, float]]:
    """The worst of every measure in healthy runs, by set, recipe and look."""
    worst: dict[tuple[str, str, int], dict[str, float]] = {}
    for journal in usual:
        for look, entry in enumerate(journal.entries, start=1):
            there = worst.setdefault((journal.plan.data, journal.plan.recipe, look), {})
            for name, value in entry["compared"].items():
                there[name] = max(there.get(name, value), value)
    return worst


def judged(journal: Journal, worst: dict[tuple[str, str, int], dict[str, float]]) -> Result:
    """What the doctor says at every look, and when the fault shows."""
    case, plan = journal.case(), journal.plan
    findings: dict[str, int] = {}
    shows = []
    for look, entry in enumerate(journal.entries, start=1):
        for finding in diagnose(case.until(entry["images_seen"])).findings:
            findings.setdefault(finding.name, look)
        usual = worst[plan.data, plan.recipe, look]
        shows.append(any(value is None or value > usual[name] for name, value in entry["compared"].items()))
    right = [look for look, wrong in enumerate(shows, start=1) if not wrong]
    shown = (right[-1] if right else 0) + 1
    if shown > len(shows):
        shown = len(shows) if len(shows) < NUM_LOOKS else None
    return Result(journal, findings, shown)


def report(broken: Sequence[Result], healthy: Sequence[Result], options: argparse.Namespace) -> str:
    """The tables, as Markdown."""
    shown = [each for each in broken if each.shown]
    in_time = sum(each.in_time for each in shown)
    never = len(broken) - len(shown)
    alarms = [each for each in healthy if each.findings]
    looking_ill = sum(each.shown is not None for each in healthy)
    lines = [
        f"`python tools/doctor_suite.py --faulty {options.faulty} --healthy {options.healthy} "
        f"--limits {options.limits}`:",
        "",
        f"- **{in_time} of {len(shown)}** faults that show are found within a tenth of the run after "
        f"they show ({in_time / max(1, len(shown)):.0%}); {never} of {len(broken)} broken runs "
        "never show by the measures.",
        f"- **{len(alarms)} of {len(healthy)}** healthy runs raise an alarm at any of their {NUM_LOOKS} looks"
        f" ({len(alarms) / max(1, len(healthy)):.1%}). By the measures {looking_ill} of them end worse than "
        "every run that the limits were measured with.",
        "",
        "| planted | runs | show | found in time | found at all | looks from showing to finding (median) |",
        "|---|---|---|---|---|---|",
    ]
    for fault in dict.fromkeys(each.journal.plan.fault for each in broken):
        of_it = [each for each in broken if each.journal.plan.fault == fault]
        delays = [each.found - each.shown for each in of_it if each.found and each.shown]
        lines.append(
            f"| {fault}: {FAULTS[fault].what} | {len(of_it)}"
            f" | {sum(each.shown is not None for each in of_it)}"
            f" | {sum(each.in_time for each in of_it)} | {sum(each.found is not None for each in of_it)}"
            f" | {f'{median(delays):g}' if delays else ''} |"
        )
    lines += [
        "",
        "Findings by what was planted, in runs that raised them at any look; **expected** ones bold:",
        "",
    ]
    columns = [
        name for name in detectors.names() if any(name in each.findings for each in [*broken, *healthy])
    ]
    lines += [f"| | runs | {' | '.join(columns)} |", f"|---|---|{'---|' * len(columns)}"]
    kinds = [(_kind(each.journal.plan), each) for each in [*broken, *healthy]]
    for kind in dict.fromkeys(kind for kind, _ in kinds):
        of_it = [each for other, each in kinds if other == kind]
        counts = Counter(name for each in of_it for name in each.findings)
        expected = FAULTS[kind].expected if kind in FAULTS else ()
        cells = [f"**{counts[name]}**" if name in expected else f"{counts[name] or ''}" for name in columns]
        lines.append(f"| {kind} | {len(of_it)} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
