"""How often edits of images succeed, and how much else they change, with intervals over latents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ganzfeld.metrics.intervals import NORMAL_95

Part = Literal["success", "collateral"]


@dataclass(frozen=True)
class Success:
    """A share from 0 to 1 with its 95 % interval, which covers the choice of latents."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """The share with its interval, in words."""
        return f"{self.value:.0%} ({self.low:.0%} to {self.high:.0%})"

    @property
    def precise(self) -> str:
        """The share with its interval, in words with one more digit."""
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"

    def as_json(self) -> dict[str, float]:
        """Return it as plain data."""
        return {name: round(value, 4) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Counts:
    """For each latent (n,): how many edits could succeed and did, and how many attributes could change and
    did.
    """

    tried: np.ndarray
    succeeded: np.ndarray
    others: np.ndarray
    changed: np.ndarray

    def part(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of hits and the number of tries of each latent."""
        return (self.succeeded, self.tried) if part == "success" else (self.changed, self.others)


def measure_success(before: np.ndarray, after: np.ndarray, attribute: int, value: int) -> Counts:
    """Compare attributes (n, attributes) before and after an edit that should give one of them a value.

    Images that had the value before count neither for success nor for what else has changed.
    """
    tried = before[:, attribute] != value
    others = np.delete(before, attribute, 1) != np.delete(after, attribute, 1)
    return Counts(
        tried.astype(np.int64),
        (tried & (after[:, attribute] == value)).astype(np.int64),
        tried * others.shape[1],
        tried * others.sum(1),
    )


def interval(counts: Counts, part: Part) -> Success | None:
    """Return a share with its interval by Wilson's formula for independent latents; None without tries."""
    hits, tries = counts.part(part)
    latents = int((tries > 0).sum())
    if not latents:
        return None
    return wilson(float(hits.sum() / tries.sum()), latents)


def wilson(value: float, num: int) -> Success:
    """Return a share of ``num`` independent cases with its 95 % interval by Wilson's formula (1927)."""
    z2 = NORMAL_95**2 / num
    half = np.sqrt(z2 * value * (1 - value) + z2**2 / 4) / (1 + z2)
    centre = (value + z2 / 2) / (1 + z2)
    low, high = float(max(0.0, centre - half)), float(min(1.0, centre + half))
    return Success(value, min(low, value), max(high, value))  # rounding may put 1 outside


def overall(counts: Sequence[Counts], part: Part) -> Success | None:
    """Return the share over all edits; its interval is a jackknife over latents, which all edits share."""
    hits = np.sum([count.part(part)[0] for count in counts], 0)
    tries = np.sum([count.part(part)[1] for count in counts], 0)
    if tries.sum() == 0:
        return None
    value, num = float(hits.sum() / tries.sum()), len(hits)
    without = (hits.sum() - hits) / np.maximum(tries.sum() - tries, 1)
    error = float(np.sqrt((num - 1) / num * np.square(without - without.mean()).sum()))
    return Success(value, max(0.0, value - NORMAL_95 * error), min(1.0, value + NORMAL_95 * error))
