"""Measure how well looking inside works, over several runs, and write the table into docs/inside.md.

    python tools/inside_table.py ROW [ROW ...] --seeds 0 1 2 [--runs FOLDER] [--show] [--again]

A ROW is walk, arithmetic, directions, inversion, completion, anomaly, anomaly-fashion or features; it fills
the block of that name with means over the runs, Student's intervals, and what was aimed at. Runs that are
missing are trained: on the built-in faces, into FOLDER/seed-N/; for features on Fashion-MNIST, into
FOLDER/fashion-N/; for anomaly-fashion on its class N modulo 10, into FOLDER/class-N/. An interrupted run is
resumed. The figures of each row and seed are kept in FOLDER/figures/ and not measured again, unless the
networks are others or ``--again`` is given. So the command can be interrupted and repeated, and two can
divide the seeds: ``--seeds 0 --show`` beside ``--seeds 1 2 --show``, and then ``--seeds 0 1 2``.

Everything is computed in one thread, unless OMP_NUM_THREADS says otherwise: figures then do not depend on
the number of cores, and threads that wait for each other on a busy machine take ten times as long.
"""

import argparse
import json
import math
import os
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

from inside_rows import AIMS, ROWS, Figures
from inside_runs import identity, kind_of, trained

import ganzfeld as gz
from ganzfeld.durable import write_bytes
from ganzfeld.errors import GanzfeldError, Interrupted
from ganzfeld.progress import tell

PAGE = Path(__file__).parents[1] / "docs" / "inside.md"
STUDENT_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""The 97.5 % quantile of Student's distribution, by the number of runs."""


@dataclass(frozen=True)
class Measured:
    """The figures of a row on one run, the networks they are of, and the processor time they took."""

    row: str
    seed: int
    identity: str
    images_seen: int
    processor_s: float
    figures: Figures


def measured(row: str, seed: int, run: gz.Run, kept: Path, *, again: bool = False) -> Measured:
    """Return the figures of a row on a run: those in the folder ``kept``, or measured now and put there."""
    path, networks = kept / f"{row}-{seed}.json", identity(run)
    before = None if again else read_measured(path)
    if before is not None and before.identity == networks:
        tell(f"{row}, seed {seed}: measured before")
        return before
    tell(f"{row}, seed {seed}")
    begun = time.process_time()
    figures = {name: float(value) for name, value in ROWS[row](run).items()}
    seconds = time.process_time() - begun
    result = Measured(row, seed, networks, run.model.card.images_seen, round(seconds, 1), figures)
    kept.mkdir(parents=True, exist_ok=True)
    write_bytes(path, json.dumps(asdict(result), indent=1).encode())
    return result


def read_measured(path: Path) -> Measured | None:
    """Read kept figures; None if there are none, or the file cannot be read."""
    try:
        return Measured(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def table(rows: Sequence[Figures]) -> str:
    """Return a Markdown table of the figures of several runs: mean, 95 % interval, the runs, and the aim."""
    lines = ["| | mean | 95 % interval over runs | each run | aim |", "|---|---|---|---|---|"]
    for name in rows[0]:
        values = [figures[name] for figures in rows]
        mean, interval = statistics.fmean(values), "-"
        digits = 3 if max(map(abs, values)) < 2 else 2
        if len(values) in STUDENT_975 and all(map(math.isfinite, values)):
            half = STUDENT_975[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
            interval = f"{mean - half:.{digits}f} to {mean + half:.{digits}f}"
        runs = ", ".join(f"{value:.{digits}f}" for value in values)
        lines.append(f"| {name} | {mean:.{digits}f} | {interval} | {runs} | {aim_of(name, mean)} |")
    return "\n".join(lines)


def aim_of(name: str, mean: float) -> str:
    """Return what was aimed at for a figure, and whether the mean over the runs reaches it."""
    if name not in AIMS:
        return ""
    relation, number = AIMS[name]
    reached = mean >= number if relation == "at least" else mean <= number
    return f"{relation} {number:g}: {'reached' if reached else 'missed'}"


def note(row: str, results: Sequence[Measured]) -> str:
    """Return what the figures were measured on, with what cost and by which command."""
    seeds = " ".join(str(result.seed) for result in results)
    seen = ", ".join(f"{result.images_seen:,}" for result in results)
    seconds = statistics.fmean(result.processor_s for result in results)
    cost = f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
    return (
        f"Runs on {kind_of(row).described}, whose models had seen {seen} images; {cost} of processor time for"
        f" each in one thread: `python tools/inside_table.py {row} --seeds {seeds}`"
    )


def filled(page: str, row: str, text: str) -> str:
    """Return a page with the block of a row replaced. Raises ``ValueError`` if there is no such block."""
    block = re.compile(rf"(<!-- {row} -->\n).*?(<!-- end of {row} -->)", re.DOTALL)
    if not block.search(page):
        raise ValueError(f"docs/inside.md has no block {row}")
    return block.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page)


def main() -> None:
    """Train what is missing, measure, and write."""
    parser = argparse.ArgumentParser(description="Figures of docs/inside.md.")
    parser.add_argument("rows", nargs="+", choices=list(ROWS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs/inside"))
    parser.add_argument("--images", type=int, help="images to train on, in place of those of inside_runs.py")
    parser.add_argument("--show", action="store_true", help="print the tables instead of writing the page")
    parser.add_argument("--again", action="store_true", help="measure again what was measured before")
    options = parser.parse_args()
    failed = [row for row in options.rows if not _is_written(row, options)]
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}; the same command tries again")


def _is_written(row: str, options: argparse.Namespace) -> bool:
    """Measure a row and write its table; say what is wrong and return False if that cannot be done."""
    try:
        runs = [trained(options.runs, kind_of(row), seed, options.images) for seed in options.seeds]
        results = [
            measured(row, seed, run, options.runs / "figures", again=options.again)
            for seed, run in zip(options.seeds, runs, strict=True)
        ]
    except Interrupted as signal:
        tell(signal.message)
        raise SystemExit(signal.exit_code) from None
    except GanzfeldError as error:
        tell(f"{row}: {error.message} {error.hint}")
        return False
    text = f"{table([result.figures for result in results])}\n\n{note(row, results)}"
    if options.show:
        sys.stdout.write(f"{text}\n\n")
    else:
        page = filled(PAGE.read_text(encoding="utf-8"), row, f"\n{text}\n")
        write_bytes(PAGE, page.encode())
    return True


if __name__ == "__main__":
    main()
