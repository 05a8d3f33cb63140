"""Runs of the doctor on another kind of processor: which are repeated, and how both are compared."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.health.conftest import TOOLS
from tests.health.journals import journal


def plans(tools, fault: str = "", seeds: int = 2, sets=("faces", "fashion"), recipes=("modern", "seed")):
    make = tools["runs"].Plan
    return [make(data, recipe, seed, fault) for seed in range(seeds) for data in sets for recipe in recipes]


def test_every_fault_is_repeated_and_the_others_by_their_share(tools):
    faults = list(tools["runs"].FAULTS)
    pool = {fault: plans(tools, fault) for fault in faults} | {
        "healthy": plans(tools, seeds=20),
        "of the limits": [replace(plan, seed=plan.seed + 100) for plan in plans(tools, seeds=10)],
    }
    chosen = tools["processor"].spread(pool, 40)
    assert len(set(chosen)) == 40
    kinds = Counter(plan.fault or ("limits" if plan.seed >= 100 else "healthy") for plan in chosen)
    assert set(kinds) == {*faults, "limits", "healthy"}
    assert kinds["healthy"] > kinds["limits"] > max(kinds[fault] for fault in faults)
    healthy = Counter((plan.recipe, plan.data) for plan in chosen if not plan.fault and plan.seed < 100)
    assert len(healthy) == 4 and max(healthy.values()) - min(healthy.values()) <= 1
    overall = Counter((plan.recipe, plan.data) for plan in chosen)
    assert len(overall) == 4 and max(overall.values()) - min(overall.values()) <= 2
    assert tools["processor"].spread(pool, 20) == chosen[:20], "a larger number only adds runs"
    assert len(tools["processor"].spread({"healthy": plans(tools)}, 99)) == 8


def test_runs_are_repeated_until_the_cpu_time_is_used_and_then_continued(tools, brief, tmp_path, capsys):
    runs, processor = tools["runs"], tools["processor"]
    wanted = [runs.Plan("blobs", "radford2015", seed, num_steps=4, setup=brief) for seed in (0, 1)]
    processor.repeat(wanted, tmp_path / "again", 1e-6, 1)
    assert [runs.is_finished(plan, tmp_path / "again") for plan in wanted] == [True, False]
    assert not list((tmp_path / "again").glob("*.npz")), "images are not kept"
    assert "1 runs are left" in capsys.readouterr().out
    before = runs.read(wanted[0], tmp_path / "again")
    processor.repeat(wanted, tmp_path / "again", 1e9, 1)
    assert all(runs.is_finished(plan, tmp_path / "again") for plan in wanted)
    assert runs.read(wanted[0], tmp_path / "again") == before
    record = processor.Record.of(tmp_path / "again")
    assert set(record.cpu_seconds) == {plan.file for plan in wanted}
    processor.Record("another processor", record.cpu_seconds).save(tmp_path / "again")
    processor.repeat(wanted, tmp_path / "again", 1e9, 1)
    with pytest.raises(SystemExit, match="holds runs of another processor"):
        processor.repeat([*wanted, replace(wanted[0], seed=2)], tmp_path / "again", 1e9, 1)


def test_both_processors_are_compared(tools, monkeypatch):
    processor, suite, faults = tools["processor"], tools["suite"], ("k3 s2", "one kind of image")
    monkeypatch.setattr(processor, "ended_well", lambda made: True)
    monkeypatch.setattr(processor.Pair, "qualities", property(lambda pair: (0.5, 0.75)))

    def result(fault: str, findings: dict[str, int], variety: float = 0.5):
        made = journal(tools, fault, [variety] * 40, [0.1] * 40)
        named = tuple(frozenset(n for n, first in findings.items() if look >= first) for look in range(1, 41))
        return suite.Result(made, named, 4, ("watch" if findings else "healthy",) * 40)

    pairs = [
        processor.Pair(faults[0], result(faults[0], {"checkerboard": 3}), result(faults[0], {}, 0.6)),
        processor.Pair(faults[1], *2 * [result(faults[1], {"mode-collapse": 5})]),
        processor.Pair("healthy", result("", {}), result("", {"stalled": 7}, 0.6)),
    ]
    record = processor.Record("i8086", {pair.again.journal.plan.file: 60.0 for pair in pairs})
    page = processor.report(pairs, 28, 275, record)
    assert (
        "on i8086: 3 of 28 runs repeated, of a pool of 275, in 3 CPU minutes; 1 of them have the same" in page
    )
    assert "| faults found in time | 2 | 2 | 1 |" in page
    assert "| healthy runs that raise an alarm | 1 | 0 | 1 |" in page
    assert "| runs of the limits that raise an alarm | 0 | 0 | 0 |" in page
    assert "k3 s2, modern on faces, seed 0 | 0.50, 0.75 | watch, healthy | yes, no | checkerboard |" in page
    assert "one kind of image, modern on faces, seed 0 | 0.50, 0.75 | watch | yes |  |" in page


PROGRAM = """
import signal, sys
sys.path.insert(0, {tools!r})
import doctor_processor, doctor_runs
from pathlib import Path

if __name__ == "__main__":
    doctor_processor.end_on_signals()
    setup = doctor_runs.Setup({{"blobs": {data!r}}}, small=doctor_runs.SMALL | {{"size": 16}})
    make = doctor_runs.Plan
    plans = [make("blobs", "modern", seed, num_steps=10**6, setup=setup) for seed in range(3)]
    doctor_processor.repeat(plans, Path("again"), 1e9, 2)
"""


@pytest.mark.thorough
def test_an_interrupted_command_leaves_no_process(array_file, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM.format(tools=str(TOOLS), data=str(array_file)))
    command = [sys.executable, "program.py"]
    with subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        while busy(process.pid) < 2:
            assert process.poll() is None
            time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
        while busy(process.pid):
            time.sleep(0.2)


def busy(session: int) -> int:
    """Return how many other processes of a session have used two seconds of processor time."""
    number = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            number += int(fields[3]) == session != int(folder.name) and seconds > 2 and fields[0] != "Z"
    return number
