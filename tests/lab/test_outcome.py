"""Verdicts follow from figures: of the whole claim, and of each of its sentences."""

import json

import pytest

from ganzfeld.lab import Measured, Outcome, verdict_of
from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.outcome import by_key, claim, limit, numbered, shown


def of(key: str, role: str, value: float, of: str = "a") -> Measured:
    """Build a figure whose expected value is 1."""
    build = {"claim": claim, "limit": limit}[role]
    return build(key, key.upper(), value, 1.0, of=of)


@pytest.mark.parametrize(
    ("roles", "verdict"),
    [
        ([("claim", 1), ("limit", 1)], "holds"),
        ([("claim", 1), ("limit", 2)], "holds with limits"),
        ([("claim", 2), ("limit", 1)], "fails"),
        ([("claim", float("nan"))], "fails"),
        ([("limit", 1), ("limit", 1)], "holds"),
        ([("limit", 1), ("limit", 2)], "holds with limits"),
        ([("limit", 2), ("limit", 2)], "fails"),
        ([], "not decided"),
    ],
)
def test_verdict(roles: list[tuple[str, float]], verdict: str):
    figures = [of(f"f{number}", *each) for number, each in enumerate(roles)]
    assert verdict_of([*figures, shown("more", "More", 7.0)]) == verdict


def test_every_sentence_has_a_verdict_of_its_own():
    figures = (of("x", "claim", 1.0), of("y", "limit", 2.0, "b"), of("z", "claim", 1.0, "b"))
    sentences = {"a": "A is so.", "b": "B is so.", "c": "C is so."}
    outcome = Outcome("some", {}, 0, (*figures, shown("w", "W", 3.0)), "Do.", {}, sentences)
    assert json.loads(json.dumps(outcome.as_json()))["claims"] == [
        {"key": "a", "sentence": "A is so.", "verdict": "holds", "figures": ["x"]},
        {"key": "b", "sentence": "B is so.", "verdict": "holds with limits", "figures": ["y", "z"]},
        {"key": "c", "sentence": "C is so.", "verdict": "not decided", "figures": []},
    ]


def test_trainings_are_counted_where_a_figure_is_over_them():
    assert "num_trainings" not in shown("x", "X", 1.0).as_json()
    assert shown("x", "X", Estimate(1.0, 0.1), num_trainings=5).as_json()["num_trainings"] == 5


def test_figures_are_looked_up_by_key():
    figures = [shown(key, key, value) for value, key in enumerate(("layer-2", "layer-1", "other", "layer-4"))]
    assert by_key(figures)["other"].value == 2
    assert [figure.key for figure in numbered(by_key(figures), "layer")] == ["layer-1", "layer-2"]
    with pytest.raises(AssertionError, match="the key other"):
        by_key([*figures, figures[2]])
