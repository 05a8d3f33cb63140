"""The losses and stabilisers that ``ring`` compares."""

from collections.abc import Sequence
from typing import Any

from ganzfeld.losses import losses
from ganzfeld.stabilisers import stabilisers

Entry = tuple[str, tuple[dict[str, Any], ...]]
"""A loss, and stabilisers as a recipe writes them."""

CHOSEN: tuple[Entry, ...] = (
    ("minimax", ()),
    ("non-saturating", ()),
    ("wasserstein", ()),
    ("non-saturating", ({"name": "r1", "weight": 0.1},)),
    ("wasserstein", ({"name": "wgan-gp", "weight": 1.0},)),
    ("relativistic-pairing", ({"name": "r1", "weight": 0.1}, {"name": "r2", "weight": 0.1})),
)
"""Losses and stabilisers that are compared by default; the weights are for points, which scale differently
from images.
"""

WEIGHTS = {"r1": 0.1, "r2": 0.1, "wgan-gp": 1.0}
"""Weights of stabilisers for points; others have their default."""


def label(loss: str, chosen: Sequence[dict[str, Any]]) -> str:
    """Name rules for people: ``loss + stabiliser + ...``."""
    return " + ".join([loss, *(choice["name"] for choice in chosen)])


def key_of(loss: str, chosen: Sequence[dict[str, Any]]) -> str:
    """Return the key of rules in figures: the loss and the stabilisers, joined by hyphens."""
    return "-".join([loss, *(choice["name"] for choice in chosen)])


def every_entry() -> tuple[Entry, ...]:
    """List every loss alone and with every stabiliser, and those of ``CHOSEN`` with several stabilisers."""
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
