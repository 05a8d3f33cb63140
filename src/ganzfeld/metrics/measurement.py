"""Figures with all that they depend on, so that they can be repeated and compared correctly."""

import math
from dataclasses import dataclass
from typing import Any

from ganzfeld.metrics.comparison import Comparison
from ganzfeld.metrics.intervals import Figure
from ganzfeld.metrics.measures import chosen, measures, with_meaning
from ganzfeld.progress import CountCallback, silent

PIXELS = "pixels"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The same figure of a baseline, and whether it is better than the generator's beyond both intervals."""

    name: str
    figure: Figure
    wins: bool

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON; numbers that are not finite become None."""
        numbers = {name: getattr(self.figure, name) for name in ("value", "low", "high")}
        finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        return {"name": self.name, **finite, "wins": self.wins}


@dataclass(frozen=True, slots=True)
class Measurement:
    """A figure with its 95 % interval, and how it was measured.

    ``features`` is the name of the feature space, or what a measure uses that has none: ``pixels``,
    ``letters`` or ``values``; such a measure has no digest and no resizing. ``baselines`` are those of the
    kind of data; there are none for images.
    """

    figure: Figure
    num_samples: int
    num_reals: int
    features: str
    features_sha256: str | None
    resize_px: int | None
    seed: int
    meaning: str
    baselines: tuple[Baseline, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON, with the keys that other programs rely on.

        Numbers that are not finite become None, since JSON cannot express them.
        """
        figure = self.figure
        numbers = {name: getattr(figure, name) for name in ("value", "low", "high", "error")}
        return {
            "name": figure.name,
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "num_samples": self.num_samples,
            "num_reals": self.num_reals,
            "features": self.features,
            "features_sha256": self.features_sha256,
            "resize_px": self.resize_px,
            "seed": self.seed,
            "meaning": self.meaning,
            "baselines": [baseline.as_json() for baseline in self.baselines],
        }


def measure(
    comparison: Comparison,
    only: list[str] | None = None,
    progress: CountCallback = silent,
) -> list[Measurement]:
    """Measure all figures of a comparison, or ``only`` those with these names.

    Raises ``UsageError`` for an unknown name, and for a figure that is not defined in this feature space.
    """
    space_sha256 = comparison.space.sha256 if comparison.space else None
    wanted = with_meaning(chosen(only or []), space_sha256, asked_for=bool(only))
    names = list(dict.fromkeys(wanted.values()))
    measurements = []
    for number, name in enumerate(names):
        progress(number, len(names), f"measuring {name}")
        entry = measures.load(name)
        measurements += [
            _with_context(figure, comparison, entry.FEATURES, entry.NAMES[figure.name])
            for figure in entry.measure(comparison)
            if figure.name in wanted
        ]
    progress(len(names), len(names), "measuring")
    return measurements


def _with_context(figure: Figure, comparison: Comparison, of_features: bool, meaning: str) -> Measurement:
    space = comparison.space if of_features else None
    return Measurement(
        figure,
        len(comparison.generated),
        len(comparison.training or comparison.real) if figure.name == "memorised" else len(comparison.real),
        space.name if space else PIXELS,
        space.sha256 if space else None,
        space.size_px if space else None,
        comparison.seed,
        meaning,
    )
