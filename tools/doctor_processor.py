"""Repeat a tenth of the doctor's runs on another kind of processor, and compare what the doctor says of both.

    python tools/doctor_processor.py [--share 0.1] [--cpu-minutes 60] [--processes 1]
        [--runs runs/doctor] [--repeated runs/doctor_repeated] [--list] [--finished]

On a processor with more instructions, an older one is played by

    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python tools/doctor_processor.py

The pool are the finished runs of ``doctor_limits.py`` and ``doctor_suite.py``. Runs to repeat are spread over
it (``spread``): every fault at least once, then runs without a fault by their share, and recipes and
datasets in turn. The journals are stored in a folder of their own, without images. Finished runs are read,
so the command can be interrupted and repeated; no run begins after ``--cpu-minutes`` of CPU time in one call,
and the same command continues. ``--list`` prints the runs and trains nothing; with ``--finished`` nothing is
trained either, and the tables are those of the finished runs.

The limits stay those of the first processor. Rounding sends two runs apart as another seed does, so single
runs differ; what should agree is how many faults are found, and how many alarms are raised. The tables are
written into ``docs/doctor.md``.
"""

import argparse
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.pool import ThreadPool
from pathlib import Path
from statistics import median
from typing import Any

import doctor_runs
import torch
from doctor_archive import ARCHIVE, unpack
from doctor_limits import ended_well, long_plans
from doctor_runs import FAULTS, Plan, is_finished, numbers_of, read
from doctor_suite import PAGE, Result, all_plans, broken_plans, result_of, worst_of

from ganzfeld.compute.engine import chip_of
from ganzfeld.durable import make_folder, write_bytes, write_json
from ganzfeld.health.derived import series_of
from ganzfeld.signals import signals_to_handle

PLAYED = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA")
"""The variables by which a processor plays an older one; they belong to the command."""
BEGIN, END = "<!-- processor -->\n", "<!-- end of processor -->\n"
HEALTHY, LIMITS, LONGER = "healthy", "of the limits", "of the limits, longer"
Pool = Mapping[str, Sequence[Plan]]


def main() -> None:
    """Repeat runs, and write the tables."""
    parser = argparse.ArgumentParser(description="Compare the doctor's runs on two kinds of processors.")
    parser.add_argument("--share", type=float, default=0.1, help="Share of the pool to repeat.")
    parser.add_argument("--cpu-minutes", type=float, default=float("inf"), help="Begin no run after these.")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--faulty", default="0")
    parser.add_argument("--healthy", default="0-22")
    parser.add_argument("--limits", default="100-108")
    parser.add_argument("--long", default="100-103")
    parser.add_argument("--runs", type=Path, default=Path("runs/doctor"))
    parser.add_argument("--repeated", type=Path, default=Path("runs/doctor_repeated"))
    parser.add_argument("--list", action="store_true", help="Print the runs, train nothing.")
    parser.add_argument("--finished", action="store_true", help="Train no more runs.")
    options = parser.parse_args()
    if not 0 < options.share <= 1:
        parser.error(f"--share is {options.share}: use a share above 0 and up to 1, such as 0.1")
    pool = pool_of(options)
    num = sum(map(len, pool.values()))
    plans = spread(pool, max(1, round(options.share * num)))
    if options.list:
        for plan in plans:
            seconds = read(plan, options.runs).seconds
            print(f"{seconds:6.0f} s  {'finished  ' * is_finished(plan, options.repeated)}{plan.name}")
        print(f"{len(plans)} of {num} runs")
        return
    if not options.finished:
        end_on_signals()
        repeat(plans, options.repeated, 60 * options.cpu_minutes, options.processes)
    finished = [plan for plan in plans if is_finished(plan, options.repeated)]
    if not finished:
        parser.exit(1, f"no run is finished in {options.repeated}: run the command without --finished\n")
    page = report(pairs_of(finished, options), len(plans), num, Record.of(options.repeated))
    print(page)
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_bytes(PAGE, f"{before}{BEGIN}{page}{END}{after}".encode())


def pool_of(options: argparse.Namespace) -> dict[str, list[Plan]]:
    """Return the finished runs of the first processor, by fault or by what they are used for."""
    kinds = {
        HEALTHY: all_plans(numbers_of(options.healthy)),
        LIMITS: all_plans(numbers_of(options.limits)),
        LONGER: long_plans(numbers_of(options.long)),
    } | {fault: broken_plans(numbers_of(options.faulty), fault) for fault in FAULTS}
    stems = {Path(plan.file).stem for plans in kinds.values() for plan in plans}
    unpack(ARCHIVE, options.runs, stems)
    return {
        kind: [plan for plan in plans if is_finished(plan, options.runs)] for kind, plans in kinds.items()
    }


