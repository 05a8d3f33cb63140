"""Plans of a run whose time is given: the schedule ends with the time, on machines that change speed."""

import json
import math
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ganzfeld as gz
from ganzfeld.data.check.survey import survey
from ganzfeld.errors import Interrupted
from ganzfeld.options import PreparationOptions, ResumeOptions, TrainOptions
from ganzfeld.recipes.schema import Schedule
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.metadata import RunMetadata
from ganzfeld.runs.opening import create_run
from ganzfeld.runs.run import Run
from ganzfeld.runs.schedule import Horizon, known_at, progress_of, rate_factor
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.clock import LEAST_GAP_S, LEAST_LAPS, Stopwatch
from ganzfeld.training.overrides import Overrides
from ganzfeld.training.planning import LEAST_LEFT, Planner, Speedometer
from ganzfeld.training.session import continue_run, write_beginning
from ganzfeld.training.setup import resolve_options
from ganzfeld.training.trainer import Trainer
from tests.training.conftest import FALLING, small, together

BATCH = 8
STEP_S = 0.2
MINUTES = 0.5
FLOOR = 0.02
NEAR = 1e-3
"""How far from its floor the last step's rate may be, as a share of the recipe's rate."""

Pace = Callable[[float, int], float]
"""Seconds that the next step takes, from the seconds of training behind it and its number."""

PACES: dict[str, Pace] = {
    "steady": lambda seconds, step: STEP_S,
    "half as fast": lambda seconds, step: STEP_S * (1 if seconds < 15 else 2),
    "a tenth as fast": lambda seconds, step: STEP_S * (1 if seconds < 15 else 10),
    "ten times as fast": lambda seconds, step: STEP_S * (10 if seconds < 15 else 1),
    "slower and slower": lambda seconds, step: STEP_S * (1 + seconds / 10),
    "short stops": lambda seconds, step: 1.5 if step in (30, 55, 56, 100) else STEP_S,
    "now and then something else runs": lambda seconds, step: STEP_S * (1 if seconds % 5 < 3 else 3),
    "a slow first step": lambda seconds, step: 3.0 if step == 1 else STEP_S,
    "suspended for an hour": lambda seconds, step: 3600.0 if step == 50 else STEP_S,
}
CHANGING = {*PACES} - {"steady", "a slow first step", "suspended for an hour"}
"""Those for which one plan does not do."""


@dataclass
class Machine:
    """A clock that goes on by what each step takes, and the rates of all steps that were made.

    Asks the training to stop after ``stop_at`` images.
    """

    pace: Pace
    now: float = 1000.0
    rates: dict[int, float] = field(default_factory=dict)
    steps: int = 0
    counted: float = 0.0
    stop_at: int | None = None

    def __call__(self) -> float:
        return self.now

    def step(self, trainer: Trainer) -> None:
        self.rates[trainer.images_seen - BATCH] = trainer.rate
        self.steps += 1
        took = self.pace(self.counted, trainer.index)
        self.counted += took if took < 60 else STEP_S
        self.now += took
        if trainer.images_seen == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def machine(monkeypatch) -> Callable[[Pace], Machine]:
    """Makes machines on which trainings take a pace of our own, by a clock that they are given."""

    advance = Trainer.advance

    def make(pace: Pace) -> Machine:
        made = Machine(pace)

        def watched(trainer):
            outcome = advance(trainer)
            made.step(trainer)
            return outcome

        monkeypatch.setattr(Trainer, "advance", watched)
        return made

    return make


def begun(array_file: Path, out: Path, **options: Any) -> Run:
    """A run before its first step."""
    usual: dict[str, Any] = {
        "recipe": small(**FALLING),
        "minutes": MINUTES,
        "precision": "float32",
        "route": "plain",
    }
    resolved = resolve_options(TrainOptions(**(usual | options)))
    trainer = resolved.build(array_file)
    run = create_run(out, "blobs")
    with run.writing():
        surveyed = survey(trainer.dataset)
        write_beginning(run, array_file, trainer, resolved, PreparationOptions(), surveyed)
    return run


