"""The route of a step: what it changes, what it must not, and that it is kept."""

import json
import os
from dataclasses import replace
from typing import Any

import pytest
import torch

import ganzfeld as gz
from ganzfeld.compute.fast_path import PARTS, PLAIN, USUAL, FastPath
from ganzfeld.errors import UsageError
from ganzfeld.networks.strided import Way, Ways
from ganzfeld.options import TrainOptions
from ganzfeld.recipes import resolve
from ganzfeld.training.setup import ResolvedOptions, resolve_options
from ganzfeld.training.snapshot import live_tensors
from ganzfeld.training.trainer import Trainer, scalars_of
from ganzfeld.training.tuning.routes import (
    Threads,
    cache_key,
    fastest_route,
    measured_route,
    threads_that_pay,
)
from tests.cli.test_cli import call
from tests.training.conftest import SMALL, small

pytestmark = pytest.mark.machine

RECIPES = ["modern", "seed", "radford2015"]
PRODUCTS = Ways("product", "product", "product")


def planned(**options: Any) -> ResolvedOptions:
    """What options come to for a small network."""
    return resolve_options(TrainOptions(recipe=small(), **options))


def routes(trainer) -> list[FastPath]:
    """Each part by itself, and all of them."""
    everything = dict.fromkeys(trainer.strided_layers, PRODUCTS)
    return [
        USUAL,
        PLAIN.model_copy(update={"one_pass": True}),
        PLAIN.model_copy(update={"shared_backward": True}),
        PLAIN.model_copy(update={"ways": everything}),
        USUAL.model_copy(update={"ways": everything}),
    ]


def loud(trainer: Trainer) -> Trainer:
    """The same with weights ten times as large, traced from the first step on if its route says so: at the
    beginning every logit is near 0, and losses near log 2 whatever the images are.
    """
    with torch.no_grad():
        for network in (trainer.gan.generator, trainer.gan.discriminator):
            for weight in network.parameters():
                weight.mul_(10 if weight.dim() > 1 else 1)
    return replace(trainer, traces_from=0)


def in_float64(trainer: Trainer) -> Trainer:
    """The same in double precision, optimizers and what is shown included."""
    for network in (trainer.gan.generator, trainer.gan.discriminator, trainer.gan.generator_ema):
        network.double()
    for optimizer in (trainer.gan.generator_optimizer, trainer.gan.discriminator_optimizer):
        for state in optimizer.state.values():
            state.update({moment: tensor.double() for moment, tensor in state.items() if moment != "step"})
    real, latents = trainer.real, trainer._latents
    trainer.real, trainer._latents = lambda: real().double(), lambda: latents().double()
    return trainer


@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
@pytest.mark.parametrize("name", RECIPES)
def test_no_part_changes_the_losses(name, updates, trainer_of):
    """Two steps in float64, where rounding is far below what any mistake would change."""

    def losses(route):
        trainer = in_float64(loud(trainer_of(small(name, updates=updates))))
        trainer.take(route)
        found = []
        for _ in range(2):
            scalars = scalars_of(trainer.advance())
            found += [scalars.loss_generator, scalars.loss_discriminator]
        return found

    plain = losses(PLAIN)
    for route in routes(trainer_of(small(name, updates=updates))):
        assert losses(route) == pytest.approx(plain, rel=1e-6), route


def test_in_bfloat16_they_stay_close(trainer_of):
    """Within 2^-6 of the largest logit: bfloat16 rounds to 2^-9, in every layer anew."""
    recipe = small(updates="simultaneous")
    trainer = loud(trainer_of(recipe))
    first = trainer.advance()
    largest = float(first.real_logits.abs().max())
    assert largest > 1, "or any loss is near log 2"
    for route in routes(trainer):
        again = loud(trainer_of(recipe))
        engine = replace(again.engine, precision="bfloat16")
        again.engine, again.config = engine, replace(again.config, forward=engine.autocast)
        again.take(route)
        outcome = again.advance()
        for name in ("real_logits", "fake_logits", "generator_loss", "discriminator_loss"):
            found, wanted = getattr(outcome, name).float(), getattr(first, name)
            torch.testing.assert_close(found, wanted, rtol=0, atol=2**-6 * largest)


