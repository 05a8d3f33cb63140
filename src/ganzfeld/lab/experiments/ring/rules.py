"""The losses and stabilisers that ``ring`` plays by."""

from collections.abc import Sequence
from typing import Any

from ganzfeld.losses import losses
from ganzfeld.stabilisers import stabilisers

StepConfig = tuple[str, tuple[dict[str, Any], ...]]
"""A loss, and stabilisers as a recipe has them."""

CHOSEN: tuple[StepConfig, ...] = (
    ("minimax", ()),
    ("non-saturating", ()),
    ("wasserstein", ()),
    ("non-saturating", ({"name": "r1", "weight": 0.1},)),
    ("wasserstein", ({"name": "wgan-gp", "weight": 1.0},)),
    ("relativistic-pairing", ({"name": "r1", "weight": 0.1}, {"name": "r2", "weight": 0.1})),
)
"""Losses and stabilisers of the usual run; weights for points, whose scale is not that of images."""

WEIGHTS = {"r1": 0.1, "r2": 0.1, "wgan-gp": 1.0}


def label(loss: str, chosen: Sequence[dict[str, Any]]) -> str:
    """Name rules for people: ``loss + stabiliser + ...``."""
    return " + ".join([loss, *(choice["name"] for choice in chosen)])


def key_of(loss: str, chosen: Sequence[dict[str, Any]]) -> str:
    """Return the key of rules in figures: the loss and the stabilisers, joined by hyphens."""
    return "-".join([loss, *(choice["name"] for choice in chosen)])


def every_entry() -> tuple[StepConfig, ...]:
    """List every loss of the catalogue alone and with every stabiliser, and the usual ones with several."""
    entries = [
        (
            loss,
            tuple({"name": name, **({"weight": WEIGHTS[name]} if name in WEIGHTS else {})} for name in names),
        )
        for loss in losses.names()
        for names in ((), *((name,) for name in stabilisers.names()))
    ]
    known = {label(*entry) for entry in entries}
    return (*entries, *(entry for entry in CHOSEN if label(*entry) not in known))