def falls(rates: dict[int, float]) -> bool:
    """Whether no step has a greater rate than the one before."""
    return all(after <= before for before, after in pairwise(rates[images] for images in sorted(rates)))


@pytest.mark.parametrize("name", PACES)
def test_the_schedule_ends_with_the_time(name, machine, array_file, tmp_path):
    clock = machine(PACES[name])
    run = continue_run(begun(array_file, tmp_path), Overrides(), TrainCallback(), clock)
    assert run.journal[-1]["seconds"] >= 60 * MINUTES
    assert abs(clock.rates[run.position.images_seen - BATCH] - FLOOR) <= NEAR
    assert falls(clock.rates)
    horizons = run.metadata.horizons
    assert len(horizons) <= 30 and (len(horizons) == 1 or name in CHANGING)
    assert run.position.horizons == horizons
    schedule, seen = run.recipe.schedule, [entry["images_seen"] for entry in run.journal]
    assert [entry["rate"] for entry in run.journal] == [clock.rates[images - BATCH] for images in seen]
    assert clock.rates == {
        images: rate_factor(schedule, images, progress_of(images, horizons)) for images in clock.rates
    }, "each step was made by what run.json says"
    assert all(run.evidence.rate_at(images) == rate for images, rate in clock.rates.items())


def test_time_that_the_process_stood_still_does_not_count(machine, array_file, tmp_path):
    class Listener(TrainCallback):
        told = ""

        def noted(self, text):
            self.told += text

    listener = Listener()
    run = continue_run(
        begun(array_file, tmp_path), Overrides(), listener, machine(PACES["suspended for an hour"])
    )
    steps = run.position.images_seen / BATCH
    assert steps * STEP_S == pytest.approx(60 * MINUTES, abs=2 * STEP_S)
    assert "stood still for 1 h 00 min" in listener.told


@pytest.mark.parametrize(("images", "reached"), [(400, 400), (100_000, 1200)])
def test_of_two_ends_the_schedule_comes_with_the_first(images, reached, machine, array_file, tmp_path):
    clock = machine(PACES["steady"])
    run = continue_run(begun(array_file, tmp_path, images=images), Overrides(), TrainCallback(), clock)
    assert run.position.images_seen == reached
    assert falls(clock.rates)
    assert clock.rates[reached - BATCH] - FLOOR <= NEAR
    short = begun(array_file, tmp_path, images=40, minutes=60)
    continue_run(short, Overrides(), TrainCallback(), machine(PACES["steady"]))
    rates = [entry["rate"] for entry in short.journal]
    assert rates[-1] < 0.2, "also where the time is never planned for"


def state_of(run: Run) -> dict[str, torch.Tensor]:
    newest = run.history.newest(pytest.fail)
    assert newest is not None
    return newest.tensors


def stopped(run: Run, images_seen: int, clock: Machine) -> Run:
    clock.stop_at = images_seen
    with pytest.raises(Interrupted):
        continue_run(run, Overrides(), TrainCallback(), clock)
    assert run.position.images_seen == images_seen
    return run


def slow_from(images_seen: int) -> Pace:
    """Steps take ten times as long from so many images on, whenever these are seen."""
    return lambda seconds, step: STEP_S * (1 if step * BATCH < images_seen else 10)


