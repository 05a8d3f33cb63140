"""``ganzfeld doctor`` on runs as they are met: well, sick, old, cut short, damaged, not to be written to."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest

from ganzfeld.health import RunEvidence
from ganzfeld.health.limits import Limit
from ganzfeld.runs import open_run
from tests.cli.test_cli import SETTINGS, call
from tests.health.cases import limits_of, turning


@pytest.fixture(scope="module")
def trained(array_file, tmp_path_factory) -> Path:
    """A run of 64 images, for its folder; its journal is replaced by what a test is about."""
    out = tmp_path_factory.mktemp("doctor")
    code, told, _ = call("train", array_file, "--images", 64, "--out", out, "--json", *SETTINGS)
    assert code == 0
    return Path(json.loads(told)["run"])


@pytest.fixture
def run(trained, tmp_path, monkeypatch) -> Path:
    """A copy of it, with limits that are easy to reckon with."""
    known = limits_of("diversity", "rhythm")
    monkeypatch.setattr("ganzfeld.runs.run.RunEvidence", partial(RunEvidence, limits=known))
    shutil.copytree(trained, tmp_path / "runs" / "blobs-001")
    return tmp_path / "runs" / "blobs-001"


def write(run: Path, diversity: list[float], num: int | None = None) -> None:
    lines = [
        json.dumps(
            {"step": 10 * number, "images_seen": 100 * number, "seconds": 1.0, "loss_generator": 0.7}
            | {"loss_discriminator": 1.4, "health": {"diversity": value}}
        )
        for number, value in enumerate(diversity, start=1)
    ]
    (run / "journal.jsonl").write_text("\n".join(lines[:num]) + "\n")


def test_a_journal_that_is_gone_is_said_to_be(run):
    write(run, [0.5] * 20)
    (run / "journal.jsonl").write_text("")
    code, told, _ = call("doctor", run)
    assert code == 0 and "the record of this run, is missing or empty" in " ".join(told.split())


def test_a_journal_that_ends_before_the_run_did(run):
    write(run, [0.5])
    metadata = json.loads((run / "run.json").read_text())
    if metadata["final"] is None:
        judged = {"images_seen": 64, "kernel_distance": 1.0, "error": 0.1, "num_samples": 60, "num_reals": 60}
        judged |= {"features": "f", "features_sha256": "0"}
        metadata["final"] = {"at_images": 640, "best": judged, "last": judged}
        (run / "run.json").write_text(json.dumps(metadata))
    code, told, _ = call("doctor", run)
    assert code == 0 and "The journal ends at 100 images" in " ".join(told.split())


def test_a_healthy_run(run):
    write(run, [0.5] * 20)
    code, told, _ = call("doctor", run)
    assert code == 0
    # 200 images are few, which is worth a word but no more.
    assert told.startswith("watch: ") and "too-few-pictures, from the beginning" in told
    assert "mode-collapse" not in told
    assert "stalled (no readings)" in " ".join(told.split())
    assert "batch-leak" not in told, "this discriminator has no statistics across the batch"


def test_a_sick_run_gets_evidence_cause_and_a_command(run, monkeypatch):
    write(run, turning(0.1))
    monkeypatch.chdir(run.parent.parent)
    code, told, _ = call("doctor", "runs/blobs-001", "--json")
    assert code == 0
    verdict = json.loads(told)
    assert verdict["verdict"] == "sick"
    finding = verdict["findings"][0]
    assert set(finding) >= {"name", "severity", "since_images", "evidence", "remedy", "cause", "command"}
    assert (finding["name"], finding["since_images"]) == ("mode-collapse", 1300)
    assert finding["evidence"][0]["figures"]["diversity"] == 0.1
    assert json.loads((run / "verdict.json").read_text())["verdict"] == "sick"
    text = call("doctor", "runs/blobs-001")[1]
    for words in ("sick: the run will not recover by itself", "mode-collapse, since 1,300 images", "cause"):
        assert words in text
    assert finding["command"] in text, "on one line, to be copied"
    assert all(len(line) <= 100 for line in text.splitlines() if "ganzfeld train" not in line)


def test_a_finding_names_the_images_that_show_it(run, monkeypatch):
    write(run, turning(0.1))
    for images_seen in (500, 1200, 1600, 2000):
        shutil.copyfile(run / "reals.png", run / "samples" / f"{images_seen}.png")
    monkeypatch.chdir(run.parent.parent)
    finding = json.loads(call("doctor", run, "--json")[1])["findings"][0]
    assert [Path(sheet).name for sheet in finding["pictures"]] == ["1200.png", "2000.png"]
    told = " ".join(call("doctor", run)[1].split())
    assert "images runs/blobs-001/samples/1200.png and runs/blobs-001/samples/2000.png" in told
    for sheet in (run / "samples").iterdir():
        sheet.unlink()
    assert "\npictures " not in call("doctor", run)[1]


def test_the_command_of_a_remedy_trains(run, monkeypatch):
    import shlex

    write(run, turning(0.1))
    monkeypatch.chdir(run.parent.parent)
    words = shlex.split(json.loads(call("doctor", run, "--json")[1])["findings"][0]["command"])
    assert words[:2] == ["ganzfeld", "train"]
    code, told, complaint = call(*words[1:], "--json")
    assert code == 0, complaint
    again = open_run(json.loads(told)["run"])
    assert again.path.name == "blobs-002"
    assert again.recipe.size == (16, 16), "the rest of the recipe is that of the run"
    weights = {each["name"]: each["weight"] for each in again.recipe.stabilisers}
    assert weights == {"r1": 0.8, "r2": 0.8}


def test_what_was_changed_is_to_be_put_back_or_else(run, monkeypatch):
    recipe = json.loads((run / "recipe.json").read_text())
    recipe["discriminator"]["optimizer"]["lr"] = 0.05
    (run / "recipe.json").write_text(json.dumps(recipe))
    write(run, turning(0.1))
    monkeypatch.chdir(run.parent.parent)
    finding = json.loads(call("doctor", run, "--json")[1])["findings"][0]
    assert finding["command"].endswith("--set discriminator.optimizer.lr=0.001")
    assert "--set discriminator.optimizer.lr=0.025" in finding["otherwise_command"]
    lines = call("doctor", run)[1].splitlines()
    for line in (
        "see it   ganzfeld lab run ring",
        f"try      {finding['command']}",
        f"or else  {finding['otherwise_command']}",
    ):
        assert line in lines


def test_remedies_that_contradict_each_other_are_told(run, monkeypatch):
    known = limits_of("full_step_generator", "checkerboard")
    monkeypatch.setattr("ganzfeld.runs.run.RunEvidence", partial(RunEvidence, limits=known))
    metadata = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(metadata | {"horizons": [[0, 1_000_000]]}))
    write(run, [0.5] * 20)
    path = run / "journal.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    for entry, small, high in zip(entries, turning(0.1), turning(0.9), strict=True):
        entry["health"] = {
            "update_ratio_generator": small,
            "weight_size_generator": 1.0,
            "checkerboard": high,
        }
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    text = " ".join(call("doctor", run)[1].split())
    assert "stalled and checkerboard change generator.optimizer.lr in opposite directions" in text
    (run / "run.json").write_text(json.dumps(metadata | {"horizons": [[0, 1200], [1200, 2000]]}))
    recipe = json.loads((run / "recipe.json").read_text())
    recipe["schedule"] |= {"decay": "linear", "floor": 0.0}
    (run / "recipe.json").write_text(json.dumps(recipe))
    assert "stalled" not in call("doctor", run, "--json")[1], "its rate has fallen as planned"


def test_a_journal_cut_in_the_middle_of_a_line(run):
    write(run, turning(0.1))
    path = run / "journal.jsonl"
    path.write_text(path.read_text()[:-20])
    code, told, _ = call("doctor", run, "--json")
    assert code == 0
    assert json.loads(told)["images_seen"] == 1900
    assert json.loads(told)["verdict"] == "sick"


def test_a_journal_with_a_broken_line_inside(run):
    write(run, turning(0.1))
    path = run / "journal.jsonl"
    path.write_text("{broken\n" + path.read_text())
    code, told, complaint = call("doctor", run, "--json")
    assert code == 5
    assert "line 1" in json.loads(told)["error"] and "line 1" in complaint


@pytest.mark.parametrize("values", [turning(0.1), [0.5] * 20])
def test_a_journal_twice_or_backwards_is_the_same_journal(run, values):
    write(run, values)
    path = run / "journal.jsonl"
    lines, verdict = path.read_text().splitlines(keepends=True), call("doctor", run, "--json")[1]
    for order in (lines[::-1], [*lines, *lines], [*lines[10:], *lines[:10]]):
        path.write_text("".join(order))
        assert call("doctor", run, "--json")[1] == verdict


def test_a_journal_with_those_of_a_run_and_its_fork(run):
    """Healthy or sick, depending on which of the two is meant."""
    write(run, [0.5] * 20)
    path = run / "journal.jsonl"
    healthy = path.read_text()
    write(run, turning(0.1))
    path.write_text(path.read_text() + healthy)
    code, told, complaint = call("doctor", run, "--json")
    assert code == 5 and "two histories" in complaint
    assert "journal.jsonl" in json.loads(told)["error"]


@pytest.mark.parametrize(
    "journal",
    ["", "".join(f'{{"step": {n}, "images_seen": {n}, "loss_generator": 1.0}}\n' for n in range(1, 30))],
    ids=["empty", "without readings"],
)
def test_who_has_seen_nothing_calls_nobody_healthy(run, journal):
    (run / "journal.jsonl").write_text(journal)
    metadata = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(metadata | {"num_pictures": 5000}))
    code, told, _ = call("doctor", run, "--json")
    assert code == 0
    assert (json.loads(told)["verdict"], json.loads(told)["findings"]) == ("early", [])
    assert {"name": "mode-collapse", "why": "diversity has no readings"} in json.loads(told)["unjudged"]
    text = call("doctor", run)[1]
    assert text.startswith("early: there are too few readings for a verdict")
    assert "healthy" not in text.lower().replace("what is healthy", "")


def test_two_readings_are_too_few(run):
    write(run, turning(0.1), num=2)
    metadata = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(metadata | {"num_pictures": 5000}))
    assert "There are too few readings" in call("doctor", run)[1]


def test_a_run_of_an_older_version(run):
    """Its facts know nothing of duplicates."""
    metadata = json.loads((run / "run.json").read_text())
    del metadata["num_duplicates"]
    (run / "run.json").write_text(json.dumps(metadata))
    assert call("doctor", run)[0] == 0


def test_no_run(tmp_path):
    code, told, complaint = call("doctor", tmp_path / "nowhere")
    assert (code, told) == (2, "")
    assert "there is no run at" in complaint


@pytest.mark.parametrize("name", ["run.json", "recipe.json"])
def test_damaged_files(run, name):
    (run / name).write_text("{")
    code, told, complaint = call("doctor", run, "--json")
    assert code == 5
    assert name.split(".")[0] in complaint and set(json.loads(told)) == {"error", "hint"}


def test_a_verdict_that_cannot_be_written_is_told(run):
    write(run, turning(0.1))
    (run / "verdict.json").unlink(missing_ok=True)
    (run / "verdict.json").mkdir()
    code, told, complaint = call("doctor", run, "--json")
    assert (code, json.loads(told)["verdict"]) == (0, "sick")
    assert "verdict.json was not written" in complaint


def test_names_cannot_reach_the_terminal(run):
    other = run.with_name("a\x1b[31m-001")
    run.rename(other)
    write(other, turning(0.1))
    assert "\x1b" not in call("doctor", other)[1]


def test_train_ends_with_the_verdict(array_file, tmp_path, monkeypatch):
    wide = {"diversity": (Limit(0.0, 1e9, 1.0, 40),)}
    monkeypatch.setattr("ganzfeld.runs.run.RunEvidence", partial(RunEvidence, limits=wide))
    code, told, _ = call("train", array_file, "--images", 64, "--out", tmp_path, *SETTINGS)
    assert code == 0
    assert "verdict  watch: too-few-pictures; ganzfeld doctor " in told
    assert json.loads((tmp_path / "blobs-001" / "verdict.json").read_text())["verdict"] == "watch"
