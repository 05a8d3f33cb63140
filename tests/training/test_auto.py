"""A training that is looked after: remedies are tried one at a time, kept, or undone.

The trainings are real. What the doctor says is planted by most tests: no small training falls ill in time.
"""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ganzfeld as gz
from ganzfeld.cli.outcome import show_outcome
from ganzfeld.errors import Interrupted, ResourceError, TrainingFailed, UsageError
from ganzfeld.health import Diagnosis, Finding, Remedy
from ganzfeld.health.derived import series_of
from ganzfeld.health.learned import Learned
from ganzfeld.health.remedies import put_back
from ganzfeld.options import ResumeOptions
from ganzfeld.runs.metadata import Trial
from ganzfeld.runs.run import Run
from ganzfeld.training.auto import driver as attendance
from ganzfeld.training.auto.policy import _quality, has_helped, next_trial
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.loop import Loop
from ganzfeld.training.overrides import Overrides, is_finished, is_over
from ganzfeld.training.trainer import Trainer
from tests.training.conftest import AT_EVERY_STEP, Raised, save_at_once, small, together

RATE = "generator.optimizer.lr"
WIDER = "generator.width"


@pytest.fixture(autouse=True)
def at_every_step(monkeypatch):
    look_at_every_step(monkeypatch)


def look_at_every_step(monkeypatch):
    """Every step is written down, examined and saved."""
    save_at_once(monkeypatch)
    monkeypatch.setattr(TrainCallback, "pace", replace(TrainCallback.pace, **AT_EVERY_STEP))


LEARNED = Learned(quality=0.5, twins=0.1, diversity=0.8)


def doctor(monkeypatch, *illnesses, so_far: Learned = LEARNED):
    """Plant what the doctor says: (name, since, remedy, is ill) of each illness, the last one of a recipe."""

    def diagnose(run: Run, entries: object = None) -> Diagnosis:
        journal = run.journal
        seen = journal[-1]["images_seen"] if journal else 0
        findings = tuple(
            Finding(name, "sick", since, (), "", Remedy("Do it otherwise.", (remedy,)))
            for name, since, remedy, is_ill in illnesses
            if seen >= since + 16 and is_ill(run.recipe)
        )
        return Diagnosis(seen, findings, num_judged=1, learned=so_far)

    monkeypatch.setattr(Run, "diagnose", diagnose)


def attended(array_file, tmp_path, *, images: int = 240, **options) -> Run:
    return gz.train(
        array_file, recipe=small(), images=images, out=tmp_path, auto=True, checkpoint_seconds=1e-9, **options
    )


def state(run: Run) -> dict[str, torch.Tensor]:
    return run.history.read(run.history.all()[-1]).tensors


def too_fast(recipe) -> bool:
    return recipe.generator.optimizer.lr > 5e-4