@pytest.mark.parametrize("lost", ["all but the first checkpoint", "all checkpoints"])
def test_a_run_goes_on_exactly_over_a_new_plan(lost, machine, array_file, tmp_path):
    """What was planned before it stopped is done again at the same images, and nothing is planned again."""
    clock = machine(slow_from(600))
    run = stopped(begun(array_file, tmp_path, checkpoint_seconds=1.0), 640, clock)
    planned, before, rates = run.metadata.horizons, state_of(run), clock.rates
    checkpoints = run.history.all()
    assert len(planned) >= 2 and checkpoints[0] < planned[1].since < checkpoints[-1]
    for images_seen in checkpoints[1:]:
        run.history.path(images_seen).unlink()
    if lost == "all checkpoints":
        shutil.rmtree(run.path / "checkpoints")
        shutil.rmtree(run.path / "model" / "last")
    # At another pace, which would make for other plans.
    clock = machine(lambda seconds, step: 0.03)
    stopped(run, 640, clock)
    assert run.metadata.horizons == planned
    again = state_of(run)
    assert all(torch.equal(tensor, again[name]) for name, tensor in before.items())
    assert clock.rates == {images: rates[images] for images in clock.rates}
    clock = machine(slow_from(10**9))
    finished = continue_run(run, Overrides(), TrainCallback(), clock)
    assert finished.metadata.horizons[: len(planned)] == planned, "but for what comes after"
    assert falls(rates | clock.rates)
    assert abs(finished.journal[-1]["rate"] - FLOOR) <= NEAR


def test_a_fork_that_goes_another_way_is_planned_anew(machine, array_file, tmp_path, monkeypatch):
    clock = machine(slow_from(600))
    run = continue_run(
        begun(array_file, tmp_path, checkpoint_seconds=1.0), Overrides(), TrainCallback(), clock
    )
    planned, early = run.metadata.horizons, run.history.all()[0]
    assert planned[-1].since > early
    monkeypatch.setattr("ganzfeld.training.clock.time.perf_counter", clock)
    same = gz.resume(run.path, from_images=early)
    assert same.metadata.horizons[: len(planned)] == planned, "the same way again"
    other = gz.resume(run.path, from_images=early, settings=["ema=0.9"])
    assert known_at(early, planned) == known_at(early, other.metadata.horizons)
    assert not set(planned) & set(other.metadata.horizons) - set(known_at(early, planned))


def test_a_new_end_given_by_the_user_means_what_it_did(machine, array_file, tmp_path):
    run = continue_run(begun(array_file, tmp_path), Overrides(), TrainCallback(), machine(PACES["steady"]))
    at = run.position.images_seen
    clock = machine(PACES["steady"])
    longer = continue_run(run, Overrides(ResumeOptions(minutes=2 * MINUTES)), TrainCallback(), clock)
    half = rate_factor(run.recipe.schedule, at, at / (at + 60 * MINUTES / STEP_S * BATCH))
    assert clock.rates[at] == pytest.approx(half, abs=0.01)
    assert falls(clock.rates) and abs(longer.journal[-1]["rate"] - FLOOR) <= NEAR


def test_an_end_that_a_trial_has_brought_nearer_keeps_the_rate(machine, array_file, tmp_path):
    clock = machine(PACES["steady"])
    run = stopped(begun(array_file, tmp_path), 600, clock)
    before = clock.rates
    clock = machine(PACES["steady"])
    continue_run(run, Overrides().shortened(run.metadata, 0, MINUTES / 4), TrainCallback(), clock)
    at = min(clock.rates)
    assert before[at - BATCH] - clock.rates[at] < 0.02, "no jump down either"
    assert falls(before | clock.rates) and abs(run.journal[-1]["rate"] - FLOOR) <= NEAR
    assert run.position.seconds < 60 * MINUTES


def test_a_rollback_is_planned_for_the_time_that_is_left(machine, array_file, tmp_path):
    """What was planned with more time to go does not count after it."""
    clock, planned = machine(slow_from(600)), []
    step = clock.step

    def spoilt(trainer):
        step(trainer)
        if trainer.index == 80 and trainer.rate_scale == 1:
            planned.extend(trainer.horizons)
            trainer.all_finite = torch.zeros_like(trainer.all_finite)

    clock.step = spoilt
    options = {"on_divergence": "rollback", "checkpoint_seconds": 1000.0}
    run = continue_run(begun(array_file, tmp_path, **options), Overrides(), TrainCallback(), clock)
    assert [event.images_seen for event in run.metadata.events if event.kind == "rolled back"] == [0]
    assert run.metadata.horizons == run.position.horizons and not set(planned) & set(run.metadata.horizons)
    assert abs(run.journal[-1]["rate"] - FLOOR / 2) <= NEAR


