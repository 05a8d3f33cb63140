"""What a detector reports: what is wrong and since when, the evidence, a likely cause, and what to change."""

from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["watch", "sick"]
"""``watch``: keep an eye on it; ``sick``: this run will not recover by itself."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sentence that a person can check, its figures by name, and the series that they come from."""

    text: str
    figures: dict[str, float] = field(default_factory=dict)
    series: str = ""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do, in words and as settings of the recipe (``path=value``, as ``--set`` takes them).

    There are no settings where none would help, such as where more images are needed. A loop that somebody
    else wrote has none either; ``code`` are lines that could stand in it.
    """

    text: str
    settings: tuple[str, ...] = ()
    code: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        code = {"code": list(self.code)} if self.code else {}
        return {"text": self.text, "settings": list(self.settings)} | code


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a run.

    ``cause`` is the likely reason, and ``experiment`` names the experiment of the lab that demonstrates it.
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
        """Remedies in the order in which to try them."""
        return (self.remedy, self.otherwise) if self.otherwise else (self.remedy,)

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON, with the keys that other programs rely on."""
        return {
            "name": self.name,
            "severity": self.severity,
            "since_images": self.since_images,
            "evidence": [
                {"text": item.text, "figures": item.figures, "series": item.series} for item in self.evidence
            ],
            "cause": self.cause,
            "remedy": self.remedy.as_json(),
            "otherwise": self.otherwise.as_json() if self.otherwise else None,
            "experiment": self.experiment,
        }
