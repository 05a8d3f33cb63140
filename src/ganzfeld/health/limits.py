"""What healthy runs have shown: the range of every reading, measured by ``tools/doctor_limits.py``."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Limit:
    """The range in which ``share`` of the readings of healthy runs lay, pooled over ``num_runs`` runs."""

    low: float
    high: float
    share: float
    num_runs: int


@cache
def limits() -> dict[str, Limit]:
    """The limit of every reading by name."""
    content = json.loads((files("ganzfeld.health") / "limits.json").read_text(encoding="utf-8"))
    return {name: Limit(**limit) for name, limit in content["limits"].items()}
