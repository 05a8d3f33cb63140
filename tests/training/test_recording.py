"""Recorded steps: what is replayed is what would have been made.

A CUDA graph is a list of what a card was asked for. Here torch's own tracer makes such a list on the
processor: a number that a step takes from Python instead of a tensor is fixed in the one as in the other.
"""

from dataclasses import replace

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ganzfeld.compute.cuda_graphs import GraphedWork, Work
from ganzfeld.compute.engine import choose_engine
from ganzfeld.compute.fast_path import USUAL, FastPath
from ganzfeld.data import open_images
from ganzfeld.recipes import Recipe
from ganzfeld.runs.schedule import Horizon
from ganzfeld.training import recording
from ganzfeld.training.build import start
from ganzfeld.training.recording import ReplayedUpdate, can_be_recorded
from ganzfeld.training.snapshot import capture, live_tensors, restore
from ganzfeld.training.step import simultaneous_update
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning import routes
from ganzfeld.training.tuning.routes import fastest_route, recording_pays
from tests.training.conftest import small

pytestmark = pytest.mark.machine

RECIPES = {
    "modern": small(),
    "seed": small("seed"),
    "radford2015": small("radford2015"),
    "shared backward": small(updates="simultaneous"),
    "spectral": small(stabilisers=["spectral", {"name": "r1", "every": 3}]),
    "two lazy penalties": small(stabilisers=[{"name": "r1", "every": 2}, {"name": "r2", "every": 3}]),
    "three steps of D": small("radford2015", discriminator_steps=3),
    "mirrored and cropped": small(mirror=True, crop=0.25),
}
STEPS = 24
TRACED_STEPS = 12
"""Every kind of step of every recipe is made at least twice in them: to be traced, and by its trace."""
NOT_TRACED = USUAL.model_copy(update={"traced": False})
HOWEVER_SLOW = 1e6
"""A traced list is slower than what it lists."""


