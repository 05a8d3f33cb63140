"""The ring: measures against exact points, and verdicts that turn when the opposite is planted."""

import math

import numpy as np
import pytest
import torch

from ganzfeld.errors import UsageError
from ganzfeld.lab import live, run, verdict_of
from ganzfeld.lab.experiments.ring import SHORT as SHORT_SETTINGS
from ganzfeld.lab.experiments.ring import Settings, rules, theory, toy
from ganzfeld.lab.experiments.ring import live as in_situ
from ganzfeld.lab.game import Coverage
from ganzfeld.lab.outcome import by_key
from ganzfeld.losses import losses
from ganzfeld.stabilisers import stabilisers

SHORT = Settings.model_validate(SHORT_SETTINGS)


def test_measures_of_exact_points_are_their_closed_forms():
    for mixture in ("ring", "grid"):
        figures = toy._measures(Settings(mixture=mixture), 0)
        assert verdict_of(figures) == "holds"


@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        ("expected_divergence", lambda num_modes, num_points: 0.0),
        ("coverage", lambda mixture, points: Coverage(8.0, 0.9, 0.001, 2.0)),
    ],
)
def test_a_wrong_measure_turns_the_verdict(monkeypatch, what: str, wrong):
    monkeypatch.setattr(theory if what == "expected_divergence" else toy, what, wrong)
    assert verdict_of(toy._measures(Settings(), 0)) == "fails"


def test_a_lost_mode_turns_the_verdict():
    measured = toy._measures(Settings(), 0)
    whole = np.array([[8, 0.9, 0.01, 2.0]] * 5, float)
    lost = whole.copy()
    lost[3, 0] = 6  # in one seed of five
    held = toy._figures("some-r1", "some loss + r1", whole, 8, True)
    assert verdict_of([*measured, *held]) == "holds"
    assert verdict_of([*measured, *toy._figures("some-r1", "some loss + r1", lost, 8, True)]) == "fails"
    assert verdict_of([*measured, *toy._figures("some", "some loss", lost, 8, False)]) == "holds with limits"


def test_thorough_covers_both_catalogues():
    entries = rules.every_entry()
    assert {loss for loss, _ in entries} == set(losses.names())
    for loss in losses.names():
        alone = {each["name"] for name, chosen in entries if name == loss for each in chosen}
        assert alone == set(stabilisers.names())
    names = [rules.label(*entry) for entry in entries]
    assert len(names) == len(set(names))
    assert {rules.label(*entry) for entry in rules.CHOSEN} <= set(names)


@pytest.mark.parametrize("entry", rules.CHOSEN, ids=lambda entry: rules.label(*entry))
def test_every_seed_is_a_game_of_its_own(entry):
    covered, points = toy.play(SHORT, *entry, seed=0)
    again, same = toy.play(SHORT, *entry, seed=0)
    assert torch.equal(points, same)
    assert covered == again
    assert points.shape == (2, toy.NUM_POINTS, 2)
    assert not torch.allclose(points[0], points[1], atol=0.01)


def test_clusters_that_a_generator_never_reaches_are_missed(monkeypatch, short_training):
    networks = live(short_training)
    one = networks.latents(1)
    monkeypatch.setattr(type(networks), "latents", lambda self, num, seed=0: one.repeat(num, 1))
    figures = by_key(in_situ.in_situ(networks, SHORT, 0)[0])
    reached = figures["clusters-generated"]
    assert reached.value == 1
    assert figures["clusters-real"].value == 8


def test_clusters_are_found_again():
    true = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    points = true.repeat(30, 1) + 0.1 * torch.randn(90, 2)
    found = in_situ.clusters(points, 3, 0)
    assert float(torch.cdist(true, found).min(1).values.max()) < 0.1


def test_divergence_is_that_of_the_formula():
    found = in_situ.divergence(np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.5, 0.25]))
    assert found == pytest.approx(0.5 * math.log(2))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sigma": 0}, "sigma is from 0.01 to 0.15"),
        ({"sigma": 0.3}, "sigma is from 0.01 to 0.15"),
        ({"seeds": 1}, "seeds cannot be 1"),
        ({"mixture": "square"}, "mixture cannot be"),
    ],
)
def test_settings_that_mean_nothing_are_refused(short_training, settings, words: str):
    with pytest.raises(UsageError, match=words):
        run("ring", on=short_training, **settings)
