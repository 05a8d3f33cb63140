"""The scaling rule, and recipes fitted by it."""

import json
import re
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ganzfeld as gz
from ganzfeld.compute.fast_path import USUAL
from ganzfeld.options import TrainOptions
from ganzfeld.recipes import changes, read_recipe, resolve, undoing
from ganzfeld.recipes.scaling import (
    CRITICAL_BATCH,
    EARLY_IMAGES,
    GROWTH,
    LARGEST_FITTED,
    best_batch,
    effective_images,
    fitted_settings,
)
from ganzfeld.runs.budget import Budget
from ganzfeld.training.build import start
from ganzfeld.training.setup import resolve_options
from ganzfeld.training.snapshot import live_tensors
from ganzfeld.training.tuning.batches import (
    fitted_recipe,
    fitting_note,
    forget_other_speeds,
    images_per_s,
)
from ganzfeld.training.tuning.routes import cache_key, period_of, time_steps
from tests.training.conftest import SMALL, small

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scaling_rule.md"
NARROW = [f"{path}={value}" for path, value in SMALL.items() if path not in ("size", "batch")]


@given(st.floats(1e3, 1e8), st.integers(1, 1024))
def test_effective_images_need_the_images_they_come_from(images, batch):
    effective = effective_images(images, batch)
    critical = CRITICAL_BATCH * (effective / EARLY_IMAGES) ** GROWTH
    assert effective * (1 + batch / critical) == pytest.approx(images, rel=1e-6)
    assert effective_images(images, 2 * batch) < effective < effective_images(2 * images, batch)


def test_the_numbers_of_the_rule_are_those_of_the_fit(monkeypatch):
    """To the rows on the page, as ``python tools/scaling_rule.py fit`` makes it."""
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    told = runpy.run_path(str(ROOT / "tools" / "scaling_rule.py"))["fit"](PAGE.read_text(encoding="utf-8"))
    critical, growth, error = map(
        float, re.findall(r"batch ([\d.]+) \(E / 48,000\)\^([\d.]+);.* error ([\d.]+)%", told)[0]
    )
    assert (critical, growth) == (CRITICAL_BATCH, GROWTH)
    assert error < 10
    assert told in PAGE.read_text(encoding="utf-8").replace("\n", " ")


@pytest.mark.parametrize(
    ("neighbour", "words"),
    [
        ([0.4, 0.42, 0.44], "better, beyond"),
        ([0.4, 0.42, 0.46], "no difference"),
        ([0.6, 0.7, 0.56], "worse, beyond"),
        ([0.4, 0.41], "too few seeds"),
    ],
)
def test_a_neighbour_is_better_only_beyond_the_spread_of_the_seeds(monkeypatch, neighbour, words):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    table = runpy.run_path(str(ROOT / "tools" / "scaling_rule.py"))["table"]
    lines = table(16, {16: 1000, 32: 2000}, {16: [0.45, 0.5, 0.55], 32: neighbour}).splitlines()
    assert "0.500 | the rule's choice" in lines[2] and f"| {words}" in lines[3]


@pytest.mark.parametrize(
    ("overhead", "budget", "batch"),
    [(0, 5e5, 16), (20, 5e5, 32), (1000, 5e6, 256)],
    ids=["none", "as much as the images", "almost only overhead"],
)
def test_the_batch_follows_the_overhead_of_a_step(overhead, budget, batch):
    """The overhead is that of so many images; the budget is what a machine without any would pay for."""
    images = {each: budget * each / (overhead + each) for each in (16, 32, 64, 128, 256, 512, 1024)}
    assert best_batch(images) == batch


def test_a_longer_budget_allows_a_larger_batch():
    batches = [
        best_batch({b: images * 20 * b / (20 + b) for b in (16, 32, 64, 128)})
        for images in (1e3, 1e5, 1e6, 1e7, 1e8)
    ]
    assert batches == sorted(batches) and batches[0] == 16 and batches[-1] > 32