@pytest.fixture(scope="module")
def kept(array_file, tmp_path_factory) -> Run:
    """The run that came of a remedy that helped, beside the ill one; both stay as they are."""
    with pytest.MonkeyPatch.context() as patch:
        look_at_every_step(patch)
        doctor(patch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
        return attended(array_file, tmp_path_factory.mktemp("kept"))


def test_what_helps_is_kept(kept, monkeypatch, capsys):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    (trial,) = kept.metadata.trials
    assert (trial.outcome, trial.ill, trial.at_images) == ("kept", kept.path.name[:-1] + "1", 64)
    assert 0 < trial.from_images <= 40, "a checkpoint from before it began"
    assert kept.path.name.endswith("2") and kept.recipe.generator.optimizer.lr == 1e-4
    ill = gz.open_run(kept.path.parent / trial.ill)
    assert ill.metadata.trials == (trial,) and ill.recipe.generator.optimizer.lr == 1e-3
    assert [event.kind for event in ill.metadata.events] == ["treated", "kept"]
    assert [event.kind for event in kept.metadata.events] == ["forked", "kept", "resumed"]
    trained = 64 + kept.journal[-1]["images_seen"] - trial.from_images
    assert 240 <= trained <= 248, "one budget for both, in whole steps"
    show_outcome(kept, as_json=False)
    assert f"tried    oscillation: {RATE}=1e-4 kept: oscillation has gone" in capsys.readouterr().out
    show_outcome(kept, as_json=True)
    assert json.loads(capsys.readouterr().out)["trials"][0]["outcome"] == "kept"


def test_who_goes_on_with_the_ill_run_goes_on_with_what_came_of_it(kept, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    shutil.copytree(kept.path.parent, tmp_path, dirs_exist_ok=True)
    said = []

    class Listening(TrainCallback):
        def noted(self, text):
            said.append(text)

    (trial,) = kept.metadata.trials
    ill, run = tmp_path / trial.ill, tmp_path / kept.path.name
    assert gz.resume(ill, callback=Listening()).path == run
    assert f"a remedy for {ill} was kept: continuing with {run}" in said
    assert len(list(tmp_path.iterdir())) == 2, "nothing else is tried"
    assert trial.summary in (ill / "report.html").read_text()


def test_what_does_not_help_is_undone(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    run = attended(array_file, tmp_path)
    (trial,) = run.metadata.trials
    assert trial.outcome == "undone" and "still there" in trial.why
    assert run.path.name == trial.ill and run.recipe.generator.optimizer.lr == 1e-3
    assert [event.kind for event in run.metadata.events] == ["treated", "undone", "resumed"]
    in_vain = gz.open_run(run.path.parent / (run.path.name[:-1] + "2"))
    assert in_vain.metadata.trials == (trial,)
    cost = in_vain.journal[-1]["images_seen"] - trial.from_images
    assert run.journal[-1]["images_seen"] == pytest.approx(240 - cost, abs=8)
    assert gz.resume(run.path).path == run.path, "finished"


def trained_together(folder: Path) -> int:
    """Images that all runs of a course have seen, each counted once."""
    total = 0
    for run in map(gz.open_run, sorted(folder.iterdir())):
        begun = [trial.from_images for trial in run.metadata.trials if trial.ill != run.path.name]
        total += run.journal[-1]["images_seen"] - (begun[-1] if begun else 0)
    return total


def ill_in_two_ways(monkeypatch, since: int = 40):
    remedies = [("oscillation", since, f"{RATE}=1e-4"), ("stalled", since, f"{RATE}=2e-4")]
    doctor(monkeypatch, *((*each, lambda recipe: True) for each in remedies))


def test_what_two_in_a_row_used_up_is_gone(array_file, tmp_path, monkeypatch):
    ill_in_two_ways(monkeypatch)
    run = attended(array_file, tmp_path, images=480)
    assert [trial.outcome for trial in run.metadata.trials] == ["undone", "undone"]
    assert len(list(tmp_path.iterdir())) == 3
    assert trained_together(tmp_path) == pytest.approx(480, abs=24), "whole steps of each"


def test_nor_is_there_room_for_a_second_one_in_it(array_file, tmp_path, monkeypatch):
    """Of 60 images 24 are seen when a trial from the beginning is begun: it needs 30, then 12 are left."""
    ill_in_two_ways(monkeypatch, since=0)
    run = attended(array_file, tmp_path, images=60)
    assert [trial.outcome for trial in run.metadata.trials] == ["undone"]


@pytest.mark.parametrize(
    ("given", "killed_at"),
    [
        ("the ill run", "_start_trial"),
        ("the trial", "continue_run"),
        pytest.param("the ill run", "continue_run", marks=pytest.mark.thorough),
        pytest.param("the trial", "_start_trial", marks=pytest.mark.thorough),
    ],
)
def test_nor_does_a_kill_bring_it_back(array_file, tmp_path, monkeypatch, given, killed_at):
    """Killed when the first trial was undone: before the next one begins, or before the ill run goes on."""
    if killed_at == "_start_trial":
        ill_in_two_ways(monkeypatch)
    else:
        doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    work = getattr(attendance, killed_at)

    def killed(run: Run, *rest):
        if run.metadata.trials and run.metadata.trials[-1].outcome == "undone":
            raise KeyboardInterrupt
        return work(run, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(attendance, killed_at, killed)
        with pytest.raises(KeyboardInterrupt):
            attended(array_file, tmp_path, images=480)
    name = "blobs-001" if given == "the ill run" else "blobs-002"
    run = gz.resume(tmp_path / name)
    assert {trial.outcome for trial in run.metadata.trials} == {"undone"}
    assert trained_together(tmp_path) == pytest.approx(480, abs=24)


def test_one_at_a_time_until_one_helps(array_file, tmp_path, monkeypatch):
    doctor(
        monkeypatch,
        ("oscillation", 16, "ema=0.9", too_fast),
        ("stalled", 16, f"{RATE}=1e-4", too_fast),
    )
    run = attended(array_file, tmp_path, images=400)
    assert [(trial.finding, trial.outcome) for trial in run.metadata.trials] == [
        ("oscillation", "undone"),
        ("stalled", "kept"),
    ]
    assert run.recipe.ema != 0.9, "undone means undone"
    assert run.recipe.generator.optimizer.lr == 1e-4


def test_other_networks_begin_anew(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("stalled", 40, f"{WIDER}=12", lambda recipe: recipe.generator.width < 12))
    run = attended(array_file, tmp_path)
    (trial,) = run.metadata.trials
    assert (trial.from_images, trial.outcome) == (0, "kept")
    assert run.recipe.generator.width == 12
    assert run.journal[0]["images_seen"] == 8


def test_rates_that_fall_are_tried_from_before_the_decay(array_file, tmp_path, monkeypatch):
    """From the beginning there would be no time for it: quality falls late."""
    remedy = "schedule.floor=0.5"
    doctor(monkeypatch, ("late-decay", 140, remedy, lambda recipe: recipe.schedule.floor < 0.5))
    run = attended(array_file, tmp_path, settings=["schedule.decay=cosine", "schedule.floor=0.02"])
    (trial,) = run.metadata.trials
    assert trial.outcome == "kept" and 0 < trial.from_images <= 140
    assert run.recipe.schedule.floor == 0.5


def test_too_late_to_try_anything(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("stalled", 160, f"{WIDER}=12", lambda recipe: True))
    run = attended(array_file, tmp_path)
    assert run.metadata.trials == () and run.journal[-1]["images_seen"] == 240


def test_what_is_no_remedy_is_not_tried(array_file, tmp_path, monkeypatch):
    doctor(
        monkeypatch,
        ("stalled", 16, f"{RATE}=1e-3", lambda recipe: True),  # as it is already
        ("diverging", 16, f"{RATE}=-1", lambda recipe: True),  # as it cannot be
    )
    assert attended(array_file, tmp_path, images=80).metadata.trials == ()


def test_the_distance_decides_where_it_differs(course, tmp_path, monkeypatch):
    """The finding is still there, and the images are better: kept."""
    distances = {1e-3: 2.0, 1e-4: 1.0}

    def distance(run: Run, since: int, until: int | None = None) -> tuple[float, float]:
        return distances[run.recipe.generator.optimizer.lr], 0.1

    monkeypatch.setattr("ganzfeld.training.auto.policy._distance", distance)
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    trial = broken_off(course, tmp_path)
    ill = gz.open_run(tmp_path / "blobs-001")
    assert has_helped(trial, ill) == (True, "kernel distance 1.000 instead of 2.000")
    distances[1e-4] = 3.0
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    assert has_helped(trial, ill) == (False, "kernel distance 3.000 instead of 2.000"), (
        "the finding has gone, and the images are worse"
    )


def test_a_quality_that_clearly_differs_decides_before_the_distance(course, tmp_path, monkeypatch):
    qualities, distances = {1e-3: 0.3, 1e-4: 0.4}, {1e-3: (1.0, 0.1), 1e-4: (2.0, 0.1)}

    def of(values):
        return lambda run, since, until=None: values[run.recipe.generator.optimizer.lr]

    monkeypatch.setattr("ganzfeld.training.auto.policy._quality", of(qualities))
    monkeypatch.setattr("ganzfeld.training.auto.policy._distance", of(distances))
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    trial = broken_off(course, tmp_path)
    ill = gz.open_run(tmp_path / "blobs-001")
    assert has_helped(trial, ill) == (True, "quality 0.40 instead of 0.30")
    qualities[1e-4] = 0.34
    assert has_helped(trial, ill) == (False, "kernel distance 2.000 instead of 1.000")
    qualities[1e-4], distances[1e-4] = 0.2, (0.5, 0.1)
    assert has_helped(trial, ill) == (False, "quality 0.20 instead of 0.30")


def test_where_neither_has_learned_anything_the_distance_says_nothing(course, tmp_path, monkeypatch):
    distances = {1e-3: (1.0, 0.1), 1e-4: (2.0, 0.1)}
    monkeypatch.setattr(
        "ganzfeld.training.auto.policy._distance",
        lambda run, since, until=None: distances[run.recipe.generator.optimizer.lr],
    )
    monkeypatch.setattr("ganzfeld.training.auto.policy._quality", lambda *_: 0.0)
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast), so_far=Learned(0.0, 1.0, 0.1))
    trial = broken_off(course, tmp_path)
    assert has_helped(trial, gz.open_run(tmp_path / "blobs-001")) == (True, "oscillation has gone")


def test_the_quality_of_a_trial_is_that_of_its_end(course):
    run = gz.open_run(course / "blobs-001")
    quality = series_of(run.evidence, "quality")
    assert len(quality) >= 2, "read at the beginning and at the end"
    assert _quality(run, int(quality.images[-2])) == pytest.approx(quality.values[-1])
    assert _quality(run, int(quality.images[-1])) is None
    assert _quality(run, -1, int(quality.images[0])) == pytest.approx(quality.values[0])


def test_undone_trials_cost_at_most_half_of_the_run(array_file, tmp_path, monkeypatch):
    run = attended(array_file, tmp_path, images=240)
    finding = Finding("stalled", "sick", 1, (), "", Remedy("Wider.", (f"{WIDER}=12",)))
    verdict = Diagnosis(100, (finding,), num_judged=1)
    undone = Trial(
        finding="stalled",
        remedy="",
        settings=(),
        ill=run.path.name,
        from_images=0,
        at_images=0,
        outcome="undone",
    )
    for before, is_tried in ((0, True), (100, True), (200, False)):
        used = undone.model_copy(update={"at_images": before})
        # What undone trials used up is no longer in the budget.
        run.write_metadata(run.metadata.changed(trials=(used,), images=400 - before))
        monkeypatch.setattr("ganzfeld.training.auto.policy.cost", lambda *_: (0, 0.0))
        assert (next_trial(run, verdict) is not None) is is_tried


@pytest.mark.parametrize(
    ("of_generator", "put_back_to"), [(32, 16), (8, 4)], ids=("as it is", "in proportion")
)
def test_an_unusual_width_is_put_back_with_the_rates(
    array_file, tmp_path, of_generator: int, put_back_to: int
):
    far = {"discriminator.width": 1, "discriminator.optimizer.lr": 1e-5, "generator.width": of_generator}
    run = gz.train(array_file, recipe=small(**far), images=8, out=tmp_path)
    finding = Finding("generator-too-strong", "sick", 40, (), "", Remedy("", (f"{RATE}=1e-4",)))
    assert put_back(run.evidence, finding).remedy.settings == (
        f"discriminator.width={put_back_to}",
        "discriminator.optimizer.lr=0.001",
    )


@pytest.mark.parametrize(
    ("seen", "quality", "name", "is_tried"),
    [
        (3, 0.0, "uneven-ladder", False),
        (4, 0.0, "uneven-ladder", True),
        (4, 0.5, "uneven-ladder", False),
        (4, 0.0, "batch-leak", False),
    ],
)
def test_what_is_wrong_before_training_is_acted_on_at_a_tenth(
    array_file, tmp_path, seen: int, quality: float, name: str, is_tried: bool
):
    run = gz.train(array_file, recipe=small(), images=40, out=tmp_path)
    run.write_metadata(run.metadata.changed(images=400))  # more than was planned, which is used up
    finding = Finding(name, "watch", 0, (), "", Remedy("", (f"{RATE}=1e-4",)))
    verdict = Diagnosis(seen, (finding,), num_judged=1, learned=replace(LEARNED, quality=quality))
    assert (next_trial(run, verdict) is not None) is is_tried


def test_quality_is_measured_where_it_is_to_be_decided(array_file, tmp_path, monkeypatch):
    """No judgement was due in so short a time: one is taken where the ill run and the trial stop."""
    monkeypatch.setenv("GANZFELD_FEATURES", "random-convolutions")
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-6", too_fast))
    run = attended(array_file, tmp_path)
    (trial,) = run.metadata.trials
    ill, trying = (gz.open_run(tmp_path / f"blobs-00{number}") for number in (1, 2))
    (of_ill,) = (
        e for e in ill.journal if e["images_seen"] == 64 and "kernel_distance" in e.get("health", {})
    )
    measured = [e for e in trying.journal if "kernel_distance" in e.get("health", {})]
    assert 64 <= measured[0]["images_seen"] <= 72, "a step later at most"
    words = [f"{entry['health']['kernel_distance']:.3f}" for entry in (measured[0], of_ill)]
    assert trial.why.startswith(("kernel distance {} instead of {}".format(*words), "oscillation has gone"))


def test_what_was_just_judged_is_not_judged_again(array_file, tmp_path, monkeypatch):
    """Two figures at one place would say no more; and nothing is said of what has diverged."""
    monkeypatch.setenv("GANZFELD_FEATURES", "random-convolutions")
    monkeypatch.setattr(
        "ganzfeld.training.monitors.quality.QualityMonitor.due", lambda quality, seconds: True
    )
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-6", too_fast))
    run = gz.train(array_file, recipe=small(), images=240, out=tmp_path, auto=True, checkpoint_seconds=1000)
    journal = gz.open_run(tmp_path / "blobs-001").journal
    judged = [entry["images_seen"] for entry in journal if "kernel_distance" in entry.get("health", {})]
    *judged, _ = judged  # the last one closes the run: it compares 1,000 images
    assert len(judged) == len(set(judged)) > 1
    assert run.metadata.trials[0].why


def test_what_was_changed_is_put_back_first(array_file, tmp_path, monkeypatch):
    """Of the real doctor: a discriminator at fifty times its rate. Then comes what the detector advises."""
    far = {"discriminator.optimizer.lr": 0.05, "loss.name": "minimax"}
    run = gz.train(array_file, recipe=small(**far), images=400, out=tmp_path)
    advised = Finding("stalled", "sick", 40, (), "", Remedy("Slower.", (f"{RATE}=1e-4",)))
    finding = put_back(run.evidence, advised)
    assert finding.remedy.settings == ("discriminator.optimizer.lr=0.001", "loss.name=relativistic-pairing")
    assert finding.remedies == (finding.remedy, advised.remedy)
    verdict = Diagnosis(400, (finding,), num_judged=1)
    shorter = run.metadata.changed(images=10_000)
    run.write_metadata(shorter)
    first = next_trial(run, verdict)
    assert first is not None and first.settings == finding.remedy.settings
    run.write_metadata(shorter.changed(trials=(first.model_copy(update={"outcome": "undone"}),)))
    second = next_trial(run, verdict)
    assert second is not None and second.settings == advised.remedy.settings
    assert "loss.name=relativistic-pairing" in run.evidence.undoing, "what was tried in vain is still changed"
    kept = first.model_copy(update={"outcome": "kept"})
    run.write_metadata(shorter.changed(trials=(kept,)))
    assert "loss.name=relativistic-pairing" in run.evidence.undoing, (
        "kept in the run that came of it, not here"
    )
    run.write_metadata(shorter.changed(trials=(kept.model_copy(update={"ill": "another"}),)))
    left = {each.split("=")[0] for each in run.evidence.undoing}
    assert left == {"size", "batch", "latent.size", "generator.width", "discriminator.width"}


def test_a_course_that_was_broken_off_goes_on(kept, array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))

    class Impatient(TrainCallback):
        def read(self, progress):
            if progress.images_seen == 48 and len(list(tmp_path.iterdir())) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        attended(array_file, tmp_path, callback=Impatient())
    trial = tmp_path / kept.path.name
    assert str(trial) in caught.value.hint
    gone_on = gz.resume(trial)
    assert gone_on.path == trial
    assert [trial.outcome for trial in gone_on.metadata.trials] == ["kept"]
    assert gone_on.journal[-1]["images_seen"] == kept.journal[-1]["images_seen"]
    assert all(torch.equal(tensor, state(gone_on)[name]) for name, tensor in state(kept).items())


@pytest.fixture(scope="module")
def course(array_file, tmp_path_factory) -> Path:
    """Two runs of a course that was interrupted in a trial, with which nothing has been decided."""
    out = tmp_path_factory.mktemp("course")

    class Impatient(TrainCallback):
        def read(self, progress):
            if progress.images_seen == 48 and len(list(out.iterdir())) == 2:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        look_at_every_step(patch)
        doctor(patch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
        with pytest.raises(Interrupted):
            attended(array_file, out, callback=Impatient())
    return out


def broken_off(course: Path, out: Path) -> Run:
    """The trial of such a course, of which ``out`` becomes a copy."""
    shutil.copytree(course, out, dirs_exist_ok=True)
    (trial,) = (run for run in map(gz.open_run, out.iterdir()) if run.metadata.open_trial)
    return trial


def test_the_ill_run_of_a_course_that_was_broken_off_goes_on_with_the_trial(course, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    trial = broken_off(course, tmp_path)
    assert gz.resume(tmp_path / "blobs-001").path == trial.path
    assert len(list(tmp_path.iterdir())) == 2, "it is not tried a second time"


def test_a_trial_of_an_older_run_of_that_name_is_let_alone(course, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    trial = broken_off(course, tmp_path)
    with trial.writing():
        trial.write_metadata(trial.metadata.changed(started="2020-01-01T00:00:00+0000"))
    assert gz.resume(tmp_path / "blobs-001").path.name == "blobs-003"


def test_where_the_ill_run_is_gone_the_trial_is_kept(course, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    trial = broken_off(course, tmp_path)
    shutil.rmtree(tmp_path / "blobs-001")
    run = gz.resume(trial.path)
    assert run.path == trial.path and run.journal[-1]["images_seen"] > 64
    told = run.metadata.trials[0]
    assert (told.outcome, told.why) == ("kept", "blobs-001 was deleted")


def test_a_trial_that_was_undone_goes_on_with_the_ill_run(course, tmp_path, monkeypatch):
    """As after a kill between the decision and the next step."""
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    in_vain = broken_off(course, tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        continue_run = attendance.continue_run
        patch.setattr(
            attendance,
            "continue_run",
            lambda run, *rest: continue_run(run, *rest) if run.path == in_vain.path else killed(),
        )
        with pytest.raises(KeyboardInterrupt):
            gz.resume(in_vain.path)
    assert in_vain.metadata.trials[0].outcome == "undone"
    cost = in_vain.journal[-1]["images_seen"] - in_vain.metadata.trials[0].from_images
    run = gz.resume(in_vain.path)
    assert run.path == tmp_path / "blobs-001"
    assert run.journal[-1]["images_seen"] == pytest.approx(240 - cost, abs=8), "one budget"


def test_a_decision_is_made_again_if_it_was_not_written_down_everywhere(course, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    in_vain = broken_off(course, tmp_path)
    write = Run.write_metadata

    def killed(run: Run, metadata) -> None:
        if run.path == in_vain.path and metadata.trials[-1].outcome == "undone":
            raise KeyboardInterrupt
        write(run, metadata)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "write_metadata", killed)
        with pytest.raises(KeyboardInterrupt):
            gz.resume(in_vain.path)
    assert in_vain.metadata.open_trial
    run = gz.resume(in_vain.path)
    assert run.path.name == "blobs-001"
    assert (
        [trial.outcome for trial in run.metadata.trials]
        == ["undone"]
        == [trial.outcome for trial in in_vain.metadata.trials]
    )


def test_what_was_measured_before_a_trial_is_not_its_merit(course, tmp_path, monkeypatch):
    """The journal of a trial begins with that of the ill run, kernel distances included."""
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    trial = broken_off(course, tmp_path)
    ill, since = gz.open_run(tmp_path / "blobs-001"), trial.metadata.trials[0].from_images

    def measured(run: Run, distances: dict[int, float]) -> None:
        entries = run.journal
        for entry in entries:
            if (value := distances.get(entry["images_seen"])) is not None:
                entry["health"] |= {"kernel_distance": value, "kernel_distance_error": 0.1}
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        (run.path / "journal.jsonl").write_text(lines)

    measured(ill, {since: 1.0, 64: 3.0})
    measured(trial, {since: 1.0})
    assert has_helped(trial, ill) == (False, "oscillation is still there")
    measured(trial, {since: 1.0, 48: 0.5})
    assert has_helped(trial, ill) == (False, "oscillation is still there"), "that was long before its end"
    for images_seen, value in ((64, 2.0), (72, 1.5)):  # at its end, and a step later
        entry = {
            "images_seen": images_seen,
            "health": {"kernel_distance": value, "kernel_distance_error": 0.1},
        }
        with (trial.path / "journal.jsonl").open("a") as journal:
            journal.write(json.dumps(entry) + "\n")
        assert has_helped(trial, ill) == (True, f"kernel distance {value:.3f} instead of 3.000")


def test_images_that_are_all_alike_are_no_better_for_their_distance(course, tmp_path, monkeypatch):
    """One dark image can be nearer to a set of dark ones than what a sound generator makes."""
    doctor(monkeypatch, ("mode-collapse", 40, f"{RATE}=1e-4", too_fast))
    trial = broken_off(course, tmp_path)
    ill = gz.open_run(tmp_path / "blobs-001")
    for run, value in ((ill, 0.5), (trial, 1.7)):
        last = {**run.journal[-1], "health": {"kernel_distance": value, "kernel_distance_error": 0.01}}
        with (run.path / "journal.jsonl").open("a") as journal:
            journal.write(json.dumps(last) + "\n")
    assert ill.diagnose().alike == "mode-collapse" and not trial.diagnose().alike
    assert has_helped(trial, ill) == (True, "mode-collapse has gone")
    doctor(monkeypatch, ("latent-ignored", 40, f"{RATE}=1e-4", lambda recipe: not too_fast(recipe)))
    assert has_helped(trial, ill) == (False, "latent-ignored has come")


def test_a_damaged_checkpoint_is_passed_over(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", too_fast))
    damaged = []

    class Moth(TrainCallback):
        def read(self, progress):
            run = gz.open_run(tmp_path / "blobs-001")
            if progress.images_seen == 48 and not damaged:
                damaged.append(max(at for at in run.history.all() if at <= 40))
                run.history.path(damaged[0]).write_bytes(b"eaten")

    run = attended(array_file, tmp_path, callback=Moth())
    (trial,) = run.metadata.trials
    assert trial.outcome == "kept" and trial.from_images < damaged[0]


def test_a_trial_for_which_memory_runs_out_is_undone(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("stalled", 40, f"{WIDER}=12", lambda recipe: recipe.generator.width < 12))
    go = Loop.go

    def full(loop: Loop) -> None:
        if loop.trainer.recipe.generator.width == 12:
            raise ResourceError("memory ran out")
        go(loop)

    monkeypatch.setattr(Loop, "go", full)
    run = attended(array_file, tmp_path)
    (trial,) = run.metadata.trials
    assert (trial.outcome, trial.why) == ("undone", "it could not be trained: memory ran out")
    assert run.path.name == trial.ill and run.journal[-1]["images_seen"] == 240


def test_what_passes_at_a_second_look_does_not_end_the_run(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    diagnose = Run.diagnose

    def once(run: Run, entries: object = None) -> Diagnosis:
        verdict = diagnose(run)
        return verdict if verdict.images_seen == 64 else replace(verdict, findings=())

    monkeypatch.setattr(Run, "diagnose", once)
    run = attended(array_file, tmp_path)
    assert (run.metadata.trials, run.metadata.events) == ((), ()), "trained in one go"


def test_a_sheet_that_cannot_be_written_does_not_keep_it_going(array_file, tmp_path, monkeypatch):
    starts = []

    class Tidy(TrainCallback):
        def started(self, run, summary):
            starts.append(run)
            assert len(starts) < 4, "it goes on for ever"
            if (run.path / "samples").is_dir():
                shutil.rmtree(run.path / "samples")
                (run.path / "samples").write_bytes(b"")

    doctor(monkeypatch)
    run = attended(array_file, tmp_path, images=32, callback=Tidy())
    assert run.position.images_seen == 32
    show_outcome(run, as_json=False)


def test_a_run_that_was_stopped_stays_so_whatever_was_tried(array_file, tmp_path):
    run = gz.train(array_file, recipe=small(), images=32, out=tmp_path)
    with run.writing():
        run.write_metadata(run.metadata.changed(images=320))
        run.record("stopped", 32, "on a plateau")
        for kind in ("treated", "undone"):
            assert is_over(run, Overrides())
            run.record(kind, 32, "in vain")
        assert is_over(run, Overrides()) and not is_over(run, Overrides(ResumeOptions(images=400)))
        run.record("resumed", 32, "")
    assert not is_over(run, Overrides())


def test_a_run_whose_last_checkpoint_is_damaged_is_not_over(array_file, tmp_path):
    run = gz.train(array_file, recipe=small(), images=32, out=tmp_path)
    assert is_over(run, Overrides()) and is_finished(run, Overrides())
    newest = run.history.path(32)
    content = newest.read_bytes()
    newest.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert not is_over(run, Overrides()) and not is_finished(run, Overrides())


def test_a_divergence_is_treated(array_file, tmp_path, monkeypatch):
    """By the doctor himself. A weight is spoilt at the seventh step, by high rates only."""
    advance = Trainer.advance

    def spoilt(trainer: Trainer):
        if too_fast(trainer.recipe) and trainer.index == 6:
            next(trainer.gan.generator.parameters()).data.fill_(torch.nan)
        return advance(trainer)

    monkeypatch.setattr(Trainer, "advance", spoilt)
    with pytest.raises(TrainingFailed):
        gz.train(array_file, recipe=small(), images=160, out=tmp_path / "alone")
    run = attended(array_file, tmp_path / "attended", images=160)
    trial = run.metadata.trials[0]
    assert (trial.finding, trial.outcome) == ("diverging", "kept")
    assert 0 < trial.from_images <= 48 and run.recipe.generator.optimizer.lr == 2.5e-4
    assert run.journal[-1]["images_seen"] >= 144


def test_a_divergence_without_a_remedy_that_helps_is_an_error(array_file, tmp_path, monkeypatch):
    advance = Trainer.advance

    def spoilt(trainer: Trainer):
        if trainer.index == 6:
            next(trainer.gan.generator.parameters()).data.fill_(torch.nan)
        return advance(trainer)

    monkeypatch.setattr(Trainer, "advance", spoilt)
    with pytest.raises(TrainingFailed, match="after 56 images"):
        attended(array_file, tmp_path)
    (trial, *_) = gz.open_run(tmp_path / "blobs-001").metadata.trials
    assert (trial.outcome, trial.why) == ("undone", "it diverged")


def test_not_asked_for_nothing_is_tried(array_file, tmp_path, monkeypatch):
    doctor(monkeypatch, ("oscillation", 40, f"{RATE}=1e-4", lambda recipe: True))
    run = gz.train(array_file, recipe=small(), images=160, out=tmp_path)
    assert run.metadata.trials == () and len(list(tmp_path.iterdir())) == 1


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
