"""The benchmarks of speed measure what they say. No test depends on the speed itself."""

import itertools
import json
import math
import re
import time

import pytest
import torch
from torch import nn

from ganzfeld.bench.classical import ClassicalTraining, classical_discriminator, classical_generator
from ganzfeld.bench.ingest import bench_ingest
from ganzfeld.bench.input_share import _second_epoch, share_of_input
from ganzfeld.bench.peak import _LEAST_S, _rate, peak_flops_per_s
from ganzfeld.bench.roofline import map_speeds
from ganzfeld.bench.speed import (
    LEAST_S,
    SAME_WIDTHS,
    _counted_flops,
    _flops_of_step,
    _in_turns,
    _trainer,
    _turn,
    bench_sample,
    bench_train,
)
from ganzfeld.cli import main
from ganzfeld.compute.fast_path import USUAL
from ganzfeld.compute.lanes import Laned
from ganzfeld.recipes import resolve
from ganzfeld.training.build import build_networks, num_parameters
from ganzfeld.training.snapshot import live_tensors
from tests.conftest import draw_few_faces

pytestmark = pytest.mark.machine


@pytest.fixture(autouse=True)
def few_faces(monkeypatch):
    """The benchmarks train on the built-in faces."""
    draw_few_faces(monkeypatch, 64)


def test_both_sides_have_the_same_widths():
    ours = build_networks(resolve("radford2015", SAME_WIDTHS), 3)
    for network, classical in zip(ours, (classical_generator(), classical_discriminator()), strict=True):
        our_layers, their_layers = (
            {tuple(weight.shape) for weight in each.parameters() if weight.dim() == 4}
            for each in (network, classical)
        )
        assert len(our_layers) == 4
        assert len(their_layers - our_layers) == 1, "the one next to the latent or the logit is linear here"
        assert not our_layers - their_layers
    assert num_parameters(classical_generator()) == 3_576_704
    assert num_parameters(classical_discriminator()) == 2_765_568


def test_the_classical_loop_learns():
    """Check that D's loss falls on one batch and that both networks change."""
    torch.manual_seed(0)
    training = ClassicalTraining(torch.device("cpu"))
    real = torch.rand(4, 3, 64, 64) * 2 - 1
    before = [next(network.parameters()).clone() for network in (training.generator, training.discriminator)]
    losses = [training.step(real)[0] for _ in range(6)]
    assert losses[-1] < losses[0]
    for weight, network in zip(before, (training.generator, training.discriminator), strict=True):
        assert not torch.equal(weight, next(network.parameters()))
    assert isinstance(training.generator[-1], nn.Tanh)


def test_every_map_of_every_layer_is_measured():
    """Their operations are those of the plan, and the networks and the route stay as they were."""
    recipe = resolve("modern", {"size": 16, "generator.width": 8, "discriminator.width": 8, "batch": 4})
    trainer = _trainer(recipe, "plain", "float32")
    before = {name: tensor.clone() for name, tensor in live_tensors(trainer).items()}
    speeds = map_speeds(trainer, peak_flops_per_s=1e9)
    assert {(speed.layer, speed.map) for speed in speeds} == set(
        itertools.product(trainer.strided_layers, ("convolve", "spread", "correlate"))
    )
    ladder = recipe.plan()
    projection = 2 * recipe.latent.size * ladder.widths(8)[0] * math.prod(ladder.seed)
    of_generator = sum(
        speed.flops for speed in speeds if speed.layer.startswith("generator") and speed.map == "spread"
    )
    assert of_generator == 4 * (ladder.flops(8, 3, recipe.latent.size)[0] - projection)
    assert all(speed.limit_s >= speed.flops / 1e9 > 0 and speed.way == "direct" for speed in speeds)
    assert trainer.gan.generator.training and trainer.gan.discriminator.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in live_tensors(trainer).items())


