"""A training that is looked after: remedies are tried one at a time, kept, or undone.

The trainings are real. What the doctor says is planted by most tests: no small training falls ill in time.
"""

import json
import os
import signal

import pytest
import torch

import ganzfeld as gz
from ganzfeld.cli.outcome import show_outcome
from ganzfeld.errors import Interrupted, TrainingFailed, UsageError
from ganzfeld.health import Finding, Remedy, Verdict
from ganzfeld.training.run import Run
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.watcher import Watcher
from tests.training.conftest import Raised, small, together

RATE = "generator.optimizer.lr"
WIDER = "generator.width"


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch):
    """Every step is written down and examined."""
    monkeypatch.setattr("ganzfeld.training.loop.READING_EVERY_S", 0.0)
    for name in ("EVERY_S", "EVERY_SHARE"):
        monkeypatch.setattr(f"ganzfeld.training.examination.{name}", 0.0)
    monkeypatch.setattr("ganzfeld.training.examination.MOST_FOR_ALL", 1e9)
    monkeypatch.setattr("ganzfeld.training.examination.MOST_FOR_FEW", 1e9)


def doctor(monkeypatch, *illnesses):
    """Plant what the doctor says: (name, since, remedy, is ill) of each illness, the last one of a recipe."""

    def diagnose(run: Run) -> Verdict:
        journal = run.journal
        seen = journal[-1]["images_seen"] if journal else 0
        findings = tuple(
            Finding(name, "sick", since, (), "", Remedy("Do it otherwise.", (remedy,)))
            for name, since, remedy, is_ill in illnesses
            if seen >= since + 16 and is_ill(run.recipe)
        )
        return Verdict(seen, findings, num_judged=1)

    monkeypatch.setattr(Run, "diagnose", diagnose)


def attended(array_file, tmp_path, *, images: int = 240, **options) -> Run:
    return gz.train(
        array_file, recipe=small(), images=images, out=tmp_path, auto=True, checkpoint_seconds=1e-9, **options
    )


def state(run: Run) -> dict[str, torch.Tensor]:
    return run.history.read(run.history.all()[-1]).tensors


def too_fast(recipe) -> bool:
    return recipe.generator.optimizer.lr > 5e-4


def test_what_helps_is_kept(array_file, tmp_path, monkeypatch, capsys):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    run = attended(array_file, tmp_path)
    (trial,) = run.facts.trials
    assert (trial.outcome, trial.ill, trial.at_images) == ("kept", run.path.name[:-1] + "1", 64)
    assert 0 < trial.from_images <= 40, "a checkpoint from before it began"
    assert run.path.name.endswith("2") and run.recipe.generator.optimizer.lr == 1e-4
    ill = gz.open_run(tmp_path / trial.ill)
    assert ill.facts.trials == (trial,) and ill.recipe.generator.optimizer.lr == 1e-3
    assert [event.kind for event in ill.facts.events] == ["treated", "kept"]
    assert [event.kind for event in run.facts.events] == ["forked", "kept", "resumed"]
    trained = 64 + run.journal[-1]["images_seen"] - trial.from_images
    assert 240 <= trained <= 248, "one budget for both, in whole steps"
    show_outcome(run, as_json=False)
    assert f"tried    oscillation: {RATE}=1e-4 kept: oscillation has gone" in capsys.readouterr().out
    show_outcome(run, as_json=True)
    assert json.loads(capsys.readouterr().out)["trials"][0]["outcome"] == "kept"


