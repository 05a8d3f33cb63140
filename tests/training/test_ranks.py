"""Several real processes against one: gradients, statistics, shares, readings, faults, and going on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ganzfeld as gz
from ganzfeld.compute.distributed import ALONE, Ranks, joined
from ganzfeld.compute.engine import choose_engine
from ganzfeld.data import open_images
from ganzfeld.errors import UsageError
from ganzfeld.launch import launch
from ganzfeld.recipes import resolve
from ganzfeld.runs.run import Run
from ganzfeld.training.build import start
from ganzfeld.training.loop import Loop
from ganzfeld.training.snapshot import live_tensors
from ganzfeld.training.trainer import Trainer, scalars_of
from tests.conftest import blobs
from tests.training.conftest import FALLING, Raised, small, together

pytestmark = pytest.mark.machine

FAST = {"generator.optimizer.lr": 0.05, "discriminator.optimizer.lr": 0.05}
PENALTIES = [{"name": "r1", "weight": 1.0, "every": 1}, {"name": "r2", "weight": 1.0, "every": 2}]
NOISE = ["instance-noise", {"name": "augmentation", "cutout": 0.25}, "wgan-gp"]
BOTH_NORMALISED: dict[str, Any] = {"discriminator.normalisation": "batch", "stabilisers": PENALTIES}

RECIPES = {
    "shared backward pass": small("modern", mirror=True, crop=0.25, stabilisers=PENALTIES, **FAST),
    "batch norm in both": small("radford2015", **FAST),
    "penalties through batch norm": small("modern", **BOTH_NORMALISED, **FAST),
    "noise of every kind": small("modern", stabilisers=NOISE, **FAST),
    "two steps of D": small(
        "modern", discriminator_steps=2, **{"discriminator.normalisation": "spectral-layer"}
    ),
    "turns, paired, spectral": small(
        "modern", updates="alternating", stabilisers=["spectral"], **{"discriminator.normalisation": "group"}
    ),
}


class InDoublePrecision(Trainer):
    """A training in float64 by plain gradient descent: what differs there is no rounding."""

    @classmethod
    def of(cls, recipe, array_file: Path, ranks: Ranks) -> "InDoublePrecision":
        dataset = open_images(array_file, size=recipe.size)
        trainer = cls(**vars(start(recipe, dataset, choose_engine("cpu", "float32"), 0, ranks)))
        gan = trainer.gan
        for network in (gan.generator, gan.discriminator, gan.generator_ema):
            network.double()
        with torch.no_grad():
            for weight in [*gan.generator.parameters(), *gan.discriminator.parameters()]:
                weight.mul_(5)  # so that no gradient is small
        gan.generator_optimizer = torch.optim.SGD(gan.generator.parameters(), fused=True)
        gan.discriminator_optimizer = torch.optim.SGD(gan.discriminator.parameters(), fused=True)
        return trainer

    def real(self) -> Tensor:
        return super().real().double()

    def _latents(self) -> Tensor:
        return super()._latents().double()


def trained(array_file: Path, ranks: Ranks) -> dict[str, dict[str, Any]]:
    """For each recipe, after three steps: weights, buffers and last gradients, and what could be read."""
    found = {}
    for name, recipe in RECIPES.items():
        trainer = InDoublePrecision.of(recipe, array_file, ranks)
        read = [scalars_of(trainer.advance(), ranks).values for _ in range(3)]
        gan = trainer.gan
        tensors = {}
        for side in ("generator", "discriminator", "generator_ema"):
            network = getattr(gan, side)
            tensors |= {f"{side}.{key}": value.detach() for key, value in network.state_dict().items()}
            tensors |= {f"{side}.{key}.grad": value.grad for key, value in network.named_parameters()}
        found[name] = {"tensors": {k: v for k, v in tensors.items() if v is not None}, "read": read}
    return found


@pytest.mark.parametrize("number", [2, 4])
def test_several_are_one(number, array_file):
    """Three steps by several processes are three steps of one with the same batch, in every way of a step."""

    def work():
        with joined() as ranks:
            return trained(array_file, ranks)

    alone, shared = trained(array_file, ALONE), together(number, work)
    for name in RECIPES:
        for rank, found in enumerate(shared):
            assert found[name]["tensors"].keys() == alone[name]["tensors"].keys()
            for key, value in alone[name]["tensors"].items():
                message = f"{name}, rank {rank}: {key}"
                torch.testing.assert_close(
                    found[name]["tensors"][key],
                    value,
                    rtol=1e-7,
                    atol=1e-10,
                    msg=lambda m, t=message: f"{t}: {m}",
                )
            for ours, theirs in zip(found[name]["read"], alone[name]["read"], strict=True):
                assert ours == pytest.approx(theirs, rel=1e-5), "readings are those of the whole batch"


BATCH_NORM: dict[str, Any] = {"discriminator.normalisation": "batch"}


def in_float32(recipe, array_file: Path, ranks: Ranks) -> Trainer:
    dataset = open_images(array_file, size=recipe.size)
    return start(recipe, dataset, choose_engine("cpu", "float32"), 0, ranks)


def test_all_ranks_hold_the_same_bits_and_read_only_their_share(array_file):
    recipe = small("modern", stabilisers=["r1", "augmentation", "instance-noise"], **BATCH_NORM)

    def work():
        with joined() as ranks:
            trainer = in_float32(recipe, array_file, ranks)
            read, gather = [], trainer.dataset.batch
            trainer.dataset.batch = lambda indices: read.append(indices.tolist()) or gather(indices)
            for _ in range(4):
                trainer.advance()
            return live_tensors(trainer), read

    first, second = together(2, work)
    assert first[0].keys() == second[0].keys()
    assert all(torch.equal(value, second[0][name]) for name, value in first[0].items())
    whole: list[int] = []
    trainer = in_float32(recipe, array_file, ALONE)
    gather = trainer.dataset.batch
    trainer.dataset.batch = lambda indices: whole.extend(indices.tolist()) or gather(indices)
    for _ in range(4):
        trainer.advance()
    for step, (ours, theirs) in enumerate(zip(first[1], second[1], strict=True)):
        assert len(ours) == len(theirs) == 4
        assert {*ours, *theirs} == set(whole[8 * step : 8 * step + 8])


def test_what_is_not_finite_for_one_stops_all(array_file):
    def work():
        with joined() as ranks:
            trainer = in_float32(small(), array_file, ranks)
            shown = trainer.real
            trainer.real = lambda: shown() * (torch.nan if ranks.rank == 1 else 1)
            before = {
                name: tensor.clone() for name, tensor in live_tensors(trainer).items() if "_opt" in name
            }
            all_finite = trainer.advance().all_finite
            after = live_tensors(trainer)
            return bool(all_finite), all(torch.equal(value, after[name]) for name, value in before.items())

    assert together(2, work) == [(False, True)] * 2


@pytest.mark.parametrize(
    ("batch", "device", "match"),
    [
        (9, "cpu", "cannot be divided evenly among 2"),
        (8, "cuda:1", "2 processes cannot"),
        (8, "mps", "2 pro"),
    ],
)
def test_what_cannot_be_shared_is_refused(batch, device, match):
    ALONE.require(batch, torch.device(device))
    with pytest.raises(UsageError, match=match):
        Ranks(1, 2).require(batch, torch.device(device))


def test_what_the_launcher_says():
    assert launch({}).speaks
    assert launch({"RANK": "3", "WORLD_SIZE": "1"}).speaks, "a rank among one is no rank"
    here = launch({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "a"})
    assert (here.rank, here.local_rank, here.name, here.speaks) == (3, 1, "a", False)
    assert launch({"TORCHELASTIC_RUN_ID": "none"}).name not in (None, "none"), "torchrun calls many so"
    for wrong in ({"WORLD_SIZE": "many"}, {"WORLD_SIZE": "2", "RANK": "2"}):
        with pytest.raises(UsageError):
            launch(wrong)


def in_ranks(work: Callable[[], Run], number: int = 2) -> list[Any]:
    """The path of the run that each rank returns, or its error."""

    def path_of() -> Path:
        return work().path

    return together(number, path_of)


def state_of(path: Path) -> dict[str, Tensor]:
    newest = gz.open_run(path).history.newest(pytest.fail)
    assert newest is not None
    return newest.tensors


def test_a_run_goes_on_exactly_with_as_many_ranks(array_file, tmp_path):
    settings: dict[str, Any] = {"recipe": small(mirror=True), "precision": "float32", "images": 240}
    straight, *others = in_ranks(
        lambda: gz.train(array_file, out=tmp_path / "runs", checkpoint_seconds=0.01, **settings)
    )
    assert others == [straight], "every rank returns the run"
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["blobs-001"], "one alone writes"
    end = state_of(straight)

    history = gz.open_run(straight).history
    assert history.all()[0] < 240
    for images_seen in history.all()[1:]:
        history.path(images_seen).unlink()
    with pytest.raises(UsageError, match="ranks is 1 now and was 2") as refusal:
        gz.resume(straight)
    assert "--nproc-per-node=2" in refusal.value.hint
    assert in_ranks(lambda: gz.resume(straight)) == [straight, straight]
    again = state_of(straight)
    assert gz.open_run(straight).metadata.resumed_at_images == history.all()[0]
    assert all(torch.equal(value, again[name]) for name, value in end.items())
    assert in_ranks(lambda: gz.resume(straight)) == [straight, straight], "a finished run stays as it is"


def test_a_fork_by_several_is_exact_too(array_file, tmp_path):
    settings: dict[str, Any] = {"recipe": small(mirror=True, stabilisers=NOISE), "precision": "float32"}
    straight, _ = in_ranks(
        lambda: gz.train(array_file, images=80, out=tmp_path, checkpoint_seconds=0.01, **settings)
    )
    end, early = state_of(straight), gz.open_run(straight).history.all()[0]
    for at in (0, early):
        fork, other = in_ranks(lambda at=at: gz.resume(straight, from_images=at))
        assert fork == other != straight
        found = state_of(fork)
        assert all(torch.equal(value, found[name]) for name, value in end.items())


def test_followers_step_as_rank_0_does(array_file, tmp_path):
    """The same learning rates on their way down, and at the end the same bits."""

    def work():
        rates, advance, trainers = [], Trainer.advance, []

        def watched(trainer):
            outcome = advance(trainer)
            rates.append(float(trainer.gan.generator_optimizer.param_groups[0]["lr"]))
            trainers[:] = [trainer]
            return outcome

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Trainer, "advance", watched)
            gz.train(array_file, recipe=small(**FALLING), images=80, out=tmp_path)
        return rates, live_tensors(trainers[0])

    first, second = together(2, work)
    assert first[0] == second[0] == sorted(first[0], reverse=True)
    assert len(set(first[0])) == 10
    assert all(torch.equal(value, second[1][name]) for name, value in first[1].items())


@pytest.mark.parametrize(("name", "messages"), [("modern", 10), ("radford2015", 28)])
def test_the_number_of_messages_is_that_of_the_cost_model(name, messages, array_file):
    """docs/scaling.md: one for the gradients of each network, and two a pass for each batch norm."""

    def work():
        with joined() as ranks:
            trainer = in_float32(resolve(name, {"size": 64, "batch": 2}), array_file, ranks)
            trainer.index = 1  # no penalties
            sent, reduce = [], torch.distributed.all_reduce
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(
                    torch.distributed, "all_reduce", lambda tensor: sent.append(1) or reduce(tensor)
                )
                trainer.advance()
            return len(sent)

    assert together(2, work) == [messages] * 2


def test_another_set_of_images_on_one_machine_is_refused(array_file, tmp_path):
    np.save(tmp_path / "blobs.npy", blobs(200, 16, seed=1))

    def work():
        if launch().rank:
            follows = "ganzfeld.training.followers.open_images"
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(follows, lambda data, **given: open_images(tmp_path / "blobs.npy", **given))
                return gz.train(array_file, recipe=small(), images=80, out=tmp_path / "runs").path
        return gz.train(array_file, recipe=small(), images=80, out=tmp_path / "runs").path

    _, other = together(2, work)
    assert isinstance(other, Raised)
    assert other.kind == "DataError"


def test_a_divergence_ends_all_with_one_code(array_file, tmp_path):
    def work():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Loop, "_show", lambda loop: _poisoned(loop.trainer))
            return gz.train(array_file, recipe=small(), images=80, out=tmp_path)

    first, second = in_ranks(work)
    assert (first.kind, first.exit_code) == ("TrainingFailed", 4)
    assert (second.kind, second.exit_code) == ("Followed", 4)


def _poisoned(trainer: Trainer) -> None:
    with torch.no_grad():
        next(trainer.gan.generator.parameters()).fill_(torch.nan)