def test_followers_hear_of_new_plans(array_file, tmp_path):
    plans = {0: Horizon(0, 400, 0.0), 24: Horizon(24, 64, 0.06), 56: Horizon(56, 80, 0.812)}

    def work():
        rates, advance = [], Trainer.advance

        def watched(trainer):
            outcome = advance(trainer)
            rates.append(trainer.rate)
            return outcome

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Trainer, "advance", watched)
            patch.setattr(Planner, "next", lambda planner, seen, seconds, horizons: plans.get(seen))
            path = gz.train(array_file, recipe=small(**FALLING), images=80, out=tmp_path).path
        return rates, str(path)

    (ours, path), (theirs, _) = together(2, work)
    horizons = gz.open_run(path).metadata.horizons
    assert horizons == tuple(plans.values())
    schedule = small(**FALLING).schedule
    wanted = [rate_factor(schedule, seen, progress_of(seen, horizons)) for seen in range(0, 80, BATCH)]
    assert ours == theirs == wanted


class TestHorizons:
    def test_of_earlier_versions_are_read_and_stay(self, array_file, tmp_path, machine):
        run = begun(array_file, tmp_path)
        metadata = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(json.dumps(metadata | {"horizons": [[16, 500]]}))
        assert run.metadata.horizons == (Horizon(16, 500),)
        clock = machine(PACES["a tenth as fast"])
        continue_run(run, Overrides(), TrainCallback(), clock)
        assert run.metadata.horizons == (Horizon(16, 500),)
        schedule = run.recipe.schedule
        assert clock.rates[8] == 1 and clock.rates[16] == rate_factor(schedule, 16, 16 / 500)
        assert run.position.images_seen > 500 and clock.rates[504] == FLOOR

    @pytest.mark.parametrize(
        "wrong", [[[0, 0]], [[0, 8, 1.5]], [[0, 8, -1]], [[0]], [[-1, 8]], [[0, 8, 0.5, 1]]]
    )
    def test_that_mean_nothing_are_refused(self, wrong, array_file, tmp_path):
        metadata = json.loads(begun(array_file, tmp_path).metadata.model_dump_json())
        with pytest.raises(ValueError, match="horizons"):
            RunMetadata.model_validate_json(json.dumps(metadata | {"horizons": [wrong]}))

    def test_known_at(self):
        end, estimate, later = Horizon(0, 160), Horizon(40, 90, 0.2), Horizon(80, 99, 0.5)
        assert known_at(60, [end, estimate, later, Horizon(160, 320)]) == (end, estimate, Horizon(160, 320))


def simulated(
    pace: Pace, minutes: float, schedule: Schedule
) -> tuple[list[float], list[Horizon], list[float]]:
    """The rates of all steps, the plans, and the moments at which the steps began."""
    budget, horizons = Budget(minutes), []
    planner, seen, seconds, rates, moments = Planner(budget, BATCH), 0, 0.0, [], []
    while not budget.spent(seen, seconds):
        rates.append(rate_factor(schedule, seen, progress_of(seen, horizons)))
        moments.append(seconds)
        seconds += pace(seconds, len(rates))
        seen += BATCH
        planner.speed.note(seen, seconds)
        if plan := planner.next(seen, seconds, horizons):
            horizons.append(plan)
    return rates, horizons, moments