def test_the_settings_of_short_runs_are_those_of_the_recipe():
    assert resolve("modern", fitted_settings(16, 1e15)).ema == 0.99999, "it is below 1 whatever the budget"
    settings = fitted_settings(16, 48_000)
    assert resolve("modern", settings) == read_recipe("modern")


def test_the_average_is_as_long_a_share_of_the_run_with_several_steps_of_d():
    """It moves only when G is updated, so its decay is per update of G."""
    for steps_of_d in (1, 2, 5):
        images = 32 * steps_of_d * 10_000 / 0.15  # so many that 15 % of G's updates are 10,000
        assert fitted_settings(32, images, steps_of_d)["ema"] == 0.9999


@pytest.fixture
def trainer(array_file, monkeypatch, tmp_path):
    monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))
    return resolve_options(TrainOptions(recipe=small(batch=16), images=1, route="plain")).build(array_file)


def test_speeds_are_measured_once_and_leave_the_training_as_it_was(trainer, tmp_path):
    trainer.take(USUAL)  # which traces steps
    before = {name: tensor.clone() for name, tensor in live_tensors(trainer).items()}
    told = []
    recipe = fitted_recipe(trainer, Budget(minutes=100), {}, lambda *words: told.append(words))
    assert told and recipe.batch <= trainer.dataset.num_pictures
    after = live_tensors(trainer)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert (trainer.index, trainer.images_seen, trainer.recipe.batch) == (0, 0, 16)
    assert recipe.ema > trainer.recipe.ema and "100 minutes" in recipe.notes[-1]
    assert recipe == fitted_recipe(trainer, Budget(minutes=100), {}, lambda *_: pytest.fail("measured again"))


@pytest.mark.parametrize(("seconds", "speed"), [({1: 0.2, None: 0.1}, 320), ({1: 0.1, None: 0.2}, 320)])
def test_a_larger_batch_is_timed_with_all_threads_too(trainer, monkeypatch, seconds, speed):
    """Where the route of batch 16 has one thread; the times are planted."""
    trainer.take(trainer.route.model_copy(update={"threads": 1}))
    monkeypatch.setattr(
        "ganzfeld.training.tuning.batches.time_steps",
        lambda timed, route, num_steps: num_steps * seconds[route.threads],
    )
    assert images_per_s(trainer, 32) == speed
    assert trainer.route.threads == 1


def test_steps_are_timed_over_whole_periods(trainer, monkeypatch):
    """Every fifth step updates G, which costs ten times as much here; every third has a penalty."""
    recipe = resolve(trainer.recipe, {"stabilisers": [{"name": "r1", "every": 3}], "discriminator_steps": 5})
    timed = start(recipe, trainer.dataset, trainer.engine, 0)
    seconds = dict.fromkeys(range(15), 0.1)
    for index in seconds:
        seconds[index] += 0.9 * timed.config.updates_generator(index) + 0.2 * (index % 3 == 0)

    def time_steps(timed, _route, num_steps):
        timed.stand_at(index=timed.index + num_steps, images_seen=0)
        return sum(seconds[index % 15] for index in range(timed.index - num_steps, timed.index))

    monkeypatch.setattr("ganzfeld.training.tuning.batches.time_steps", time_steps)
    assert images_per_s(timed, 32) == round(32 * 15 / sum(seconds.values()), 1)
    assert period_of(timed) == 15


@pytest.mark.parametrize(
    ("steps_of_d", "every", "period"),
    [(1, 1, 4), (1, 4, 4), (1, 16, 16), (5, 4, 20), (5, 16, 5), (3, 4, 12), (1, 10**9, 4), (1000, 4, 4)],
)
def test_what_comes_rarely_is_not_waited_for(trainer, steps_of_d, every, period):
    recipe = resolve(
        trainer.recipe,
        {"stabilisers": [{"name": "r1", "every": every}], "discriminator_steps": steps_of_d},
    )
    assert period_of(start(recipe, trainer.dataset, trainer.engine, 0)) == period


