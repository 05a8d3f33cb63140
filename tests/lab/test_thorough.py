"""The runs of --thorough: how many, how long they take, and that an interrupted command continues."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganzfeld.errors import TrainingFailed
from ganzfeld.lab import Training, experiments, live, report
from ganzfeld.lab.language import Phrase, words_in
from ganzfeld.lab.live import is_stored
from ganzfeld.lab.perform import settings_of
from ganzfeld.lab.repeated import NUM_RUNS, over_runs, runs_of
from ganzfeld.lab.thorough import (
    as_json,
    expected_seconds,
    from_json,
    in_words,
    own_images,
    runs_to_train,
    train_missing,
)
from ganzfeld.training.trainer import Trainer
from tests.lab.test_live import numbers, same

pytestmark = pytest.mark.machine


@pytest.fixture
def tiny(short_training: Training, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    """A short run of eight steps, with a cache of its own."""
    monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
    return replace(short_training, images=64)


def test_what_a_process_is_asked_for_is_what_it_reads(short_training: Training):
    assert from_json(json.loads(json.dumps(as_json(short_training)))) == short_training


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (3, "about 5 seconds", "约 5 秒"),
        (62, "about 60 seconds", "约 60 秒"),
        (600, "about 10 minutes", "约 10 分钟"),
        (9_000, "about 2.5 hours", "约 2.5 小时"),
    ],
)
def test_times_in_words(seconds: float, english: str, chinese: str):
    assert in_words(seconds) == english
    assert words_in("zh", in_words(seconds)) == chinese


def test_runs_of_an_experiment_are_listed_with_its_variants(tiny: Training):
    networks = live(tiny, thorough=True, progress=False)
    base = runs_to_train(networks, "ring", settings_of("ring", {}))
    assert [run.seed for run in base] == [1, 2, 3, 4], "the first is there"
    variants = runs_to_train(networks, "bounded-output", settings_of("bounded-output", {}))
    assert len(variants) == 2 * NUM_RUNS - 1
    assert runs_to_train(live(tiny, progress=False), "ring", None) == []
    seconds = expected_seconds(networks, base)
    assert 0 < seconds == pytest.approx(expected_seconds(networks, [*base, *base]) / 2, rel=0.9)


@pytest.mark.parametrize("name", experiments.names())
def test_variants_are_settings_of_the_recipe(name: str, tiny: Training):
    wanted = runs_to_train(live(tiny, thorough=True, progress=False), name, experiments.load(name).Settings())
    assert len(wanted) % NUM_RUNS == NUM_RUNS - 1


@pytest.mark.thorough
def test_an_interrupted_command_continues_with_what_is_missing(tiny: Training):
    networks = live(tiny, thorough=True, progress=False)
    wanted = runs_to_train(networks, "ring", None)
    said: list[Phrase] = []

    def interrupted(text: Phrase) -> None:
        said.append(text)
        if len(said) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_missing(networks, wanted, interrupted)
    assert said[0].startswith("4 runs to train, 2 at a time: about 5 seconds.")
    missing = runs_to_train(networks, "ring", None)
    assert 1 <= len(missing) < 4
    train_missing(networks, missing, said.append)
    assert said[2].startswith(f"{len(missing)} runs to train")
    assert runs_to_train(networks, "ring", None) == []
    assert all(is_stored(run.training, networks.dataset) for run in runs_of(networks))
    here = networks.restarted(lambda *networks: None, seed=3)
    while here.images_seen < 64:
        here.advance()
    assert same(numbers(here), numbers(runs_of(networks)[3].trainer())), "a process makes the same run"


@pytest.mark.parametrize("name", experiments.names())
def test_experiments_that_train_say_on_how_many_images(name: str):
    parts = vars(experiments.load(name, "live"))
    assert ("trained" in parts) == ("images_trained" in parts)


def test_the_images_of_upsampling_are_those_that_it_trains_on(
    tiny: Training, monkeypatch: pytest.MonkeyPatch
):
    networks = live(tiny, thorough=True, progress=False)
    settings = settings_of("upsampling", {"trainings": 2, "images": 16})
    advance, seen = Trainer.advance, []
    monkeypatch.setattr(
        Trainer, "advance", lambda trainer: seen.append(trainer.recipe.batch) or advance(trainer)
    )
    experiments.load("upsampling", "live").trained(networks, settings, 0)
    assert sum(seen) == own_images(networks, "upsampling", settings) > 0
    assert own_images(live(tiny, progress=False), "upsampling", settings) == 0


def test_the_time_of_what_an_experiment_trains_by_itself_is_told(tiny: Training):
    networks, said = live(tiny, thorough=True, progress=False), []
    train_missing(networks, [], said.append, 40_000)
    (text,) = said
    assert text.startswith("Networks to train on 40,000 images, one run after the other: about ")
    assert "40,000 张图像" in words_in("zh", text)
    train_missing(networks, [], said.append)
    assert len(said) == 1


@pytest.mark.thorough
def test_a_run_that_fails_is_named(tiny: Training):
    networks = live(tiny, thorough=True, progress=False)
    with pytest.raises(TrainingFailed, match=r"1 of 1 runs of the lab failed: .*nowhere"):
        train_missing(networks, [replace(tiny, data="nowhere.npy")], lambda text: None)


def test_every_run_is_measured_with_a_seed_of_its_own(short_training: Training):
    networks = live(replace(short_training, images=64), thorough=True, progress=False)
    seen = []

    def measure(run, seed: int):
        seen.append((run.training.seed, seed))
        return [], {"first": float(torch.tensor(run.training.seed))}

    _, data = over_runs(networks, 7, measure)
    assert seen == [(number, 7 + number) for number in range(NUM_RUNS)]
    assert data["first"] == 0 and len(data["runs"]) == NUM_RUNS


def test_a_thorough_report_trains_every_run_once_before_it_begins(
    tiny: Training, monkeypatch: pytest.MonkeyPatch
):
    asked: list[list[Training]] = []
    monkeypatch.setattr(report, "train_missing", lambda networks, wanted, tell, own: asked.append(wanted))
    report.train_all(live(tiny, thorough=True, progress=False), lambda text: None)
    (wanted,) = asked
    assert all(run not in wanted[:place] for place, run in enumerate(wanted))
    assert len(wanted) % NUM_RUNS == NUM_RUNS - 1 and len(wanted) > 3 * NUM_RUNS