@settings(deadline=None, max_examples=60)
@given(
    changes=st.lists(st.tuples(st.floats(0, 0.9), st.floats(0.1, 10)), max_size=6),
    stops=st.sets(st.integers(2, 300), max_size=3),
    minutes=st.sampled_from([0.3, 1.0, 5.0]),
    decay=st.sampled_from(["linear", "cosine"]),
)
def test_whatever_the_speed_does(changes, stops, minutes, decay):
    """The last step comes to the floor but for what a step is of the whole; rates never rise; few plans."""
    schedule = small(**FALLING).schedule.model_copy(update={"decay": decay, "floor": FLOOR})
    usual = minutes / 20

    def pace(seconds: float, step: int) -> float:
        factor = 1.0
        for share, times in sorted(changes):
            factor = times if seconds >= share * 60 * minutes else factor
        return usual * factor * (5 if step in stops else 1)

    rates, horizons, moments = simulated(pace, minutes, schedule)
    assert all(after <= before for before, after in pairwise(rates))
    # One more step than was expected may be made: what it finds is what was left a step before.
    longest_s = max(after - before for before, after in pairwise(moments[len(moments) // 2 :]))
    if moments[-1] > 0.95 * 60 * minutes or longest_s < 0.02 * 60 * minutes:
        assert rates[-1] - FLOOR <= LEAST_LEFT + 2 * longest_s / (60 * minutes)
    assert len(horizons) <= 2 * 8 * math.log(1 / LEAST_LEFT)


class TestStopwatch:
    def test_counts_while_it_runs(self):
        now = [0.0]
        watch = Stopwatch(5.0, lambda: now[0])
        now[0] = 3.0
        assert watch.seconds == 5
        watch.start()
        now[0] = 4.0
        with watch.paused():
            now[0] = 9.0
            assert watch.seconds == 6
        now[0] = 9.5
        assert watch.seconds == 6.5
        watch.stop()
        with watch.paused():
            now[0] = 100.0
        now[0] = 101.0
        assert watch.seconds == 6.5, "it was not running before the pause"

    def test_a_gap_counts_as_a_usual_lap(self):
        now = [0.0]
        watch = Stopwatch(0.0, lambda: now[0])
        watch.start()

        def lap(took: float) -> float:
            now[0] += took
            return watch.lap()

        assert lap(3600) == 0, "the first step may take any time"
        watch = Stopwatch(0.0, lambda: now[0])
        watch.start()
        assert [lap(1.0) for _ in range(LEAST_LAPS)] == [0.0] * LEAST_LAPS
        assert lap(-5.0) == 0.0
        assert watch.seconds == LEAST_LAPS
        assert lap(15.0) == 0, "slow, and no gap"
        before = watch.seconds
        assert lap(100_000.0) == pytest.approx(100_000 - (watch.seconds - before))
        assert 0 < watch.seconds - before < LEAST_GAP_S

    def test_a_machine_that_stays_slow_is_soon_believed(self):
        now = [0.0]
        watch = Stopwatch(0.0, lambda: now[0])
        watch.start()
        lost = []
        for took in [2.0] * 20 + [200.0] * 20:
            now[0] += took
            lost.append(watch.lap())
        assert 0 < sum(lost) < 4 * 200 and not any(lost[24:])


class TestSpeedometer:
    def test_is_of_the_last_half_minute(self):
        speed = Speedometer()
        speed.note(0, 0)
        assert speed.images_per_s == 0
        for second in range(1, 100):
            speed.note(second * 10 if second < 60 else 600 + (second - 60) * 20, second)
        assert speed.images_per_s == 20
        assert speed.over(60) == (pytest.approx(1000 / 60, rel=0.1), 60)

    def test_two_notes_count_however_far_apart(self):
        speed = Speedometer(longest_s=1.0)
        for images, seconds in ((0, 0.0), (8, 5.0), (16, 15.0)):
            speed.note(images, seconds)
        assert speed.over(0.1) == (0.8, 10.0)

    def test_a_stop_is_no_speed(self):
        speed = Speedometer()
        for step in range(20):
            speed.note(8 * step, step + (9 if step > 12 else 0))
        assert speed.over(60)[0] < 6 and speed.steady(60) == (8.0, 18.0)

    def test_keeps_few_notes(self):
        speed = Speedometer()
        for number in range(100_000):
            speed.note(number, number / 1000)
        assert len(speed._notes) < 600 and speed.images_per_s == pytest.approx(1000, rel=0.01)