def spread(pool: Pool, num: int) -> list[Plan]:
    """Choose ``num`` plans of a pool: of every kind one, then of each kind by its share.

    Shares are those of Sainte-Laguë. Among the plans of a kind, recipe, dataset, size and length take turns;
    the hash of a plan decides between equals, so that a larger number only adds plans.
    """
    left = {kind: sorted(plans, key=lambda plan: plan.file) for kind, plans in pool.items()}
    taken, in_kind, overall = Counter[str](), Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    chosen: list[Plan] = []
    while len(chosen) < num and any(left.values()):
        kind = max(
            (kind for kind, plans in left.items() if plans),
            key=lambda kind: (not taken[kind], len(pool[kind]) / (2 * taken[kind] + 1)),
        )
        plan = min(left[kind], key=lambda plan: (in_kind[kind, *_sort(plan)], overall[_sort(plan)[:2]]))
        left[kind].remove(plan)
        taken[kind] += 1
        in_kind[kind, *_sort(plan)] += 1
        overall[_sort(plan)[:2]] += 1
        chosen.append(plan)
    return chosen


def _sort(plan: Plan) -> tuple[Any, ...]:
    return plan.recipe, plan.data, plan.steps, plan.size


@dataclass(frozen=True)
class Record:
    """How the repeated runs of a folder were made: the processor, and the CPU seconds of every file."""

    chip: str
    cpu_seconds: dict[str, float]

    @staticmethod
    def of(folder: Path) -> "Record":
        """Read the record of a folder; of the present processor, and without runs, if there is none."""
        path = folder / "processor.json"
        if not path.is_file():
            return Record(chip_of(torch.device("cpu")), {})
        return Record(**json.loads(path.read_bytes()))

    def save(self, folder: Path) -> None:
        """Write the record of a folder."""
        write_json(folder / "processor.json", vars(self))


def repeat(plans: Sequence[Plan], folder: Path, cpu_seconds: float, processes: int) -> None:
    """Train the plans that are not finished in a folder; begin none after ``cpu_seconds`` in this call.

    Raises ``SystemExit`` if the runs of the folder were trained on another kind of processor.
    """
    record, here = Record.of(folder), chip_of(torch.device("cpu"))
    missing = [plan for plan in plans if not is_finished(plan, folder)]
    if missing and record.chip != here:
        raise SystemExit(f"{folder} holds runs of {record.chip}, and this is {here}: name another --repeated")
    make_folder(folder)
    print(f"{here}: {len(plans) - len(missing)} runs are finished, {len(missing)} to train", flush=True)
    used = 0.0
    for plan, seconds in _trained(missing, folder, cpu_seconds, processes):
        used += seconds
        record.cpu_seconds[plan.file] = round(seconds, 1)
        record.save(folder)
        print(f"{seconds:6.1f} s  {plan.name}", flush=True)
    left = sum(not is_finished(plan, folder) for plan in plans)
    print(f"{used / 60:.1f} CPU minutes; {left} runs are left", flush=True)


def _trained(
    plans: Sequence[Plan], folder: Path, cpu_seconds: float, processes: int
) -> Iterator[tuple[Plan, float]]:
    """Yield the plans with their CPU seconds as they finish; hand out none after ``cpu_seconds``."""
    waiting, used = iter(plans), 0.0
    if processes == 1:
        for plan in waiting:
            if used >= cpu_seconds:
                return
            seconds = _train((plan, folder))
            used += seconds
            yield plan, seconds
        return
    with get_context("spawn").Pool(processes) as pool, ThreadPool(processes) as threads:
        # A thread waits for each process, so that a plan is handed out only when a process is free.
        def one(plan: Plan) -> tuple[Plan, float] | None:
            nonlocal used
            if used >= cpu_seconds:
                return None
            seconds = pool.apply(_train, ((plan, folder),))
            used += seconds
            return plan, seconds

        yield from filter(None, threads.imap_unordered(one, waiting))


def _train(job: tuple[Plan, Path]) -> float:
    """Train a run, compute the quality of its images, delete these, and return the CPU seconds."""
    plan, folder = job
    begun = time.process_time()
    doctor_runs.Maker(folder)(plan)
    read(plan, folder)
    (folder / plan.file).with_suffix(".npz").unlink(missing_ok=True)
    return time.process_time() - begun


