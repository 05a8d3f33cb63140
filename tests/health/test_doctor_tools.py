"""The tools behind ``docs/doctor.md``: every fault can be planted, and the tables count correctly."""

import argparse
import importlib
import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganzfeld.health.limits import Limit, limit_at
from ganzfeld.health.limits import limits as limits_that_ship
from tests.health.conftest import TOOLS
from tests.health.journals import journal


def names_of_faults() -> list[str]:
    text = (TOOLS / "doctor_runs.py").read_text(encoding="utf-8")
    return [line.split('"')[1] for line in text.splitlines() if line.startswith('    "') and "Fault(" in line]


def test_there_are_a_dozen_faults(tools):
    assert names_of_faults() == list(tools["runs"].FAULTS)
    assert len(tools["runs"].FAULTS) >= 12
    found = {name for fault in tools["runs"].FAULTS.values() for name in fault.expected}
    detectors = importlib.import_module("ganzfeld.health.detectors").detectors
    assert found <= set(detectors.names())


@pytest.mark.parametrize("fault", names_of_faults())
def test_every_fault_can_be_planted_and_changes_the_training(tools, brief, fault, tmp_path):
    runs = tools["runs"]
    data, recipe = "blobs", "radford2015"
    if runs.FAULTS[fault].by_class:
        data, recipe = "two", "modern"
        write_two_kinds(tmp_path / "two")
    healthy, broken = (
        runs.train_one(runs.Plan(data, recipe, 0, planted, num_steps=4, setup=brief))[0]
        for planted in ("", fault)
    )
    assert [entry["step"] for entry in broken.entries][:1] == [2]
    assert broken.entries[-1]["health"] != healthy.entries[-1]["health"]
    assert set(broken.entries[-1]["compared"]) == {"pixels", "spectrum", "kernel", "missing", "copied"}
    assert json.loads(json.dumps(broken.entries, allow_nan=False)) == broken.entries
    assert broken.case().images_seen == 8 * broken.entries[-1]["step"]


def test_limits_hold_every_healthy_run_and_leave_room(tools):
    limits = tools["limits"]
    healthy = [journal(tools, "", [0.8 + 0.01 * seed] * 40, [0.1] * 40, seed) for seed in range(12)]
    found = limits.limits_of(healthy)["diversity"]
    kinds = ["", "modern relativistic-pairing"]
    phases = [(limit["recipe"], limit["width"], limit["from_step"]) for limit in found]
    assert phases == [
        (kind, width, step) for kind in kinds for width in (0, 16) for step in (64, 128, 256, 512)
    ]
    for limit in found:
        assert limit["num_runs"] == 12 and limit["share"] == 1.0
        # The least room on a logarithmic scale; the median run is at 0.855.
        assert limit["low"] == pytest.approx(0.855 * 2.718281828**-0.5, rel=1e-3)
    few = limits.limits_of(healthy[:5])
    assert few == {}


def test_longer_trainings_say_what_is_usual_later_in_their_recipe(tools):
    def longer(seed: int, num_steps: int = 4000):
        made = journal(tools, "", [0.2] * 40, [0.1] * 40, seed)
        for look, entry in enumerate(made.entries, start=1):
            entry["step"] = num_steps // 40 * look
        return replace(made, plan=replace(made.plan, num_steps=num_steps))

    healthy = [journal(tools, "", [0.8] * 40, [0.1] * 40, seed) for seed in range(8)]
    found = tools["limits"].limits_of([*healthy, *map(longer, range(8))])["diversity"]
    early = [limit for limit in found if limit["from_step"] < 1024]
    late = [limit for limit in found if limit["from_step"] >= 1024 and not limit["width"]]
    assert {limit["recipe"] for limit in early} == {"", "modern relativistic-pairing"}
    assert all(limit["low"] > 0.4 for limit in early), "what is later usual is not taken for what is early"
    assert [(limit["recipe"], limit["from_step"]) for limit in late] == [
        ("modern relativistic-pairing", 1024),
        ("modern relativistic-pairing", 2048),
    ], "no phase that none has come to"
    assert all(0.1 < limit["low"] < 0.2 for limit in late)
    made = [*healthy, *map(longer, range(8)), longer(8, 8000)]
    latest = tools["limits"].limits_of(made)["diversity"][-1]
    assert latest["from_step"] == 4096
    assert latest["num_runs"] == 9, "the later half speaks for what comes after the end"