def test_steps_are_timed_to_their_end(trainer, monkeypatch):
    """A GPU only queues what it is given; here it is a CPU, so that the calls are counted."""
    told = []
    monkeypatch.setattr("ganzfeld.training.tuning.routes.wait_for", lambda device: told.append(trainer.index))
    time_steps(trainer, trainer.route, 2)
    assert told == [0, 2]


@pytest.fixture
def plant(monkeypatch):
    """Returns a function that plants the seconds of a step by batch, and the list of what is then spent."""

    def planted(seconds_of_step):
        spent = []

        def time_steps(timed, _route, num_steps):
            spent.append(num_steps * seconds_of_step(timed.recipe.batch))
            return spent[-1]

        monkeypatch.setattr("ganzfeld.training.tuning.batches.time_steps", time_steps)
        return spent

    return planted


def test_a_run_that_images_end_is_measured_as_briefly(trainer, plant):
    spent = plant(lambda batch: 0.02 * batch)
    recipe = fitted_recipe(trainer, Budget(minutes=600, images=50_000), {}, lambda *_: None)
    assert sum(spent) <= 0.03 * 50_000 * 0.02, "at 50 images/s"
    assert "batches from 64 on" in recipe.notes[-1]


@pytest.mark.parametrize("overhead_s", [0.001, 0.01, 0.03, 0.1, 0.3, 1, 10, 100])
@pytest.mark.parametrize("minutes", [2, 5, 60])
def test_measuring_takes_at_most_its_share_of_the_minutes(trainer, plant, overhead_s, minutes):
    """Except for the first step of the smallest batch, before which nothing is known."""
    spent = plant(lambda batch: overhead_s + batch / 1000)
    recipe = fitted_recipe(trainer, Budget(minutes=minutes), {}, lambda *_: None)
    assert sum(spent) <= 0.03 * 60 * minutes or len(spent) == 1
    if overhead_s >= 10 and minutes == 2:
        assert changes(recipe, trainer.recipe) == [], "batch and average stay"
        assert recipe.notes[-1].startswith("Not fitted to 2 minutes") and "batch of 16" in recipe.notes[-1]
    if overhead_s <= 0.01 and minutes >= 5:
        assert "images/s" in recipe.notes[-1] and "would take" not in recipe.notes[-1]


def test_what_there_was_no_time_for_is_said_and_measured_by_a_later_run(trainer, plant, tmp_path):
    plant(lambda batch: batch / 200)
    first = fitted_recipe(trainer, Budget(minutes=5), {}, lambda *_: None)
    assert "at 200 images/s: batch 16" in first.notes[-1]
    assert "measuring batches from 64 on would take more than 3%" in first.notes[-1]
    (file,) = (tmp_path / "cache" / "speeds").iterdir()
    assert json.loads(file.read_text()) == {"16": 200, "32": 200}
    fitted_recipe(trainer, Budget(minutes=10), {}, lambda *_: None)
    assert json.loads(file.read_text()).keys() == {"16", "32", "64"}


@pytest.mark.parametrize(
    ("speeds", "batch"),
    [
        ({"16": 590, "32": 400, "64": 3000, "128": 3100}, 64),
        ({"16": 590, "32": 400, "64": 300}, 16),  # and 128 is not measured
        ({"16": 590, "32": 900, "64": 700, "128": 4000}, 128),
    ],
)
def test_one_batch_that_is_slower_does_not_end_the_search(trainer, tmp_path, speeds, batch):
    keep_speeds(trainer, tmp_path, speeds)
    recipe = fitted_recipe(trainer, Budget(minutes=60), {}, lambda *_: pytest.fail("measured"))
    assert recipe.batch == batch


def keep_speeds(trainer, tmp_path, speeds):
    """Write speeds as an earlier measurement on this machine has left them."""
    folder = tmp_path / "cache" / "speeds"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{cache_key(trainer)}.json").write_text(json.dumps(speeds))


