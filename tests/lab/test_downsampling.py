"""Downsampling: what the closed forms say is what torch does, and a wrong one turns the verdict."""

from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ganzfeld.errors import UsageError
from ganzfeld.geometry import plan
from ganzfeld.lab import experiments, live, run
from ganzfeld.lab.experiments.downsampling import live as in_situ
from ganzfeld.lab.experiments.downsampling import theory, toy
from ganzfeld.lab.experiments.downsampling.downsamplers import KINDS, blind_plan, of_kind, share_lost
from ganzfeld.lab.outcome import by_key, verdict_of
from ganzfeld.lab.perform import settings_of
from ganzfeld.networks import Discriminator
from ganzfeld.training.build import num_parameters
from tests.lab.verdicts import verdicts


def bench(**settings):
    chosen = settings_of("downsampling", settings)
    figures, _ = toy.bench(chosen, 0, False)
    return figures


def value(figures, key: str) -> float:
    return by_key(figures)[key].value


def test_the_ladder_of_the_text():
    figures = bench()
    assert [value(figures, f"size-{number}") for number in range(1, 5)] == [32, 16, 8, 3]
    assert verdict_of(figures) == "holds with limits"
    assert value(figures, "unread") == 0
    assert value(figures, "unread-last-layer") == 3
    assert theory.paths(96, [(3, 3, 0), (4, 2, 1), (4, 2, 1), (3, 2, 0)])[-4:] == [1, 0, 0, 0]


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=3),
)
def test_ways_to_the_logit_are_those_of_the_gradient(size, layers):
    try:
        theory.sizes(size, layers)
    except UsageError:
        return
    assert theory.paths(size, layers) == toy._paths_by_torch(size, layers)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("conv_size", lambda size, kernel, stride, padding: -(-(size + 2 * padding - kernel) // stride) + 1),
        ("receptive_field", lambda layers: sum(kernel for kernel, _ in layers)),
        ("lost_at_border", lambda size, kernel, stride, padding: (size + 2 * padding - kernel) % stride),
        ("paths", lambda size, layers: [1] * size),
    ],
)
def test_a_wrong_formula_turns_the_verdict(monkeypatch, name, wrong):
    monkeypatch.setattr(theory, name, wrong)
    assert verdict_of(bench()) == "fails"


def test_without_departures_it_holds(monkeypatch):
    """Read every row, as the claim says: then no limit is left."""
    monkeypatch.setattr(toy, "_unread", lambda size, layers: 0)
    monkeypatch.setattr(theory, "lost_at_border", lambda *layer: 0)
    assert set(verdicts(bench()).values()) == {"holds"}


def test_a_live_discriminator_that_loses_a_row_is_seen(monkeypatch, short_training):
    short = experiments.load("downsampling").SHORT
    all_finite = run("downsampling", on=short_training, **short)
    assert verdicts(all_finite.figures)["logit"] == "holds with limits"

    def half_blind(self, images):
        hidden = images.clone()
        hidden[..., -1, :] = 0
        return self.logit(self.layers(hidden).flatten(1)).squeeze(1)

    monkeypatch.setattr(Discriminator, "forward", half_blind)
    assert verdicts(run("downsampling", on=short_training, **short).figures)["logit"] == "fails"


def test_kinds_have_equal_parameters_and_maps():
    like = Discriminator(plan(33), width=4)
    kinds = [of_kind(like, kind.make, 0) for kind in KINDS.values()]
    assert len({num_parameters(each) for each in kinds}) == 1
    images = torch.randn(2, 3, 33, 33)
    assert len({each.layers(images).shape for each in kinds}) == 1


def noted(sizes: list[float], module: nn.Module, inputs: object, output: torch.Tensor) -> None:
    sizes.append(float(output.detach().std()))


def test_kinds_begin_with_signals_of_one_size():
    """With equal weights an average pool makes signals smaller in every layer, and learns more slowly."""
    like, images = Discriminator(plan(32), width=8), torch.rand(64, 3, 32, 32) * 2 - 1
    for kind in KINDS.values():
        for equal in (False, True):
            network = of_kind(like, kind.make, 0, images if equal else None)
            sizes: list[float] = []
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    module.register_forward_hook(partial(noted, sizes))
            network(images)
            assert sizes == pytest.approx([1.0] * 4, rel=1e-3) if equal else max(sizes) < 0.5


def test_a_probe_measures_what_features_keep():
    """Features that hold the image predict it; those of a network that reads one half predict one half."""
    images = torch.randn(400, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network = Discriminator(plan(8), width=4, channels=1)
    lost = {}
    for name, kept in (("all", 1.0), ("half", 0.0)):
        mask = torch.ones(8, 8)
        mask[4:] = kept
        network.layers = nn.Sequential(Masked(mask))
        lost[name] = share_lost(network, images)
    assert lost["all"] < 0.1 and 0.45 < lost["half"] < 0.6


class Masked(nn.Module):
    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.mask = mask

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images * self.mask


@pytest.mark.parametrize(("worse", "state"), [("stride", "departs"), ("maximum-pooling", "agrees")])
def test_the_verdict_can_prefer_either(monkeypatch, short_training, worse: str, state: str):
    """Plant a measure by which strides, or pooling, lose more in every network."""
    noise = torch.Generator().manual_seed(0)

    def lost(discriminator: Discriminator, images: torch.Tensor) -> float:
        kinds = {type(module) for module in discriminator.modules()}
        is_worse = (nn.MaxPool2d in kinds) == (worse == "maximum-pooling")
        return float(is_worse) + 0.001 * float(torch.rand((), generator=noise))

    monkeypatch.setattr(in_situ, "share_lost", lost)
    figures, _ = in_situ._compared(live(short_training), settings_of("downsampling", {"steps": 1}), 0)
    assert by_key(figures)["lost-maximum-pooling-better"].state == state


def test_a_blind_plan_loses_a_cell():
    assert [layer.large[0] for layer in blind_plan((32, 32)).layers] == [8, 16, 32]
    assert blind_plan((32, 32)).seed == (3, 3)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"layers": [[0, 2, 1]]}, "kernel must be a whole number of at least 1"),
        ({"layers": [[4, 0, 1]]}, "stride must be a whole number of at least 1"),
        ({"layers": [[4, 2, -1]]}, "padding must be a whole number of at least 0"),
        ({"layers": [[4, 2, 1]], "size": 1}, "does not fit into 1 px"),
        ({"layers": []}, "at least one layer"),
        ({"layers": [[3, 1]]}, "lacks the field 'layers.0.2'"),
        ({"size": 0}, "size cannot be 0"),
        ({"seeds": 1}, "seeds cannot be 1"),
    ],
)
def test_what_means_nothing_is_refused(settings, says):
    with pytest.raises(UsageError, match=says) as caught:
        settings_of("downsampling", settings)
    assert "recipe" not in caught.value.hint