def test_what_wide_networks_show_is_no_limit_of_narrow_ones(tools):
    def wide(seed: int):
        made = journal(tools, "", [0.2] * 40, [0.1] * 40, seed)
        return replace(made, plan=replace(made.plan, size=64))

    healthy = [journal(tools, "", [0.8] * 40, [0.1] * 40, seed) for seed in range(8)]
    found = tools["limits"].limits_of([*healthy, *map(wide, range(4))])["diversity"]
    known = {"diversity": [Limit(**limit) for limit in found]}
    for width, least in ((8, 0.4), (15, 0.4), (16, 0.1), (64, 0.1)):
        limit = limit_at(known, "diversity", 300, "modern relativistic-pairing", width)
        assert limit and least < limit.low < 2 * least
        assert limit.num_runs == (8 if width < 16 else 12)


def test_what_some_recipes_show_is_no_limit_of_all(tools):
    def of(recipe: str, seed: int, looks: slice):
        made = journal(tools, "", [0.8] * 40, [0.1] * 40, seed)
        fields = made.recipe | {"name": recipe}
        return replace(
            made, plan=replace(made.plan, recipe=recipe), recipe=fields, entries=made.entries[looks]
        )

    made = [of("modern", seed, slice(20, None)) for seed in range(8)]
    made += [of("seed", seed, slice(None)) for seed in range(8)]
    found = tools["limits"].limits_of(made)["diversity"]
    phases = {kind: [each["from_step"] for each in found if each["recipe"] == kind] for kind in ("", "seed")}
    assert 64 not in phases[""] and 512 in phases[""]


@pytest.mark.parametrize("recipe", ["modern", "seed"])
def test_a_healthy_run_of_an_unknown_recipe_has_the_logits_of_any_recipe(tools, recipe):
    """Logits of modern are ten times as large as those of seed."""
    sizes = {"modern": 30.0, "radford2015": 6.0, "seed": 3.0}
    healthy = []
    for name, size in sizes.items():
        for seed in range(8):
            made = journal(tools, "", [0.8] * 40, [0.1] * 40, seed)
            for entry in made.entries:
                entry["health"] |= {"logit_size": size, "batch_leak": size}
            fields, plan = made.recipe | {"name": name}, replace(made.plan, recipe=name)
            healthy.append(replace(made, recipe=fields, plan=plan))
    limits = tools["limits"].limits_of(healthy)
    for reading in ("logit_size", "batch_leak"):
        of_all = [limit for limit in limits[reading] if not limit["recipe"]]
        assert of_all and all(limit["low"] < sizes[recipe] < limit["high"] for limit in of_all)
        assert all(limit["share"] == 1.0 for limit in of_all)


def test_no_healthy_run_is_outside_the_limits_that_ship():
    for name, by_phase in limits_that_ship().items():
        assert all(limit.share == 1.0 for limit in by_phase), name


def test_a_perfect_generator_is_within_the_limits_of_what_it_shows(tools):
    made = [journal(tools, "", [0.8] * 40, [0.1] * 40, seed) for seed in range(8)]
    for each in made:
        for entry in each.entries:
            entry["health"]["memorised"] = 0.0
    odds = 0.05 / 0.95 * 2.718281828
    highs = [limit["high"] for limit in tools["limits"].limits_of(made)["memorised"]]
    assert highs and highs == pytest.approx([odds / (1 + odds)] * len(highs), rel=1e-3)


def test_trainings_with_networks_of_their_own(tools):
    runs = tools["runs"]
    small, whole = (runs.Plan("faces", "radford2015", 0, size=each) for each in (None, 64))
    assert small.file != whole.file and whole.name == f"{small.name}, its own networks at 64 px"
    resolve = importlib.import_module("ganzfeld.recipes").resolve
    assert resolve("radford2015", whole.settings) == resolve("radford2015")
    assert resolve("radford2015", small.settings).generator.width == 8