def test_the_fused_optimizer_is_the_textbooks(trainer_of):
    """Four steps in float64 against Adam as Kingma and Ba write it (2015, algorithm 1)."""
    trainer = in_float64(loud(trainer_of(small())))
    optimizers = (trainer.gan.generator_optimizer, trainer.gan.discriminator_optimizer)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    rows = [(group, weight) for group in groups for weight in group["params"]]
    moments = [(torch.zeros_like(weight), torch.zeros_like(weight)) for _, weight in rows]
    for step in range(1, 5):
        before = [weight.detach().clone() for _, weight in rows]
        trainer.advance()
        for (group, weight), was, (mean, square) in zip(rows, before, moments, strict=True):
            first, second = group["betas"]
            mean.mul_(first).add_((1 - first) * weight.grad)
            square.mul_(second).add_((1 - second) * weight.grad.square())
            unbiased = (square / (1 - second**step)).sqrt() + group["eps"]
            wanted = was - group["lr"] * mean / (1 - first**step) / unbiased
            torch.testing.assert_close(weight.detach(), wanted, rtol=1e-9, atol=1e-12)


class TestMeasuring:
    def test_leaves_the_training_as_it_was(self, trainer_of):
        recipe = small(stabilisers=["spectral"])
        measuring, other = trainer_of(recipe), trainer_of(recipe)
        told = []
        measured_route(measuring, lambda done, total, what: told.append((done, total)))
        assert told[0][0] == 0 and told[-1] == (len(measuring.strided_layers),) * 2
        for trainer in (measuring, other):
            trainer.take(USUAL)
        assert scalars_of(measuring.advance()) == scalars_of(other.advance())
        assert measuring.gan.generator.training and measuring.gan.discriminator.training

    def test_neither_does_asking_for_a_route_that_is_known(self, trainer_of, monkeypatch, tmp_path):
        """Who begins a run asks; who begins one again, killed before its first checkpoint, does not."""
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
        recipe = small(stabilisers=["spectral"])
        untouched = live_tensors(trainer_of(recipe))
        for _ in range(2):  # measured, then read
            asking = trainer_of(recipe)
            fastest_route(asking, lambda *_: None)
            assert all(torch.equal(each, untouched[name]) for name, each in live_tensors(asking).items())

    def test_is_done_once(self, trainer_of, monkeypatch, tmp_path):
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
        trainer = trainer_of(small())
        first = fastest_route(trainer, lambda *_: None)
        monkeypatch.setattr("ganzfeld.training.tuning.routes.measured_route", pytest.fail)
        assert fastest_route(trainer, lambda *_: None) == first
        (file,) = (tmp_path / "routes").iterdir()
        chosen = {"channels_last": True, "one_pass": False, "shared_backward": True, "ways": {}}
        file.write_text(json.dumps(chosen))
        assert not fastest_route(trainer, lambda *_: None).one_pass, "what is in the cache is taken"

    @pytest.mark.parametrize("content", ["", "{", '{"ways": {"a": 3}}', "[]"])
    def test_a_damaged_file_is_measured_anew(self, trainer_of, monkeypatch, tmp_path, content):
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
        trainer = trainer_of(small())
        fastest_route(trainer, lambda *_: None)
        (file,) = (tmp_path / "routes").iterdir()
        file.write_text(content)
        fastest_route(trainer, lambda *_: None)
        assert FastPath.model_validate_json(file.read_bytes())

    def test_depends_on_the_shape(self, trainer_of, monkeypatch, tmp_path):
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path))
        for recipe in (small(), small(batch=4), resolve("modern", SMALL | {"generator.width": 4})):
            fastest_route(trainer_of(recipe), lambda *_: None)
        assert len(list((tmp_path / "routes").iterdir())) == 3