@pytest.mark.thorough
def test_operations_are_counted():
    """Expect three passes through G and six through D, about 0.21 GFLOP each at 64 px."""
    figures = bench_train(rounds=1, batch=2, with_parts=True)
    assert figures.flops_per_image / 9 == pytest.approx(0.21e9, rel=0.05)
    assert set(figures.parts) - {"two lanes"} == {  # which are used only where they are faster
        "one pass through D",
        "shared backward pass",
        "shared penalties",
        "traced steps",
        "measured ways of layers",
        "all of them",
    }
    assert figures.share_of_peak == pytest.approx(
        figures.ours_images_per_s * figures.flops_per_image / figures.peak_flops_per_s
    )


@pytest.fixture
def clock(monkeypatch):
    """Let time pass only in ``sleep``, however busy the machine is."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])


@pytest.mark.usefixtures("clock")
def test_what_is_too_short_to_be_measured_is_made_larger():
    """Enlarge the work, since a large GPU finishes 1,000 by 1,000 before the next call."""
    scales = []

    def work(scale, device, precision):
        scales.append(scale)

        def compute():
            time.sleep(_LEAST_S / 4 * scale)
            return torch.zeros(())

        return compute, 1e6 * scale

    rate = _rate(work, torch.device("cpu"), torch.float32)
    assert scales == [1, 2, 4]
    assert rate == pytest.approx(1e6 * scales[-1] / _LEAST_S)


@pytest.mark.usefixtures("clock")
def test_short_steps_are_repeated_and_long_ones_are_not():
    calls = {"short": 0, "long": 0}

    def act(name, seconds):
        calls[name] += 1
        time.sleep(seconds)

    sides = {"short": lambda: act("short", LEAST_S / 8), "long": lambda: act("long", LEAST_S)}
    speeds = _in_turns(sides, 1, 5, torch.device("cpu"))
    assert calls["long"] == 2, "once to set things up"
    assert calls["short"] in (9, 10), "eight eighths may lack the last bit"
    assert (speeds["long"][0], speeds["short"][0]) == pytest.approx((5 / LEAST_S, 8 * 5 / LEAST_S))


def test_operations_of_any_recipe_are_counted_as_they_are_made():
    """Compare with the formula for the classical recipe, except for passes that it omits."""
    trainer = _trainer(resolve("radford2015", SAME_WIDTHS | {"batch": 2}), "plain", "float32")
    assert _counted_flops(trainer, 1) == pytest.approx(_flops_of_step(trainer.recipe), rel=0.2)


@pytest.mark.thorough
def test_another_recipe_is_measured_against_itself_done_plainly(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["bench", "train", "--recipe", "modern", "--rounds", "1", "--batch", "2", "--json"])
    assert not ended.value.code
    figures = json.loads(capsys.readouterr().out)
    assert figures["recipe"] == "modern"
    assert figures["share_of_peak"] >= 0, "0.000 of a large chip, above 1 on a busy one"
    with pytest.raises(SystemExit) as ended:
        main(["bench", "train", "--recipe", "modem"])
    assert ended.value.code == 2


def test_lazy_penalties_are_measured_in_whole_turns():
    """Measure whole periods, since a step with penalties may take twice as long."""
    calls = []
    _in_turns({"one": lambda: calls.append(time.sleep(LEAST_S / 2.5))}, 1, 5, torch.device("cpu"), 4)
    assert len(calls) == 8


@pytest.mark.usefixtures("clock")
def test_every_side_is_called_until_it_has_settled():
    calls = {"one": 0, "two": 0}

    def act(name):
        calls[name] += 1
        time.sleep(LEAST_S)

    settles_after = {"one": 5, "two": 3}
    _in_turns(
        {name: lambda name=name: act(name) for name in calls},
        *(1, 5, torch.device("cpu"), 2),
        is_settled=lambda: all(not num or num >= settles_after[name] for name, num in calls.items()),
    )
    assert calls == {"one": 6 + 2, "two": 4 + 2}, "in whole turns, and two calls that are measured"


@pytest.mark.parametrize("changes", [{}, {"discriminator_steps": 3}, {"updates": "simultaneous"}], ids=str)
def test_lanes_are_chosen_before_anything_is_measured(monkeypatch, changes):
    """Whatever the recipe: each kind of step is timed some times, and shared by two lanes only then."""
    small = {"size": 16, "generator.width": 4, "discriminator.width": 4, "latent.size": 8, "batch": 4}
    trainer = _trainer(resolve("modern", small | changes), "plain", "float32")
    trainer.take(USUAL.model_copy(update={"threads": 1, "lanes": 2}))
    laned, before = [], []

    def counted(trace, durations):
        laned.append(trace)
        return Laned(trace, durations)

    monkeypatch.setattr("ganzfeld.compute.tracing.Laned", counted)
    monkeypatch.setattr("ganzfeld.bench.speed.wait_for", lambda _device: before.append(len(laned)))
    sides, turn = {"ours": trainer.advance}, _turn(trainer)
    _in_turns(sides, 1, 4, torch.device("cpu"), turn, lambda: trainer.is_settled)
    kinds = len(next(iter(trainer._traced_updates.values())).replay)
    assert kinds >= 2 and before == [kinds, kinds]


@pytest.mark.thorough
def test_sampling():
    figures = bench_sample(rounds=1, num=2)
    assert figures.flops_per_image == pytest.approx(0.21e9, rel=0.05)
    assert figures.as_json()["batch"] == 2


def test_the_best_rate_is_the_chips():
    rate, of = peak_flops_per_s(torch.device("cpu"))
    assert rate > 1e9
    assert of.split()[0] in ("bfloat16", "float32")


def test_json_has_the_contracts_keys(capsys, tmp_path):
    page = tmp_path / "page.md"
    with pytest.raises(SystemExit) as ended:
        main(["bench", "train", "--rounds", "1", "--batch", "2", "--json", "--out", str(page)])
    assert not ended.value.code
    figures = json.loads(capsys.readouterr().out)
    assert {"plain_images_per_s", "ours_images_per_s", "ratio", "share_of_peak"} <= set(figures)
    assert "## Training" in page.read_text()
    assert "`ganzfeld bench train --rounds 1 --batch 2`" in page.read_text()


@pytest.mark.thorough
def test_without_a_further_word_all_is_measured_and_written(capsys, tmp_path, monkeypatch):
    """Run the real benchmarks on the smallest possible input."""
    monkeypatch.chdir(tmp_path)
    few = {
        "ingest.bench_ingest": lambda *_: bench_ingest(16, 1, 10),
        "input_share.input_shares": lambda _: {8: share_of_input(_second_epoch(8), 1)},
        "speed.bench_train": lambda *_: bench_train(1, 2),
        "speed.bench_sample": lambda *_: bench_sample(1, 2),
    }
    for name, smaller in few.items():
        monkeypatch.setattr(f"ganzfeld.bench.{name}", smaller)
    with pytest.raises(SystemExit) as ended:
        main(["bench", "--json"])
    assert not ended.value.code
    figures = json.loads(capsys.readouterr().out)
    assert {"ingest", "train", "sample"} == set(figures)
    assert figures["train"]["batch"] == 2
    page = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert re.findall("^## (.*)$", page, re.MULTILINE) == [
        *("Ingest", "Input while training", "Training", "Sampling")
    ]


def test_a_page_that_cannot_be_written_is_told_before_anything_is_measured(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs" / "benchmarks.md").mkdir(parents=True)
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    for wanted, code in (
        (["bench"], 6),
        (["bench", "sample", "--out", "latin.md"], 2),
        (["bench", "--json", "train"], 2),
    ):
        monkeypatch.setattr("ganzfeld.bench.ingest.bench_ingest", pytest.fail)
        monkeypatch.setattr("ganzfeld.bench.speed.bench_sample", pytest.fail)
        monkeypatch.setattr("ganzfeld.bench.speed.bench_train", pytest.fail)
        with pytest.raises(SystemExit) as ended:
            main(wanted)
        assert ended.value.code == code, capsys.readouterr().err