def test_the_page_says_with_how_many_runs_the_limits_were_measured():
    shipped = files("ganzfeld.health") / "limits.json"
    source = json.loads(shipped.read_text(encoding="utf-8"))["source"]
    (number,) = re.findall(r"\d+ of \d+ runs", source)
    page = (TOOLS.parent / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert f"These are {number} with 40 readings each" in page


def test_trainings_by_class_have_limits_of_their_own(tools):
    def by_class(seed: int):
        made = journal(tools, "", [0.2] * 40, [0.1] * 40, seed)
        for entry in made.entries:
            entry["health"]["class_diversity_worst"] = 0.5
        return replace(made, plan=replace(made.plan, data="fashion by class"))

    healthy = [journal(tools, "", [0.8] * 40, [0.1] * 40, seed) for seed in range(8)]
    other = [
        replace(each, recipe=each.recipe | {"name": "seed"}, plan=replace(each.plan, recipe="seed"))
        for each in healthy
    ]
    found = tools["limits"].limits_of([*healthy, *other, *map(by_class, range(8))])
    worst = found["class_diversity_worst"]
    assert {(each["recipe"], each["by_class"]) for each in worst} == {
        ("", True),
        ("modern relativistic-pairing", True),
    }
    assert worst[0]["low"] == pytest.approx(0.5 * 2.718281828**-0.5, rel=1e-3)
    for limit in found["diversity"]:
        assert limit["by_class"] == (limit["low"] < 0.2), "those without count, but not the other way round"
        assert limit["by_class"] or limit["low"] > 0.4
    kinds = {limit["recipe"] for limit in found["diversity"] if limit["by_class"]}
    assert kinds == {"", "modern relativistic-pairing"}, "of the other recipe none by class was seen"


def write_two_kinds(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), np.uint8)
    for number, image in enumerate(pixels):
        kind = folder / f"kind-{number % 2}"
        kind.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(kind / f"{number}.png")


def test_a_training_by_class_is_compared_and_read(tools, brief, tmp_path):
    write_two_kinds(tmp_path / "two")
    made, images = tools["runs"].train_one(tools["runs"].Plan("two", "modern", 0, num_steps=4, setup=brief))
    assert images.shape == (3, tools["runs"].NUM_STORED, 16, 16, 3)
    assert (images[0] != images[1]).any() and (images[1] != images[2]).any()
    assert made.recipe["classes"] == "projection"
    assert "class_diversity_worst" in made.entries[-1]["health"] and made.entries[-1]["compared"]


def test_finished_runs_are_read_again_with_their_images(tools, brief, tmp_path):
    runs = tools["runs"]
    plan = runs.Plan("blobs", "radford2015", 0, num_steps=4, setup=brief)
    (trained,) = runs.train_all([plan], tmp_path / "runs", 1)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    (again,) = runs.train_all([plan], tmp_path / "runs", 1)
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    assert again == trained and [entry["step"] for entry in again.entries] == [2, 4]
    assert runs.stored_images(plan, tmp_path / "runs").shape == (3, runs.NUM_STORED, 16, 16, 3)


def test_shares_at_an_end_have_no_limit_there(tools):
    limits = tools["limits"]
    ends = [journal(tools, "", [0.5] * 40, [0.1] * 40, seed) for seed in range(12)]
    for each in ends:
        for entry in each.entries:
            entry["health"] = {"separation": 1.0, "dead_generator": 0.0}
    found = limits.limits_of(ends)
    assert found["separation"][0]["high"] == 1.0
    assert 0.9 < found["separation"][0]["low"] < 0.98
    assert found["dead_generator"][0]["low"] == 0.0
    assert 0.02 < found["dead_generator"][0]["high"] < 0.1