@dataclass(frozen=True)
class Pair:
    """A run on the first processor and its repetition."""

    kind: str
    before: Result
    again: Result

    @property
    def both(self) -> tuple[Result, Result]:
        """Both runs, that of the first processor first."""
        return self.before, self.again

    @property
    def ended_well(self) -> tuple[bool, bool]:
        """Whether each of the two ended well."""
        return ended_well(self.before.journal), ended_well(self.again.journal)

    @property
    def qualities(self) -> tuple[float, float]:
        """The quality of each at its end."""
        first, second = (series_of(one.journal.case(), "quality").values for one in self.both)
        return float(first[-1]), float(second[-1])

    @property
    def is_same(self) -> bool:
        """Whether all readings are equal to the last digit, as on the same processor."""
        return self.before.journal.entries == self.again.journal.entries


def pairs_of(plans: Sequence[Plan], options: argparse.Namespace) -> list[Pair]:
    """Read both runs of every plan, and diagnose them at every check."""
    limits = all_plans(numbers_of(options.limits))
    worst = worst_of([read(plan, options.runs) for plan in limits if is_finished(plan, options.runs)])
    pairs = []
    for plan in plans:
        before, again = (result_of(read(plan, folder), worst) for folder in (options.runs, options.repeated))
        is_of_limits = plan.seed in numbers_of(options.limits)
        pairs.append(Pair(plan.fault or (LIMITS if is_of_limits else HEALTHY), before, again))
    return pairs


def report(pairs: Sequence[Pair], planned: int, of_pool: int, record: Record) -> str:
    """Return the tables as Markdown."""
    minutes = sum(record.cpu_seconds.get(pair.again.journal.plan.file, 0.0) for pair in pairs) / 60
    played = "".join(f"{name}={os.environ[name]} " for name in PLAYED if name in os.environ)
    broken = [pair for pair in pairs if pair.kind in FAULTS]
    well = {
        kind: [pair for pair in pairs if pair.kind == kind and pair.ended_well == (True, True)]
        for kind in (HEALTHY, LIMITS)
    }
    sound = [pair for pair in pairs if pair.kind not in FAULTS]
    apart = [abs(before - again) for before, again in (pair.qualities for pair in pairs)]
    lines = [
        f"`{played}python tools/doctor_processor.py` on {record.chip}: {len(pairs)} of {planned} runs"
        f" repeated, of a pool of {of_pool}, in {minutes:.0f} CPU minutes;"
        f" {sum(pair.is_same for pair in pairs)} of them have the same readings to the last digit.",
        "",
        "| | runs | first processor | this one |",
        "|---|---|---|---|",
        _row("faults that show", broken, lambda one: one.shows_from is not None),
        _row("faults found in time", broken, lambda one: one.in_time),
        _row("runs without a fault that ended well", sound, lambda one: ended_well(one.journal)),
        _row("healthy runs that raise an alarm", well[HEALTHY], lambda one: bool(one.findings)),
        _row("runs of the limits that raise an alarm", well[LIMITS], lambda one: bool(one.findings)),
        "",
        f"The quality at the end differs by {median(apart):.2f} in the median run, and by at most"
        f" {max(apart):.2f}.",
        "",
        "| run | quality at the end | verdict at the end | found in time | findings on one processor only |",
        "|---|---|---|---|---|",
    ]
    for pair in pairs:
        in_time = _both(*("yes" if one.in_time else "no" for one in pair.both)) if pair in broken else ""
        lines.append(
            f"| {pair.before.journal.plan.name} | {_both(*(f'{value:.2f}' for value in pair.qualities))}"
            f" | {_both(*(one.verdicts[-1] for one in pair.both))} | {in_time}"
            f" | {', '.join(sorted(pair.before.findings.keys() ^ pair.again.findings.keys()))} |"
        )
    return "\n".join([*lines, ""])


def _row(name: str, pairs: Sequence[Pair], holds: Callable[[Result], bool]) -> str:
    """Return a row of the table: the runs for which something holds, on either processor."""
    before, again = (sum(holds(pair.both[at]) for pair in pairs) for at in (0, 1))
    return f"| {name} | {len(pairs)} | {before} | {again} |"


def _both(before: str, again: str) -> str:
    return before if before == again else f"{before}, {again}"


def end_on_signals() -> None:
    """End this program by an exception when it is interrupted, so that its processes end too."""
    for number in signals_to_handle():
        signal.signal(number, _stop)


def _stop(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
