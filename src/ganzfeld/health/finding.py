"""What a detector says: what is wrong, since when, how it is seen, why it may be so, and what to change."""

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["watch", "sick"]
"""``watch``: keep an eye on it; ``sick``: this run will not get well by itself."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence that a person can check, its figures by name, and the series it is read from."""

    text: str
    figures: dict[str, float] = field(default_factory=dict)
    series: str = ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do, in words, and as settings of the recipe (``path=value``, as ``--set`` takes them).

    Settings are empty where no setting helps, such as more images.
    """

    text: str
    settings: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {"text": self.text, "settings": list(self.settings)}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. ``cause`` says why it may be so; an ``experiment`` of the lab shows how.

    ``otherwise`` is the remedy to try if the first one does not help.
    """

    name: str
    severity: Severity
    since_images: int
    evidence: tuple[Evidence, ...]
    cause: str
    remedy: Remedy
    experiment: str = ""
    otherwise: Remedy | None = None

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What to try, in this order."""
        return (self.remedy, self.otherwise) if self.otherwise else (self.remedy,)

    def as_json(self) -> dict[str, Any]:
        """The keys of the contract, and the rest."""
        return {
            "name": self.name,
            "severity": self.severity,
            "since_images": self.since_images,
            "evidence": [
                {"text": each.text, "figures": each.figures, "series": each.series} for each in self.evidence
            ],
            "cause": self.cause,
            "remedy": self.remedy.as_json(),
            "otherwise": self.otherwise.as_json() if self.otherwise else None,
            "experiment": self.experiment,
        }