def test_a_fault_shows_from_where_it_stays_worse_than_all_healthy_runs(tools, monkeypatch):
    suite, limits = tools["suite"], tools["limits"]
    healthy = [journal(tools, "", [0.8 + 0.01 * seed] * 40, [0.1] * 40, seed) for seed in range(12)]
    measured = {
        name: [importlib.import_module("ganzfeld.health.limits").Limit(**each) for each in by_phase]
        for name, by_phase in limits.limits_of(healthy).items()
    }
    case = tools["runs"].Journal.case
    monkeypatch.setattr(tools["runs"].Journal, "case", lambda self: replace(case(self), limits=measured))
    worst = suite.worst_of(healthy)
    distances = [0.1] * 5 + [0.2] + [0.1] * 14 + [0.2] * 20
    sick = journal(tools, "one kind of image", [0.8] * 21 + [0.1] * 19, distances)
    result = suite.result_of(sick, worst)
    assert (result.shows_from, result.found_at, result.in_time) == (21, 24, True)
    late = suite.result_of(journal(tools, "one kind of image", [0.8] * 30 + [0.1] * 10, distances), worst)
    assert (late.shows_from, late.found_at, late.in_time) == (21, 33, False)
    other = suite.result_of(journal(tools, "k3 s2", [0.8] * 21 + [0.1] * 19, distances), worst)
    assert (other.shows_from, other.found_at) == (21, None)
    silent = suite.result_of(journal(tools, "k3 s2", [0.8] * 40, [0.1] * 40), worst)
    assert silent.shows_from is None
    ended = suite.result_of(journal(tools, "exploding lr", [0.8] * 3, [0.1] * 3), worst)
    assert ended.shows_from == 3
    well = suite.result_of(journal(tools, "", [0.8] * 40, [0.1] * 40, seed=50), worst)
    badly = suite.result_of(journal(tools, "", [0.1] * 40, [0.1] * 40, seed=51), worst)
    monkeypatch.setattr(suite, "ended_well", lambda made: made is not badly.journal)
    options = argparse.Namespace(faulty="0", healthy="50", limits="0-11", finished=False)
    page = suite.report([result, late, other, silent], [well, badly], options)
    assert "**1 of 3** faults that show" in page and "1 of 4 broken runs never show a fault" in page
    assert "**0 of 1** healthy runs raise an alarm" in page
    assert "Further 1 runs without a planted fault did not end well; 1 of them raise one." in page
    assert "| one kind of image | 2 | **2** |" in page


def test_packed_runs_need_no_training(tools, brief, tmp_path):
    runs, archive = tools["runs"], tools["archive"]
    plan, packed = runs.Plan("blobs", "modern", 0, num_steps=4, setup=brief), tmp_path / "runs.tar.xz"
    (tmp_path / "here").mkdir()
    runs.Maker(tmp_path / "here")(plan)
    journal = runs.read(plan, tmp_path / "here")
    assert archive.pack(tmp_path / "here", packed) == 1
    archive.unpack(packed, tmp_path / "there")
    assert not list((tmp_path / "there").glob("*.npz"))
    assert runs.is_finished(plan, tmp_path / "there")
    again = runs.read(plan, tmp_path / "there")
    assert archive.rounded(again.entries) == archive.rounded(journal.entries)
    assert again.case().images_seen == journal.case().images_seen
    assert not runs.is_finished(replace(plan, seed=1), tmp_path / "there")


def test_packing_keeps_earlier_runs_and_what_a_folder_holds(tools, tmp_path):
    archive = tools["archive"]
    for name, value in (("one", 1.23456789), ("two", 2.0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.json").write_text(json.dumps({"value": value}))
        archive.pack(tmp_path / name, tmp_path / "runs.tar.xz")
    (tmp_path / "two" / "one.json").write_text("{}")
    archive.unpack(tmp_path / "runs.tar.xz", tmp_path / "two")
    assert (tmp_path / "two" / "one.json").read_text() == "{}"
    archive.unpack(tmp_path / "runs.tar.xz", tmp_path / "three")
    values = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "three").iterdir()}
    assert values == {"one": {"value": 1.23457}, "two": {"value": 2.0}}


def test_a_run_whose_quality_is_computed_otherwise_now_is_not_finished(tools, brief, tmp_path):
    runs = tools["runs"]
    plan = runs.Plan("blobs", "modern", 0, num_steps=4, setup=brief)
    (tmp_path / plan.file).write_text("{}")
    (tmp_path / plan.file).with_suffix(".0123456789ab.quality").write_text("[]")
    assert not runs.is_finished(plan, tmp_path)
