"""``tools/on_gpu.sh`` where there is no GPU: it ends, says what it left out, and keeps what it found."""

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ganzfeld.training.tuning.batches import LEAST_MINUTES

ROOT = Path(__file__).parents[1]
PATIENCE_S = 240.0


@pytest.fixture(scope="module")
def tool():
    sys.path.insert(0, str(ROOT / "tools"))
    yield importlib.import_module("on_gpu")
    sys.path.remove(str(ROOT / "tools"))


@pytest.fixture
def session(tool, tmp_path):
    return tool.Session(tmp_path, time.monotonic() + PATIENCE_S)


def part(tool, code: str, limit_s: float = PATIENCE_S, **more):
    """A part that is a line of Python."""
    command = [sys.executable, "-c", code]
    return tool.Part("part", "A part", command, limit_s, tool.last_json, needs_gpu=False, **more)


def found(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "results.json").read_text())["part"]


def test_it_runs_to_its_end_without_a_gpu(tmp_path):
    environment = os.environ | {"PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    command = ["bash", str(ROOT / "tools" / "on_gpu.sh"), str(tmp_path / "out")]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results.pop("machine")["status"] == "done"
    assert {"tests", "train-modern-1024", "sample", "quality", "quality-128-20s", "profile"} <= set(results)
    for each in results.values():
        assert (each["status"], each["reason"]) == (
            "skipped",
            "torch finds no CUDA device on this machine",
        )
    page = (tmp_path / "out" / "results.md").read_text()
    assert "no GPU" in page and "| tests | skipped |" in page
    assert len(list((tmp_path / "out").iterdir())) <= 8


def test_without_an_output_folder_it_says_how_it_is_used():
    ended = subprocess.run(["bash", str(ROOT / "tools" / "on_gpu.sh")], capture_output=True, text=True)
    assert ended.returncode == 2 and "OUT" in ended.stderr


def test_what_a_part_finds_is_written_at_once(tool, session, tmp_path):
    tool.attempt(part(tool, "print('a word'); print('{\"speed\": 3}')"), session, tmp_path)
    assert found(tmp_path)["result"] == {"speed": 3} and found(tmp_path)["status"] == "done"
    assert "a word" in (tmp_path / "log.txt").read_text()


def test_of_a_part_that_fails_the_end_of_its_output_is_kept(tool, session, tmp_path):
    tool.attempt(
        part(tool, "print('{\"speed\": 3}'); raise SystemExit('no memory')"), session, tmp_path, False
    )
    assert found(tmp_path)["status"] == "failed" and found(tmp_path)["reason"] == "exit 1"
    assert found(tmp_path)["tail"][-1] == "no memory"
    assert found(tmp_path)["result"] == {"speed": 3}, "what it had found before"


def test_a_part_that_fails_is_made_otherwise(tool, session, tmp_path):
    other = replace(part(tool, "print('{\"speed\": 1}')"), name="other")
    tool.attempt(part(tool, "raise SystemExit(3)", otherwise=other), session, tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["part"]["status"], results["other"]["status"]) == ("failed", "done")
    tool.attempt(part(tool, "print('{}')", otherwise=replace(other, name="third")), session, tmp_path)
    assert "third" not in json.loads((tmp_path / "results.json").read_text())


def test_results_that_make_no_table_are_kept(tool, session, tmp_path):
    tool.attempt(part(tool, "print('{\"looks\": [[1]]}')"), session, tmp_path)
    assert found(tmp_path)["result"] == {"looks": [[1]]}
    assert "see results.json" in (tmp_path / "results.md").read_text()


def test_of_a_part_that_says_nothing_that_is_told(tool, session, tmp_path):
    tool.attempt(part(tool, "pass"), session, tmp_path)
    assert found(tmp_path)["status"] == "failed" and "could not be read" in found(tmp_path)["reason"]


def test_a_part_that_hangs_is_ended_with_all_that_it_started(tool, session, tmp_path):
    stubborn = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
    code = (
        "import subprocess, sys, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        f"child = subprocess.Popen([sys.executable, '-c', {stubborn!r}]);"
        "print('{\"child\": %d}' % child.pid, flush=True); time.sleep(600)"
    )
    tool.attempt(part(tool, code, limit_s=5.0, grace_s=0.2), session, tmp_path)
    assert found(tmp_path)["status"] == "failed" and "stopped after" in found(tmp_path)["reason"]
    status = Path(f"/proc/{found(tmp_path)['result']['child']}/stat")
    for _ in range(200):
        if not status.exists() or status.read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("its child goes on")


def test_a_part_may_say_what_it_has_when_its_time_is_over(tool, session, tmp_path):
    code = "import time\ntry:\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    print('{\"reached\": 7}')"
    tool.attempt(part(tool, code, limit_s=5.0), session, tmp_path)
    assert found(tmp_path)["status"] == "failed" and found(tmp_path)["result"] == {"reached": 7}


def test_the_longer_run_is_one_that_the_scaling_rule_fits_and_all_fit_into_the_time(tool, tmp_path):
    parts = {part.name: part for part in tool.parts_of(tmp_path, tmp_path, rehearse=False)}
    command = parts["quality"].command
    assert float(command[command.index("--minutes") + 1]) >= LEAST_MINUTES and "--batch" not in command
    # On an H200 a run took 24 s more than its minutes, all other parts 235 s. The rule measures for 30 s.
    runs = [part.command for part in parts.values() if "--minutes" in part.command]
    training_s = sum(60 * float(command[command.index("--minutes") + 1]) + 24 for command in runs)
    assert 235 + 30 + training_s < 460


def test_where_torch_cannot_be_used_that_is_the_reason(tool):
    assert tool.why_no_gpu({"result": {"cuda": True}}) == ""
    assert "no CUDA device" in tool.why_no_gpu({"result": {"cuda": False}})
    assert "see the part machine" in tool.why_no_gpu({"result": None, "status": "failed"})


def test_no_part_is_begun_when_the_time_is_over(tool, tmp_path):
    session = tool.Session(tmp_path, time.monotonic() + 5)
    tool.attempt(part(tool, "print('{}')"), session, tmp_path)
    assert found(tmp_path)["status"] == "skipped" and "left" in found(tmp_path)["reason"]


@pytest.mark.parametrize("plugin", [[], ["-p", "xdist.plugin", "-n", "1"]], ids=["one", "xdist"])
def test_what_tests_came_to_is_read(tool, session, tmp_path, plugin):
    """From the output of pytest itself."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('name', ['a b-c', 'a b-d'])\n"
        "def test_good(name): print('8 levels at most')\n"
        "def test_bad(): assert 1 == 2, 'not so'\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-vv",
        "-rP",
        "--tb=short",
        "--rootdir",
        str(tmp_path),
        *plugin,
    ]
    environment = tool.environment(tmp_path)
    ended = subprocess.run([*command, "tests"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    read = tool.tests_read(tool.Finished(ended.stdout, ended.stderr, ended.returncode, 1.0))
    assert read["counts"] == {"failed": 1, "passed": 2}, ended.stdout
    assert read["failed"] == ["tests/test_it.py::test_bad"]
    assert any("not so" in line for line in read["why"])
    assert read["measured"], ended.stdout
    session.note(tool.tests_part(), status="failed", reason="exit 1", seconds=1.0, result=read)
    assert "| tests | failed | 1.0 | exit 1, 1 failed, 2 passed |" in (tmp_path / "results.md").read_text()
