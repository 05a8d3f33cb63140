"""All detectors on one case."""

from dataclasses import dataclass
from typing import Any, Literal

from ganzfeld.health.case import Case
from ganzfeld.health.detectors import detectors
from ganzfeld.health.finding import Finding


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the doctor says: ``healthy`` without findings, ``sick`` with one that is severe, else ``watch``.

    ``images_seen`` is how far the training was. Findings: the severe ones first, then the older ones.
    """

    images_seen: int
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Literal["healthy", "watch", "sick"]:
        """One word."""
        if not self.findings:
            return "healthy"
        return "sick" if any(finding.severity == "sick" for finding in self.findings) else "watch"

    def as_json(self) -> dict[str, Any]:
        """The keys of the contract, and the rest."""
        return {
            "verdict": self.verdict,
            "images_seen": self.images_seen,
            "findings": [finding.as_json() for finding in self.findings],
        }


def diagnose(case: Case) -> Verdict:
    """Ask every detector."""
    found = [
        finding for name in detectors.names() if (finding := detectors.load(name).find(case)) is not None
    ]
    found.sort(key=lambda finding: (finding.severity != "sick", finding.since_images, finding.name))
    return Verdict(case.images_seen, tuple(found))
