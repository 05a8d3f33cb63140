"""The range of every reading in healthy runs, as measured by ``tools/doctor_limits.py``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Limit:
    """The range of a reading that contained ``share`` of its values in ``num_runs`` healthy runs.

    A limit holds for

    - one phase of training: from ``from_step`` until the next limit of the same reading begins, since
      networks show other values in their first steps than later;
    - one recipe, or all recipes together where ``recipe`` is empty: recipes learn at very different speeds.
      Beyond the widest range of all, a reading of any recipe is a finding; inside it, a recipe without
      limits of its own is not judged by it;
    - networks whose generator has at least this ``width``, since wide networks behave differently from
      narrow ones;
    - runs trained by class, or runs without classes: with classes, the latent decides less.
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
"""The limits of every reading by name; those of the same kind are in the order of their phases."""


@cache
def limits() -> Limits:
    """Return the limits that ship with the package."""
    content = json.loads((files("ganzfeld.health") / "limits.json").read_text(encoding="utf-8"))
    return {name: tuple(Limit(**limit) for limit in by_phase) for name, by_phase in content["limits"].items()}


def limit_at(
    known: Limits, name: str, step: int, recipe: str = "", width: int = 0, *, by_class: bool = False
) -> Limit | None:
    """Return the limit of a reading at a step: of the recipe, or of all recipes where it has none.

    ``width`` is the width of the generator; the limit for the widest networks that it reaches applies. A run
    trained by class uses the limits of runs without classes if no limit by class exists for the reading. The
    result is None where no limit is known.
    """
    for kind in ((recipe, by_class), ("", by_class), (recipe, False), ("", False)):
        of_kind = [limit for limit in known.get(name, ()) if (limit.recipe, limit.by_class) == kind]
        if of_kind := [limit for limit in of_kind if limit.width <= width]:
            widest = max(limit.width for limit in of_kind)
            begun = [limit for limit in of_kind if limit.width == widest and limit.from_step <= step]
            return begun[-1] if begun else None
    return None