class TestKey:
    """Recipes share a measurement if their steps take as long as each other, and only then."""

    @pytest.mark.parametrize(
        "costs",
        [
            {"stabilisers": []},
            {"stabilisers": [{"name": "r1", "every": 4}]},
            {"stabilisers": [{"name": "r1", "every": 8}, {"name": "r2", "every": 8}]},
            {"stabilisers": ["r1", "r2", "augmentation"]},
            {"discriminator_steps": 5},
            {"updates": "simultaneous"},
            {"loss.name": "hinge"},
            {"generator.normalisation": "none"},
            {"latent.size": 17},
            {"mirror": True},
            {"batch": 16},
        ],
        ids=str,
    )
    def test_differs_with_what_a_step_costs(self, costs, trainer_of):
        assert cache_key(trainer_of(small(**costs))) != cache_key(trainer_of(small()))

    @pytest.mark.parametrize(
        "free",
        [
            {"ema": 0.9},
            {"generator.optimizer.lr": 0.01, "discriminator.optimizer.lr": 0.01},
            {"schedule.decay": "cosine", "schedule.floor": 0.1},
            {"stabilisers": [{"name": name, "weight": 9, "every": 4} for name in ("r1", "r2")]},
            {"loss.temperature": 2.0},
            {"notes": ["Fitted to 3 minutes"]},
        ],
        ids=str,
    )
    def test_is_that_of_a_recipe_whose_steps_cost_as_much(self, free, trainer_of):
        assert cache_key(trainer_of(small(**free))) == cache_key(trainer_of(small()))

    def test_differs_with_the_parts_of_the_route(self, trainer_of):
        trainer = trainer_of(small())
        before = cache_key(trainer)
        trainer.take(USUAL.model_copy(update={"shared_penalties": False}))
        assert cache_key(trainer) != before


@pytest.fixture
def two_threads():
    usual = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(usual)


class TestThreads:
    def test_measuring_them_leaves_the_training_as_it_was(self, trainer_of, two_threads):
        recipe = small(stabilisers=["spectral"])
        measuring, other = trainer_of(recipe), trainer_of(recipe)
        for trainer in (measuring, other):
            trainer.advance()
        assert threads_that_pay(measuring) in (Threads(None), Threads(1), Threads(1, 2))
        assert torch.get_num_threads() == 2
        assert measuring.route == other.route
        states = live_tensors(measuring), live_tensors(other)
        assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
        assert measuring.images_seen == other.images_seen
        assert scalars_of(measuring.advance()) == scalars_of(other.advance())

    def test_a_step_is_computed_by_those_of_the_route_and_nothing_else(self, trainer_of, two_threads):
        trainer = trainer_of(small())
        used, real = [], trainer.real
        trainer.real = lambda: used.append(torch.get_num_threads()) or real()
        for threads in (1, None):
            trainer.take(FastPath(threads=threads))
            assert trainer.circumstances.threads == (threads or 2)
            trainer.advance()
            assert torch.get_num_threads() == 2
        assert used == [1, 2]

    @pytest.mark.parametrize(
        ("milliseconds", "chosen"),
        [
            ({(2, 1): 30, (1, 1): 22, (1, 2): 17}, Threads(1, 2)),
            ({(2, 1): 30, (1, 1): 22, (1, 2): 21}, Threads(1)),
            ({(2, 1): 15, (1, 1): 22, (1, 2): 17}, Threads(None)),
            ({(2, 1): 17, (1, 1): 22, (1, 2): 17}, Threads(None)),
            ({(2, 1): 17, (1, 1): 22, (1, 2): 16}, Threads(1, 2)),
            ({(2, 1): 501, (1, 1): 1, (1, 2): 1}, Threads(None)),
        ],
    )
    def test_the_fewest_that_are_nearly_fastest(
        self, milliseconds, chosen, trainer_of, two_threads, monkeypatch
    ):
        traced = []

        def seconds(_trainer, route, num_steps):
            traced.append(route.traced)
            return num_steps * milliseconds[route.threads, route.lanes] / 1000

        monkeypatch.setattr("ganzfeld.training.tuning.routes.time_steps", seconds)
        assert threads_that_pay(trainer_of(small())) == chosen
        assert not traced[0] and all(traced[1:]), "making traces is not part of a step"

    def test_rare_penalties_are_not_waited_for(self, trainer_of, two_threads, monkeypatch):
        timed = []

        def seconds(_trainer, _route, num_steps):
            timed.append(num_steps)
            return num_steps / 1000

        monkeypatch.setattr("ganzfeld.training.tuning.routes.time_steps", seconds)
        threads_that_pay(trainer_of(small(stabilisers=[{"name": "r1", "every": 10**9}])))
        assert 0 < sum(timed) < 1000

    def test_one_thread_has_nothing_to_measure(self, trainer_of, monkeypatch):
        monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
        trainer = trainer_of(small())
        trainer.real = pytest.fail
        assert threads_that_pay(trainer) == Threads()

    def test_a_run_goes_on_with_those_it_had(self, array_file, tmp_path, two_threads, monkeypatch):
        monkeypatch.setattr("ganzfeld.training.tuning.routes.measured_route", lambda *_: FastPath(threads=1))
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))
        run = gz.train(array_file, recipe=small(), images=40, out=tmp_path)
        assert run.metadata.circumstances.threads == 1
        assert gz.resume(run.path, images=80).metadata.route.threads == 1