@pytest.mark.parametrize(
    ("budget", "batch"),
    [
        (Budget(minutes=3), 16),
        (Budget(minutes=30), 32),
        (Budget(minutes=30, images=10_000), 16),
        (Budget(minutes=1), 16),
        (Budget(images=10**9), 16),
    ],
)
def test_the_budget_decides(trainer, tmp_path, budget, batch):
    """Speeds are those of two cores with AVX-512 and bfloat16."""
    keep_speeds(trainer, tmp_path, {"16": 590, "32": 796, "64": 850, "128": 860})
    recipe = fitted_recipe(trainer, budget, {}, lambda *_: pytest.fail("measured"))
    assert recipe.batch == batch
    if budget.minutes is None or budget.minutes < 2:
        assert recipe == trainer.recipe


def test_what_was_asked_for_stays_and_is_what_the_note_says(trainer, tmp_path):
    keep_speeds(trainer, tmp_path, {"16": 590, "32": 796, "64": 850, "128": 860})
    recipe = fitted_recipe(trainer, Budget(minutes=3), {"ema": 0.9}, lambda *_: pytest.fail("measured"))
    assert recipe.ema == 0.9 and "an average over 10 steps" in recipe.notes[-1]


def test_the_note_counts_steps_though_the_average_moves_at_updates_of_g(trainer, tmp_path):
    recipe = resolve(trainer.recipe, {"discriminator_steps": 5})
    timed = start(recipe, trainer.dataset, trainer.engine, 0)
    keep_speeds(timed, tmp_path, {"16": 590, "32": 796, "64": 850, "128": 860})
    fitted = fitted_recipe(timed, Budget(minutes=30), {}, lambda *_: pytest.fail("measured"))
    updates = 30 * 60 * 796 / 32 / 5
    assert fitted.batch == 32 and 1 / (1 - fitted.ema) == pytest.approx(0.15 * updates, rel=0.1)
    assert f"an average over {round(5 / (1 - fitted.ema)):,} steps" in fitted.notes[-1]


@pytest.mark.parametrize("content", ['{"16": -1}', "", "[]", '{"16": "fast"}', '{"x": 1}', '{"16": {}}'])
def test_damaged_speeds_are_measured_anew(trainer, tmp_path, monkeypatch, content):
    """The times are planted; a test above measures some."""
    monkeypatch.setattr(
        "ganzfeld.training.tuning.batches.time_steps", lambda timed, route, num_steps: 0.1 * num_steps
    )
    keep_speeds(trainer, tmp_path, {})
    (file,) = (tmp_path / "cache" / "speeds").iterdir()
    file.write_text(content)
    fitted_recipe(trainer, Budget(minutes=2), {}, lambda *_: None)
    assert json.loads(file.read_text())["16"] == 160


def test_remedies_leave_what_was_fitted(trainer, tmp_path):
    keep_speeds(trainer, tmp_path, {"16": 100, "32": 200, "64": 400, "128": 500})
    fitted = fitted_recipe(trainer, Budget(minutes=10_000), {}, lambda *_: pytest.fail("measured"))
    assert fitted.batch > 32 and fitted.generator.optimizer.lr > 1e-3, "or there is nothing to leave"
    usual = set(undoing(small(batch=16)))
    assert {setting.split("=")[0] for setting in undoing(fitted)} == {each.split("=")[0] for each in usual}
    spoilt = resolve(fitted, {"discriminator.optimizer.lr": 0.01})
    (restored,) = set(undoing(spoilt)) - usual
    assert restored == f"discriminator.optimizer.lr={fitted.discriminator.optimizer.lr}"


def test_who_names_a_batch_gets_it():
    fitted = [
        TrainOptions(),
        TrainOptions(recipe="modern", settings=["ema=0.5"]),
    ]
    fixed = [
        TrainOptions(batch=8),
        TrainOptions(settings=["batch=8"]),
        TrainOptions(recipe="seed"),
        TrainOptions(recipe=read_recipe("modern")),
    ]
    assert all(resolve_options(options).is_fitted for options in fitted)
    assert not any(resolve_options(options).is_fitted for options in fixed)


