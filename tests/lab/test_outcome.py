"""States follow from intervals, verdicts on sentences from states, and the verdict on a claim from those."""

import json
import math

import pytest
import torch

from ganzfeld.lab import Measured, Outcome, Sentence, verdict_of
from ganzfeld.lab.estimate import Estimate, example, mean_and_error
from ganzfeld.lab.measured import Relation
from ganzfeld.lab.outcome import by_key, claim, every, limit, numbered, shown, worst
from ganzfeld.lab.repeated import merged
from ganzfeld.lab.student import LEVEL
from ganzfeld.lab.words import expected


def of(key: str, role: str, value: float, of: str = "a") -> Measured:
    """Build a figure whose expected value is 1."""
    build = {"claim": claim, "limit": limit}[role]
    return build(key, key.upper(), value, 1.0, of=of)


@pytest.mark.parametrize(
    ("relation", "measured", "rival", "state"),
    [
        ("=", 1.0, 1.0, "agrees"),
        ("=", 1.0 + 2e-9, 1.0, "departs"),
        ("=", Estimate(1.3, 0.1, 4), 1.0, "agrees"),
        ("=", Estimate(1.3, 0.1), 1.0, "departs"),
        ("=", math.nan, 1.0, "open"),
        ("=", math.inf, 1.0, "open"),
        ("=", Estimate(1.0, math.nan, 4), 1.0, "open"),
        (">", 1.1, 1.0, "agrees"),
        (">", 0.9, 1.0, "departs"),
        (">", 1.0, 1.0, "open"),
        ("<", 1.0, 1.0, "open"),
        ("<", 0.9, 1.0, "agrees"),
        (">", Estimate(1.3, 0.1), 1.0, "agrees"),
        (">", Estimate(1.3, 0.1, 4), 1.0, "open"),
        ("<", Estimate(1.3, 0.1), 1.0, "departs"),
        (">", example(9.0), 1.0, "open"),
        (">", Estimate(2.0, 0.1, 4), Estimate(1.0, 0.1, 4), "agrees"),
        (">", Estimate(2.0, 0.1, 4), Estimate(1.0, 0.3, 4), "open"),
        (">", Estimate(2.0, 0.1, 4), example(1.0), "open"),
    ],
)
def test_state(relation: Relation, measured, rival, state: str):
    figure = claim("x", "X", measured, rival, of="a", relation=relation)
    assert figure.state == state
    assert (figure.reason is None) == (state != "open")
    json.dumps(figure.as_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "slack", "written"),
    [(7.0, 1.0, "8 to within 1"), (8.0, 1.0, "8"), (8 + 1e-10, 1e-9, "8"), (6.0, 1.0, "8")],
)
def test_a_value_that_only_its_tolerance_lets_agree_shows_it(value: float, slack: float, written: str):
    assert expected(claim("x", "X", value, 8.0, of="a", tolerance=slack)) == written


def test_a_margin_asks_for_more_than_that_an_interval_holds_the_value():
    def at(value: float, error: float) -> str | None:
        return claim("x", "X", Estimate(value, error, 9), 1.0, of="a", margin=0.5).state

    assert at(1.1, 0.01) == "agrees"
    assert at(1.1, 1.0) == "open", "it could be anything"
    assert at(2.0, 0.01) == "departs"


def test_two_replicas_refute_no_true_claim_more_often_than_they_may():
    """Draw two values each from N(1, 1): three standard errors refuted a fifth of such claims."""
    noise = torch.Generator().manual_seed(0)
    draws = 1 + torch.randn(4_000, 2, generator=noise)
    states = [claim("x", "X", mean_and_error(draw), 1.0, of="a").state for draw in draws]
    assert 20 <= states.count("departs") <= 62, "40 of 4000 are expected at 99 %"


@pytest.mark.parametrize(
    ("roles", "verdict"),
    [
        ([("claim", 1), ("limit", 1)], "holds"),
        ([("claim", 1), ("limit", 2)], "holds with limits"),
        ([("claim", 2), ("limit", 1)], "fails"),
        ([("claim", float("nan"))], "not decided"),
        ([("claim", float("nan")), ("claim", 2)], "fails"),
        ([("limit", 1), ("limit", 1)], "not decided"),
        ([("limit", 2), ("limit", 2)], "not decided"),
        ([], "not decided"),
    ],
)
def test_verdict(roles: list[tuple[str, float]], verdict: str):
    figures = [of(f"f{number}", *each) for number, each in enumerate(roles)]
    assert verdict_of([*figures, shown("more", "More", 7.0)]) == verdict