def test_what_does_not_help_is_undone(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    run = attended(array_file, tmp_path)
    (trial,) = run.facts.trials
    assert trial.outcome == "undone" and "still there" in trial.why
    assert run.path.name == trial.ill and run.recipe.generator.optimizer.lr == 1e-3
    assert [event.kind for event in run.facts.events] == ["treated", "undone", "resumed"]
    in_vain = gz.open_run(run.path.parent / (run.path.name[:-1] + "2"))
    assert in_vain.facts.trials == (trial,)
    cost = in_vain.journal[-1]["images_seen"] - trial.from_images
    assert run.journal[-1]["images_seen"] == pytest.approx(240 - cost, abs=8)
    assert gz.resume(run.path).path == run.path, "finished"


def test_one_at_a_time_until_one_helps(array_file, tmp_path, monkeypatch):
    doctor(
        monkeypatch,
        ("oscillation", 16, "ema=0.9", too_fast),
        ("stalled", 16, f"{RATE}=1e-4", too_fast),
    )
    run = attended(array_file, tmp_path, images=400)
    assert [(trial.finding, trial.outcome) for trial in run.facts.trials] == [
        ("oscillation", "undone"),
        ("stalled", "kept"),
    ]
    assert run.recipe.ema != 0.9, "undone means undone"
    assert run.recipe.generator.optimizer.lr == 1e-4


def test_other_networks_begin_anew(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("stalled", 40, f"{WIDER}=12", lambda recipe: recipe.generator.width < 12))
    run = attended(array_file, tmp_path)
    (trial,) = run.facts.trials
    assert (trial.from_images, trial.outcome) == (0, "kept")
    assert run.recipe.generator.width == 12
    assert run.journal[0]["images_seen"] == 8


def test_too_late_to_try_anything(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("stalled", 160, f"{WIDER}=12", lambda recipe: True))
    run = attended(array_file, tmp_path)
    assert run.facts.trials == () and run.journal[-1]["images_seen"] == 240


def test_what_is_no_remedy_is_not_tried(array_file, tmp_path, monkeypatch):
    doctor(
        monkeypatch,
        ("stalled", 16, f"{RATE}=1e-3", lambda recipe: True),  # as it is already
        ("diverging", 16, f"{RATE}=-1", lambda recipe: True),  # as it cannot be
    )
    assert attended(array_file, tmp_path, images=80).facts.trials == ()


def test_quality_decides_where_it_differs(array_file, tmp_path, monkeypatch):
    """The finding is still there, and the pictures are better: kept."""
    distances = {1e-3: 2.0, 1e-4: 1.0}

    def series(run: Run, at_images: int) -> tuple[float, float]:
        return distances[run.recipe.generator.optimizer.lr], 0.1

    monkeypatch.setattr("ganzfeld.training.treatment._distance", series)
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    (trial, *_) = attended(array_file, tmp_path / "better").facts.trials
    assert trial.outcome == "kept" and "1.000 instead of 2.000" in trial.why
    distances[1e-4] = 3.0
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    (trial,) = attended(array_file, tmp_path / "worse").facts.trials
    assert trial.outcome == "undone", "the finding has gone, and the pictures are worse"


def test_a_course_that_was_broken_off_goes_on(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    whole = attended(array_file, tmp_path / "whole")

    class Impatient(Watcher):
        def read(self, reading):
            if reading.images_seen == 48 and len(list((tmp_path / "broken").iterdir())) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        attended(array_file, tmp_path / "broken", watcher=Impatient())
    trial = tmp_path / "broken" / whole.path.name
    assert str(trial) in caught.value.hint
    gone_on = gz.resume(trial)
    assert gone_on.path == trial
    assert [trial.outcome for trial in gone_on.facts.trials] == ["kept"]
    assert gone_on.journal[-1]["images_seen"] == whole.journal[-1]["images_seen"]
    assert all(torch.equal(tensor, state(gone_on)[name]) for name, tensor in state(whole).items())


def test_a_divergence_is_treated(array_file, tmp_path, monkeypatch):
    """By the doctor himself. A weight is spoilt at the seventh step, by high rates only."""
    advance = Trainer.advance

    def spoilt(trainer: Trainer):
        if too_fast(trainer.recipe) and trainer.index == 6:
            next(trainer.players.generator.parameters()).data.fill_(torch.nan)
        return advance(trainer)

    monkeypatch.setattr(Trainer, "advance", spoilt)
    with pytest.raises(TrainingFailed):
        gz.train(array_file, recipe=small(), images=160, out=tmp_path / "alone")
    run = attended(array_file, tmp_path / "attended", images=160)
    trial = run.facts.trials[0]
    assert (trial.finding, trial.outcome) == ("diverging", "kept")
    assert 0 < trial.from_images <= 48 and run.recipe.generator.optimizer.lr == 2.5e-4
    assert run.journal[-1]["images_seen"] >= 144


def test_a_divergence_without_a_remedy_that_helps_is_an_error(array_file, tmp_path, monkeypatch):
    advance = Trainer.advance

    def spoilt(trainer: Trainer):
        if trainer.index == 6:
            next(trainer.players.generator.parameters()).data.fill_(torch.nan)
        return advance(trainer)

    monkeypatch.setattr(Trainer, "advance", spoilt)
    with pytest.raises(TrainingFailed, match="after 56 pictures"):
        attended(array_file, tmp_path)
    (trial, *_) = gz.open_run(tmp_path / "blobs-001").facts.trials
    assert (trial.outcome, trial.why) == ("undone", "it diverged")


def test_not_asked_for_nothing_is_tried(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    run = gz.train(array_file, recipe=small(), images=160, out=tmp_path)
    assert run.facts.trials == () and len(list(tmp_path.iterdir())) == 1


def test_of_several_processes_it_is_refused(array_file, tmp_path):
    def work() -> None:
        gz.train(array_file, recipe=small(), images=16, out=tmp_path, auto=True)

    for raised in together(2, work):
        assert isinstance(raised, Raised) and raised.kind == UsageError.__name__
        assert "auto" in raised.message


def test_nor_do_several_go_on_with_such_a_run(array_file, tmp_path):
    run = attended(array_file, tmp_path, images=16)
    raised, followed = together(2, lambda: gz.resume(run.path, images=32).path)
    assert isinstance(raised, Raised) and raised.kind == UsageError.__name__
    assert "auto" in raised.message
    assert isinstance(followed, Raised) and followed.exit_code == raised.exit_code