def test_a_batch_beyond_the_fitted_ones_is_named_as_such():
    assert "beyond" not in fitting_note(10, 90_000, LARGEST_FITTED, 1000)
    assert "batch 256, beyond the batches it was fitted to" in fitting_note(10, 90_000, 256, 1000)
    rows = re.findall(r"^\| [\d,]+ \| (\d+) \|.*constant", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert max(map(int, rows)) == LARGEST_FITTED


@pytest.mark.parametrize(("images_per_s", "stays"), [(590, True), (400, True), (390, False), (890, False)])
def test_speeds_that_a_run_does_not_show_are_forgotten(trainer, tmp_path, images_per_s, stays):
    keep_speeds(trainer, tmp_path, {"16": 590, "32": 796})
    (file,) = (tmp_path / "cache" / "speeds").iterdir()
    recipe = resolve(trainer.recipe, {"batch": 16, "ema": 0.9})
    fitted = replace(trainer, recipe=recipe, speeds_key=cache_key(trainer))
    for seconds in (10, 1000):  # the first is too short to say anything
        assert file.exists()
        fitted.images_seen = images_per_s * seconds
        forget_other_speeds(fitted, seconds)
    assert file.exists() == stays


def test_a_run_on_other_threads_than_were_measured_is_compared_too(array_file, tmp_path, monkeypatch):
    """The route of the fitted batch may have fewer threads than that of the recipe's batch had."""
    monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def measured(timed, _progress):
        return USUAL.model_copy(update={"threads": 1 if timed.recipe.batch == 32 else None})

    monkeypatch.setattr("ganzfeld.training.tuning.routes.measured_route", measured)
    options = TrainOptions(minutes=30, size=16, settings=NARROW)
    keep_speeds(fitted_from(array_file, options), tmp_path, {"16": 590, "32": 796, "64": 850, "128": 860})
    (file,) = (tmp_path / "cache" / "speeds").iterdir()
    trainer = resolve_options(options).build(array_file)
    assert (trainer.recipe.batch, trainer.route.threads) == (32, 1)
    trainer.images_seen = 10_000
    forget_other_speeds(trainer, 1000)
    assert not file.exists()


def test_only_a_fitted_run_is_compared_with_measured_speeds(trainer, tmp_path):
    keep_speeds(trainer, tmp_path, {"16": 590})
    (file,) = (tmp_path / "cache" / "speeds").iterdir()
    trainer.images_seen = 10_000
    forget_other_speeds(trainer, 1000)
    assert file.exists()
    forget_other_speeds(replace(trainer, speeds_key=cache_key(trainer)), 1000)
    assert not file.exists()


@pytest.mark.thorough
def test_a_fitted_run_resumes_as_it_began(array_file, tmp_path, monkeypatch):
    """Whatever speeds were measured in between."""
    monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))
    options = {"recipe": "modern", "size": 16, "minutes": 2, "seed": 3, "out": tmp_path, "progress": False}
    options |= {"settings": [*NARROW, "ema=0.5"]}
    whole = gz.train(array_file, **options, images=1024)
    assert whole.recipe.ema == 0.5, "what is set is not fitted"
    assert "2 minutes" in whole.recipe.notes[-1]
    assert not any(change.startswith("notes") for change in changes(whole.recipe))
    chosen = TrainOptions(size=options["size"], settings=options["settings"])
    speeds = tmp_path / "cache" / "speeds" / f"{cache_key(fitted_from(array_file, chosen))}.json"
    speeds.parent.mkdir(exist_ok=True)
    speeds.write_text('{"16": 1e7}')
    half = gz.train(array_file, **options, images=512)
    assert "at 10,000,000 images/s" in half.recipe.notes[-1]
    assert speeds.exists(), "so short a run does not show how fast steps are"
    speeds.write_text('{"16": 1, "32": 1e7, "64": 1}')
    again = gz.resume(half.path, images=1024, progress=False)
    assert again.recipe == half.recipe and again.recipe.batch == whole.recipe.batch
    for one, other in zip(
        whole.model.generator.parameters(), again.model.generator.parameters(), strict=True
    ):
        assert torch.equal(one, other)


def fitted_from(array_file, options):
    """The trainer that is fitted, of the recipe as it is."""
    return resolve_options(replace(options, minutes=None, images=1)).build(array_file)