class TracedRecorder:
    """A list of torch's operations. To trace them they have to be made, which is then undone."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.recordings = 0

    def rehearse(self, work: Work) -> list[torch.Tensor]:
        return work()

    def record(self, work: Work) -> Work:
        before = capture(self.trainer, 0.0)
        operations = make_fx(lambda: tuple(work()))()
        restore(self.trainer, before)
        self.recordings += 1
        return torch.no_grad()(lambda: list(operations()))  # derivatives are operations of the list too


def with_rates_in_tensors(trainer: Trainer) -> Trainer:
    """As on a card."""
    for optimizer in (trainer.gan.generator_optimizer, trainer.gan.discriminator_optimizer):
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float64)
    trainer.horizons = (Horizon(0, 8 * STEPS),)  # by which rates change at every step
    return trainer


def recorded(trainer: Trainer) -> TracedRecorder:
    tape = TracedRecorder(trainer)
    trainer.graphed_update = ReplayedUpdate(GraphedWork(tape))
    trainer.take(USUAL.model_copy(update={"recorded": True}))
    return tape


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_replayed_steps_are_the_usual_ones(recipe: Recipe, trainer_of):
    """To the last bit: weights, statistics, moments, what is shown, and the gradients left for readings."""
    usual, replayed = (with_rates_in_tensors(trainer_of(recipe)) for _ in range(2))
    tape = recorded(replayed)
    for _ in range(STEPS):
        wanted, found = usual.advance(), replayed.advance()
        for name, tensor in vars(wanted).items():
            assert torch.equal(tensor, getattr(found, name)), name
    config = usual.config
    kinds = {(config.updates_generator(i), *(each.due(i) for each in config.stabilisers)) for i in range(6)}
    assert tape.recordings == len(kinds)
    state = live_tensors(usual)
    assert all(torch.equal(tensor, state[name]) for name, tensor in live_tensors(replayed).items())
    for network in ("generator", "discriminator"):
        pairs = zip(
            *(getattr(trainer.gan, network).parameters() for trainer in (usual, replayed)), strict=True
        )
        assert all(torch.equal(one.grad, other.grad) for one, other in pairs)


def test_it_has_settled_once_all_kinds_of_steps_are_recorded(trainer_of):
    trainer = with_rates_in_tensors(trainer_of(small(stabilisers=[{"name": "r1", "every": 2}])))
    tape = recorded(trainer)
    settled = []
    for _ in range(10):
        trainer.advance()
        settled.append((trainer.is_settled, tape.recordings))
    first = next(number for number, (is_settled, _) in enumerate(settled) if is_settled)
    assert first > 0 and all(is_settled == (num == 2) for is_settled, num in settled)


@pytest.mark.parametrize("way", ["projection", "concatenation"])
def test_with_classes(way, by_class):
    recipe = small(classes=way)
    images, engine = open_images(by_class, size=recipe.size), choose_engine("cpu", "float32")
    usual, replayed = (with_rates_in_tensors(start(recipe, images, engine, 0)) for _ in range(2))
    recorded(replayed)
    for _ in range(STEPS):
        assert torch.equal(usual.advance().generator_loss, replayed.advance().generator_loss)


def test_what_is_shown_of_a_step_outlives_the_next(trainer_of):
    trainer = with_rates_in_tensors(trainer_of(small()))
    recorded(trainer)
    outcomes = [trainer.advance() for _ in range(STEPS)]
    again = with_rates_in_tensors(trainer_of(small()))
    for outcome in outcomes:
        assert torch.equal(outcome.real_logits, again.advance().real_logits)


def test_a_recorded_training_stops_at_what_is_not_finite(trainer_of):
    trainer = with_rates_in_tensors(trainer_of(small()))
    recorded(trainer)
    for _ in range(16):
        trainer.advance()
    gan = trainer.gan
    weights = [*gan.generator.parameters(), *gan.discriminator.parameters()]
    before = [weight.detach().clone() for weight in weights]
    real = trainer.real
    trainer.real = lambda: real() * torch.nan
    assert not trainer.advance().all_finite and not trainer.all_finite
    trainer.real = real
    assert not trainer.advance().all_finite, "nor later"
    assert all(torch.equal(was, weight) for was, weight in zip(before, weights, strict=True))


@pytest.mark.parametrize("name", ["instance-noise", "augmentation", "wgan-gp"])
def test_what_draws_anew_is_not_recorded(name, trainer_of):
    trainer = trainer_of(small(stabilisers=[name]))
    assert not can_be_recorded(trainer.config)
    assert not recording_pays(trainer)


LANES = {"one lane": USUAL, "two lanes": USUAL.model_copy(update={"lanes": 2, "threads": 1})}
IN_ONE_LANE = ("modern", "radford2015", "two lazy penalties")
"""Recipes that are always tried in one lane too; the others are tried in it by the long tests."""


@pytest.mark.parametrize(
    ("recipe", "route"),
    [
        pytest.param(
            recipe,
            route,
            id=f"{name}-{lanes}",
            marks=pytest.mark.thorough if lanes == "one lane" and name not in IN_ONE_LANE else (),
        )
        for name, recipe in RECIPES.items()
        for lanes, route in LANES.items()
    ],
)
def test_traced_steps_are_the_ordinary_ones(recipe: Recipe, route: FastPath, trainer_of):
    """In float32 to the last bit, while the rates change."""
    ordinary, traced = (replace(trainer_of(recipe), traces_from=0) for _ in range(2))
    ordinary.take(NOT_TRACED.model_copy(update={"threads": 1}))
    traced.take(route.model_copy(update={"threads": 1}))
    for trainer in (ordinary, traced):
        trainer.set_horizons((Horizon(0, 8 * TRACED_STEPS),))
    for _ in range(TRACED_STEPS):
        wanted, found = ordinary.advance(), traced.advance()
        assert all(torch.equal(tensor, getattr(found, name)) for name, tensor in vars(wanted).items())
    state = live_tensors(ordinary)
    assert all(torch.equal(tensor, state[name]) for name, tensor in live_tensors(traced).items())
    for network in ("generator", "discriminator"):
        weights = zip(
            *(getattr(trainer.gan, network).parameters() for trainer in (ordinary, traced)), strict=True
        )
        assert all(torch.equal(one.grad, other.grad) for one, other in weights)


@pytest.mark.parametrize("route", LANES.values(), ids=LANES)
def test_traced_steps_in_bfloat16_differ_by_rounding_alone(route, trainer_of):
    """Two traced runs are equal to the bit, and near the ordinary one."""
    runs = []
    for taken in (route, route, NOT_TRACED):
        trainer = replace(trainer_of(small(), precision="bfloat16"), traces_from=0)
        trainer.take(taken)
        runs.append(torch.stack([trainer.advance().discriminator_loss for _ in range(TRACED_STEPS)]))
    assert torch.equal(runs[0], runs[1])
    assert torch.allclose(runs[0][:4], runs[2][:4], rtol=2**-6)


def under_recordings(trainer_of) -> Trainer:
    trainer = with_rates_in_tensors(trainer_of(small()))
    recorded(trainer)
    return trainer


def under_traces(trainer_of) -> Trainer:
    trainer = replace(trainer_of(small()), traces_from=0)
    trainer.take(LANES["two lanes"])
    return trainer


def traced_later(trainer_of) -> Trainer:
    """Traced from a step on that lies between the saved one and the last, where traces round differently."""
    return replace(trainer_of(small(), precision="bfloat16"), traces_from=18)


@pytest.mark.parametrize("begun", [under_recordings, under_traces, traced_later])
def test_a_run_goes_back_and_another_resumes_it(begun, trainer_of):
    trainer = begun(trainer_of)
    for _ in range(16):
        trainer.advance()
    saved = capture(trainer, 0.0)
    first = [trainer.advance().generator_loss for _ in range(8)]
    for resumed in (trainer, begun(trainer_of)):  # the second one is recorded or traced at another step
        restore(resumed, saved)
        assert first == [resumed.advance().generator_loss for _ in range(8)]


def test_what_draws_anew_is_not_traced(trainer_of):
    trainer = replace(trainer_of(small(stabilisers=["augmentation"])), traces_from=0)
    assert trainer.route.traced
    trainer.advance()
    assert not trainer._traced_updates


def test_the_first_steps_are_not_traced(trainer_of):
    trainer = replace(trainer_of(small()), traces_from=2)
    for has_traces in (False, False, True):
        trainer.advance()
        assert bool(trainer._traced_updates) is has_traces


def test_a_processor_records_nothing(trainer_of):
    trainer = trainer_of(small())
    trainer.take(USUAL.model_copy(update={"recorded": True}))
    assert trainer.graphed_update is None
    trainer.advance()


class TestMeasuring:
    @pytest.fixture
    def trainer(self, trainer_of):
        trainer = with_rates_in_tensors(trainer_of(small()))
        trainer.take(NOT_TRACED)
        trainer.graphed_update = ReplayedUpdate(GraphedWork(TracedRecorder(trainer)))
        return trainer

    def test_leaves_the_training_as_it_was(self, trainer):
        before = {name: tensor.clone() for name, tensor in live_tensors(trainer).items()}
        assert recording_pays(trainer, HOWEVER_SLOW)
        assert not trainer.route.recorded and trainer.graphed_update is None, "what it held is let go"
        assert trainer.index == 0
        after = live_tensors(trainer)
        assert all(torch.equal(before[name], after[name]) for name in before)

    def test_what_is_not_faster_is_left_out(self, trainer):
        assert not recording_pays(trainer, 0.0)

    def test_what_changes_a_bit_is_left_out(self, trainer, monkeypatch):
        monkeypatch.setattr(recording, "update_of", lambda config: simultaneous_update)
        assert not recording_pays(trainer, HOWEVER_SLOW)

    def test_what_cannot_be_recorded_is_left_out(self, trainer, monkeypatch):
        def record(_tape, _work):
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

        monkeypatch.setattr(TracedRecorder, "record", record)
        before = {name: tensor.clone() for name, tensor in live_tensors(trainer).items()}
        with pytest.raises(RuntimeError, match="not permitted"):
            recording_pays(trainer, HOWEVER_SLOW)
        assert all(torch.equal(before[name], tensor) for name, tensor in live_tensors(trainer).items())
        assert trainer.index == 0 and not trainer.route.recorded and trainer.graphed_update is None

    def test_what_cannot_be_recorded_now_is_asked_again(self, trainer, monkeypatch, tmp_path):
        def measured(_trainer, _progress):
            raise RuntimeError("CUDA error: operation not permitted\nCompile with TORCH_USE_CUDA_DSA")

        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
        monkeypatch.setattr(routes, "measured_route", measured)
        monkeypatch.setattr(routes, "cache_key", lambda _trainer: "key")
        with pytest.raises(RuntimeError):
            fastest_route(trainer, lambda *_: None)
        trainer.engine = replace(trainer.engine, device=torch.device("cuda"))
        told = []
        assert fastest_route(trainer, lambda done, total, what: told.append(what)) == USUAL
        assert told == ["steps are not recorded: CUDA error: operation not permitted"]
        assert not (tmp_path / "routes").exists()

    def test_nothing_is_recorded_while_it_is_timed(self, trainer_of, monkeypatch):
        trainer = with_rates_in_tensors(trainer_of(small(stabilisers=[{"name": "r1", "every": 8}])))
        tape = TracedRecorder(trainer)
        trainer.graphed_update = ReplayedUpdate(GraphedWork(tape))
        recordings = []
        monkeypatch.setattr(routes, "wait_for", lambda _device: recordings.append(tape.recordings))
        assert recording_pays(trainer, HOWEVER_SLOW)
        assert recordings == [0, 0, 2, 2]