class TestRuns:
    def test_remember_their_route(self, array_file, tmp_path, monkeypatch):
        run = gz.train(array_file, recipe=small(), images=40, out=tmp_path, route="plain")
        assert run.metadata.route == PLAIN
        straight = gz.train(array_file, recipe=small(), images=80, out=tmp_path, route="plain")
        monkeypatch.setattr("ganzfeld.training.tuning.routes.measured_route", pytest.fail)
        fork = gz.resume(run.path, images=80)
        assert fork.metadata.route == PLAIN
        states = [each.history.newest(pytest.fail) for each in (fork, straight)]
        assert states[0] is not None and states[1] is not None
        # The end of a run decides its learning rates, so only the first half of the two is the same.
        assert states[0].card.route == states[1].card.route == PLAIN

    def test_another_route_is_not_silent(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=40, out=tmp_path)
        metadata = run.metadata
        run.write_metadata(metadata.changed(route=PLAIN.model_copy(update={"channels_last": True})))
        with pytest.raises(UsageError, match="another route"):
            gz.resume(run.path, images=80)

    def test_each_part_has_a_switch(self, array_file, tmp_path, monkeypatch):
        fastest = FastPath(threads=1)
        monkeypatch.setattr("ganzfeld.training.tuning.routes.measured_route", lambda *_: fastest)
        monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))

        def route(choice: str) -> FastPath:
            return planned(images=8, route=choice).build(array_file).route

        assert (route("auto"), route("plain"), route(",".join(PARTS))) == (fastest, PLAIN, fastest)
        for part in PARTS:
            assert route(part).parts == {part}
            assert route(part).threads == (1 if part == "measured" else None)

    def test_a_fork_from_the_beginning_takes_the_same_parts(self, array_file, tmp_path):
        run = gz.train(array_file, recipe=small(), images=8, out=tmp_path, route="one-pass")
        fork = gz.resume(run.path, from_images=0, settings={"generator.width": 4})
        assert fork.metadata.route == run.metadata.route == PLAIN.model_copy(update={"one_pass": True})

    def test_an_unknown_one(self, array_file, tmp_path):
        with pytest.raises(UsageError, match="plain cannot be combined"):
            gz.train(array_file, recipe=small(), images=8, out=tmp_path, route="measured,plain")
        with pytest.raises(UsageError, match="plain"):
            gz.train(array_file, recipe=small(), images=8, out=tmp_path, route="plian")
        with pytest.raises(UsageError, match="one-pass"):
            gz.train(array_file, recipe=small(), images=8, out=tmp_path, route="measured,one-pas")


