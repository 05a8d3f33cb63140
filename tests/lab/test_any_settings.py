"""Every experiment, any legal settings: it measures, and no identity fails.

Settings are drawn over their whole range, its corners more often. What only costs time is drawn near the
short settings. Games and formulas may overflow to infinity; no figure may be NaN.
"""

import dataclasses
import math
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzfeld.compute.engine import computing_with
from ganzfeld.errors import UsageError
from ganzfeld.lab import experiments
from ganzfeld.lab.outcome import Measured, by_key
from ganzfeld.lab.perform import settings_of

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of overflow


def numbers(low: float, high: float, *others: float) -> st.SearchStrategy[float]:
    """Numbers between two that are above 0, as often of each order of magnitude, and their ends."""
    between = (
        st.floats(math.log(low), math.log(high)).map(math.exp).map(lambda value: min(high, max(low, value)))
    )
    return between | st.sampled_from([low, high, *others])


def whole(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high) | st.sampled_from([low, high])


LAYER = st.tuples(st.integers(1, 8), st.integers(1, 8), st.integers(0, 8))

DRAWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "batch-leak": {"batch": whole(2, 64), "distance": numbers(1e-6, 10)},
    "batch-noise": {"batch": whole(2, 256), "side": whole(2, 16), "reach": numbers(1e-9, 1000, 0.0)},
    "bounded-output": {
        "reach": numbers(1.0001, 19),
        "target": st.floats(-0.9, 0.9) | st.sampled_from([-0.9, 0.0, 0.9]),
        "rate": numbers(1e-6, 10),
        "steps": whole(1, 100),
    },
    "convergence": {
        "step": numbers(0.01, 1),
        "weight": numbers(0.01, 1000),
        "steps_of_d": whole(2, 20),
        "momentum": st.floats(0.05, 0.9),
    },
    "downsampling": {"size": whole(1, 200), "layers": st.lists(LAYER, min_size=1, max_size=4).map(tuple)},
    "latent-prior": {"latent_size": whole(2, 512), "threshold": numbers(1e-6, 100)},
    "leaky-slope": {
        "alpha": st.floats(0, 1) | st.sampled_from([0.0, 1.0]),
        "mean": st.floats(-1000, 1000) | st.just(0.0),
        "std": numbers(1e-6, 1000),
        "depth": whole(1, 60),
    },
    "loss-surface": {
        "batch": whole(2, 16),
        "rate": numbers(1e-5, 1e-2),
        "deviation": numbers(0.01, 100),
    },
    "ring": {"mixture": st.sampled_from(["ring", "grid"]), "sigma": numbers(0.01, 0.15)},
    "saturating-loss": {"num_steps": whole(1, 32)},
    "soft-labels": {
        "alpha": st.floats(0, 0.4999) | st.sampled_from([0.0, 1e-9, 0.49, 0.4999]),
        "temperature": numbers(1e-6, 1e6, 1.0),
        "distance": numbers(1e-3, 20),
    },
    "spiral": {
        "lg": numbers(1e-6, 10, 0.0),
        "ld": numbers(1e-6, 10, 0.0),
        "step": numbers(1e-4, 10),
        "strength": numbers(1e-4, 10),
        "beta": st.floats(0, 0.99) | st.just(0.0),
    },
    "upsampling": {
        "kernel": whole(1, 16),
        "stride": whole(1, 8),
        "padding": whole(0, 16),
        "size": whole(1, 64),
        "layers": whole(1, 6),
    },
}

COSTS = {
    *("draws", "steps", "networks", "trainings", "images", "seeds", "pixels", "num_rounds", "num_points"),
    *("num_steps", "cells", "fan", "rounds", "replicas", "width", "latents", "mixture"),
}
"""Settings that only cost time, and are those of ``SHORT`` where they are not drawn."""

NUM_DRAWS = int(os.environ.get("GANZFELD_TEST_DRAWS", "12"))
"""Number of settings drawn per experiment; more of them for a search by hand."""

KNOWN: dict[str, list[dict[str, Any]]] = {
    "upsampling": [
        *({"kernel": 16}, {"stride": 5}, {"stride": 8}),
        {"kernel": 16, "stride": 1, "padding": 15, "size": 64},
    ],
    "soft-labels": [{"temperature": 1e6}, {"temperature": 0.01, "alpha": 0.49}],
    "spiral": [{"lg": 10, "ld": 10, "step": 10}, {"lg": 1.0, "ld": 10, "step": 1.0, "strength": 1.0}],
    "bounded-output": [{"steps": 1, "rate": 0.001, "target": 0.9}],
}
"""Settings that raised, or made an identity fail."""


def measured(name: str, drawn: dict[str, Any]) -> list[Measured]:
    entry = experiments.load(name)
    chosen = settings_of(name, {**entry.SHORT, **drawn})
    with computing_with(1):
        figures, _ = experiments.load(name, "toy").bench(chosen, 0, False)
    by_key(figures)
    return list(figures)


def is_formula(figure: Measured) -> bool:
    """Whether a figure is the error of a formula; an inequality is a statement about the settings."""
    return figure.part == "closed form" and figure.role == "claim" and figure.relation == "="


def faults(figures: list[Measured]) -> list[tuple[str, float]]:
    """Identities that depart, and figures without a number."""
    return [
        (figure.key, figure.value)
        for figure in figures
        if math.isnan(figure.value) or (figure.departs and (figure.identity or is_formula(figure)))
    ]


def check(name: str, drawn: dict[str, Any]) -> None:
    try:
        figures = measured(name, drawn)
    except UsageError:  # combinations that mean nothing are refused in words
        return
    assert faults(figures) == [], drawn


@pytest.mark.parametrize("name", experiments.names())
def test_every_setting_is_drawn_or_only_costs_time(name: str):
    assert set(type(settings_of(name, {})).model_fields) <= set(DRAWN[name]) | COSTS


@pytest.mark.parametrize(("name", "drawn"), [(name, drawn) for name in KNOWN for drawn in KNOWN[name]])
def test_settings_that_were_refuted(name: str, drawn: dict[str, Any]):
    check(name, drawn)


# The same draws every time, so that a change fails only for what it changed.
@pytest.mark.thorough
@pytest.mark.parametrize("name", experiments.names())
@settings(
    max_examples=NUM_DRAWS,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_any_settings(name: str, data: st.DataObject):
    check(name, data.draw(st.fixed_dictionaries(DRAWN[name])))


def test_a_planted_fault_is_seen():
    figures = measured("soft-labels", {})
    broken = [dataclasses.replace(figures[0], value=math.nan)]
    assert not faults(figures) and faults(broken)
