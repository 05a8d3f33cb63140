"""What healthy runs have shown: the range of every reading, measured by ``tools/doctor_limits.py``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Limit:
    """The range in which ``share`` of the readings of healthy runs lay, pooled over ``num_runs`` runs.

    Of a phase of training: from ``from_step`` on, until the next limit of the same reading begins. What a
    network shows at its first steps is not what it shows later. And of one recipe, or of all together where
    ``recipe`` is empty: one of them is after a hundred steps where another is after a thousand. And of
    networks whose generator has at least this ``width``: wide ones go other ways than narrow ones. And of
    trainings by class, or of those without: by class, the latent has less to decide.
    """

    low: float
    high: float
    share: float
    num_runs: int
    from_step: int = 0
    recipe: str = ""
    width: int = 0
    by_class: bool = False


Limits = Mapping[str, Sequence[Limit]]
"""The limits of every reading by name, of each kind those of the earliest phase first."""


@cache
def limits() -> Limits:
    """The limits that are shipped."""
    content = json.loads((files("ganzfeld.health") / "limits.json").read_text(encoding="utf-8"))
    return {name: tuple(Limit(**limit) for limit in by_phase) for name, by_phase in content["limits"].items()}


def limit_at(
    known: Limits, name: str, step: int, recipe: str = "", width: int = 0, *, by_class: bool = False
) -> Limit | None:
    """The limit of a reading at a step: of the recipe, or of all where it has none of its own.

    ``width`` is that of the generator; of several limits that of the widest networks it reaches holds. A
    training by class is held to those without where none by class has shown the reading. None where no
    healthy run has shown what is usual.
    """
    for kind in ((recipe, by_class), ("", by_class), (recipe, False), ("", False)):
        own = [each for each in known.get(name, ()) if (each.recipe, each.by_class) == kind]
        if own := [each for each in own if each.width <= width]:
            widest = max(each.width for each in own)
            reached = [each for each in own if each.width == widest and each.from_step <= step]
            return reached[-1] if reached else None
    return None