def test_the_plain_route_is_torchs_layout(array_file, tmp_path):
    trainer = planned(images=8, route="plain").build(array_file)
    networks = (trainer.gan.generator, trainer.gan.discriminator)
    assert all(weight.is_contiguous() for network in networks for weight in network.parameters())
    assert trainer.real().is_contiguous()
    trainer = planned(images=8).build(array_file)
    assert trainer.real().is_contiguous(memory_format=torch.channels_last)


class TestAgain:
    """``--route FILE``: the same seed gives the same weights whatever is measured."""

    @pytest.fixture
    def measures(self, monkeypatch, tmp_path):
        """Lets measuring come out as said; the cache knows no route."""

        def come_out(way: Way) -> None:
            def found(trainer: Trainer, progress: object) -> FastPath:
                return FastPath(ways=dict.fromkeys(trainer.strided_layers, Ways(way, way, way)), threads=1)

            monkeypatch.setattr("ganzfeld.training.tuning.routes.measured_route", found)
            monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / f"cache-{way}"))

        return come_out

    def test_the_same_weights_whatever_is_measured(self, array_file, tmp_path, measures):
        settings = {"recipe": small(), "images": 160, "precision": "float32"}
        measures("product")
        first = gz.train(array_file, out=tmp_path, **settings)
        measures("direct")
        other = gz.train(array_file, out=tmp_path, **settings)
        assert other.metadata.route != first.metadata.route, "measured anew"
        (tmp_path / "route.json").write_text(first.metadata.route.model_dump_json())
        for place in (first.path, str(first.path / "run.json"), tmp_path / "route.json"):
            again = gz.train(array_file, out=tmp_path, route=place, **settings)
            assert again.metadata.route == first.metadata.route
            tensors, expected = (run.history.read(160).tensors for run in (again, first))
            assert all(torch.equal(value, expected[name]) for name, value in tensors.items())
        forked = gz.resume(first.path, from_images=0)
        assert forked.metadata.route == first.metadata.route

    def test_of_the_command_line(self, array_file, tmp_path, measures):
        measures("product")
        words = ["train", array_file, "--images", 16, "--out", tmp_path]
        words += [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
        assert call(*words)[0] == 0
        measures("direct")
        assert call(*words, "--route", tmp_path / "blobs-001")[0] == 0
        first, again = (gz.open_run(tmp_path / f"blobs-00{number}").metadata.route for number in (1, 2))
        assert first == again and first.ways

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"{}x", "holds no route"),
            (b"[1]", "not an object"),
            (b'{"route": 3}', "holds no route"),
            (b'{"threads": 0}', "threads"),
            (b'{"threads": 1, "threads": 2}', "occurs twice"),
            (b'{"ways": {"generator.layers.9.9": ["product", "direct", "direct"]}}', "other networks"),
            (b'{"ways": {"generator.layers.0.0": ["fast", "direct", "direct"]}}', "holds no route"),
            (b'{"unknown": 1}', "unknown"),
        ],
    )
    def test_a_file_that_holds_none(self, array_file, tmp_path, content, words):
        (tmp_path / "r.json").write_bytes(content)
        with pytest.raises(UsageError, match=words):
            gz.train(array_file, recipe=small(), images=16, out=tmp_path, route=tmp_path / "r.json")

    @pytest.mark.parametrize("name", ["nowhere.json", "no/where", "pipe", "folder"])
    def test_no_file(self, tmp_path, name):
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "folder").mkdir()
        with pytest.raises(UsageError, match="cannot be read"):
            planned(route=str(tmp_path / name))