def test_the_verdict_on_a_claim_is_its_worst():
    assert worst(["holds", "holds with limits"]) == "holds with limits"
    assert worst(["holds with limits", "not decided"]) == "not decided"
    assert worst(["fails", "not decided"]) == "fails"
    assert worst([]) == "not decided"


def test_one_run_decides_nothing():
    alone = claim("x", "X", example(5.0), 1.0, of="a")
    assert alone.is_example
    assert verdict_of([alone]) == "not decided"
    assert verdict_of([alone, of("y", "claim", 1.0)]) == "holds"


def test_many_figures_of_a_sentence_share_the_chance_of_error():
    figures = [claim(f"f{number}", "F", Estimate(0.0, 1.0), 0.0, of="a") for number in range(10)]
    exact = claim("exact", "E", 0.0, 0.0, of="b")
    shared = every([*figures, exact])
    assert shared[0].level == pytest.approx(0.999)
    assert shared[-1].level == LEVEL
    assert every(shared) == shared


class TestMerged:
    def test_is_the_mean_with_students_interval(self):
        values = [1.0, 2.0, 3.0, 4.0, 6.0]
        figure = merged([claim("x", "X", value, 0.0, of="a", relation=">") for value in values])
        assert figure.value == 3.2 and figure.num_trainings == 5 and figure.dof == 4
        low, high = figure.interval
        assert high - low == pytest.approx(2 * 4.604095 * figure.error)

    def test_compares_with_a_rival_of_the_same_run(self):
        pairs = [(1.0, 0.9), (5.0, 4.9), (9.0, 8.9), (2.0, 1.89)]
        figure = merged([claim("x", "X", value, rival, of="a", relation=">") for value, rival in pairs])
        assert figure.state == "agrees", "the difference scatters little, whatever the values do"

    def test_of_one_run_is_an_example(self):
        figure = merged([claim("x", "X", Estimate(1.0, 0.01, 99), 0.0, of="a")])
        assert figure.is_example and figure.num_trainings == 1

    def test_of_an_identity_is_its_worst(self):
        def identity(value: float) -> Measured:
            return claim("x", "X", value, 1.0, of="a", identity=True)

        assert merged([identity(1.0), identity(1.0)]).state == "agrees"
        assert merged([identity(1.0), identity(2.0)]).state == "departs"
        assert merged([identity(1.0), identity(math.nan)]).state == "open"


def test_every_sentence_has_a_verdict_of_its_own():
    figures = (of("x", "claim", 1.0), of("y", "limit", 2.0, "b"), of("z", "claim", 1.0, "b"))
    sentences = {key: Sentence(f"{key.upper()} is so.", f"{key} 如此。") for key in "abc"}
    outcome = Outcome("some", {}, 0, (*figures, shown("w", "W", 3.0)), "Do.", {}, sentences)
    assert json.loads(json.dumps(outcome.as_json()))["claims"] == [
        {"key": "a", "sentence": "A is so.", "seed": "a 如此。", "verdict": "holds", "figures": ["x"]},
        {
            "key": "b",
            "sentence": "B is so.",
            "seed": "b 如此。",
            "verdict": "holds with limits",
            "figures": ["y", "z"],
        },
        {"key": "c", "sentence": "C is so.", "seed": "c 如此。", "verdict": "not decided", "figures": []},
    ]
    assert outcome.verdict == "not decided"


def test_trainings_are_counted_where_a_figure_is_over_them():
    assert "num_trainings" not in shown("x", "X", 1.0).as_json()
    assert shown("x", "X", Estimate(1.0, 0.1), num_trainings=5).as_json()["num_trainings"] == 5


def test_figures_are_looked_up_by_key():
    figures = [shown(key, key, value) for value, key in enumerate(("layer-2", "layer-1", "other", "layer-4"))]
    assert by_key(figures)["other"].value == 2
    assert [figure.key for figure in numbered(by_key(figures), "layer")] == ["layer-1", "layer-2"]
    with pytest.raises(AssertionError, match="the key other"):
        by_key([*figures, figures[2]])
