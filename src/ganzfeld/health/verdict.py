"""All detectors on one run."""

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from ganzfeld.health.detectors import detectors
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding
from ganzfeld.health.remedies import opposed, put_back
from ganzfeld.health.symptoms import why_not_known
from ganzfeld.health.thinning import thinned

_MEANINGS = {
    "healthy": "nothing lies outside what healthy runs have shown",
    "watch": "it trains, with something to keep an eye on",
    "sick": "it will not get well by itself",
}
_UNJUDGED = "there are too few readings to judge by"


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A finding that may be there or not, and why that cannot be said."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Opposed:
    """The first two findings whose remedies would change one ``setting`` in opposite ways, as in the list."""

    first: str
    second: str
    setting: str

    @property
    def sentence(self) -> str:
        """What to do about it."""
        return (
            f"The remedies of {self.first} and {self.second} change {self.setting} in opposite ways: "
            f"try one at a time, that of {self.first} first."
        )


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor says: ``healthy`` without findings, ``sick`` with one that is severe, else ``watch``.

    It is ``watch`` too where nothing was found and nothing could have been, for want of readings: who has not
    looked cannot call a run healthy. ``images_seen`` is how far the training was. Findings: the severe ones
    first, then the older ones. ``num_judged`` detectors had readings to go by; for the others, and for
    readings of these that have no known range, see ``unjudged``. ``opposed`` are remedies that contradict
    each other.
    """

    images_seen: int
    findings: tuple[Finding, ...]
    unjudged: tuple[Unjudged, ...] = ()
    num_judged: int = 0
    opposed: tuple[Opposed, ...] = ()

    @property
    def verdict(self) -> Literal["healthy", "watch", "sick"]:
        """One word."""
        if not self.findings:
            return "healthy" if self.num_judged else "watch"
        return "sick" if self.severe else "watch"

    @property
    def severe(self) -> set[str]:
        """The names of the severe findings."""
        return {finding.name for finding in self.findings if finding.severity == "sick"}

    @property
    def alike(self) -> str:
        """The severe finding by which all images are alike, whatever else is good; or nothing."""
        return next((name for name in ("latent-ignored", "mode-collapse") if name in self.severe), "")

    @property
    def meaning(self) -> str:
        """What the word means, for people."""
        return _MEANINGS[self.verdict] if self.findings or self.num_judged else _UNJUDGED

    @property
    def sentence(self) -> str:
        """One line: the findings with their beginnings, or that there are none."""
        nothing = "healthy" if self.num_judged else "nothing to judge by yet"
        return ", ".join(map(_named, self.findings)) or nothing

    @property
    def state(self) -> str:
        """A few words for a line that shows more: the first finding, and how many more there are.

        Empty where nothing can be said.
        """
        named = [_named(finding) for finding in self.findings]
        if len(named) > 1:
            return f"{named[0]} and {len(named) - 1} more"
        return named[0] if named else "healthy" if self.num_judged else ""

    def as_json(self) -> dict[str, Any]:
        """The keys of the contract, and the rest."""
        return {
            "verdict": self.verdict,
            "images_seen": self.images_seen,
            "num_judged": self.num_judged,
            "findings": [finding.as_json() for finding in self.findings],
            "opposed": [
                {"first": each.first, "second": each.second, "setting": each.setting} for each in self.opposed
            ],
            "unjudged": [{"name": each.name, "why": each.why} for each in self.unjudged],
        }


def diagnose(run: RunEvidence) -> Diagnosis:
    """Ask every detector."""
    # Entries without readings, one a second, say nothing here but for the last.
    looks = thinned(entry for entry in run.entries[:-1] if entry.get("health"))
    run = replace(run, entries=[*looks, *run.entries[-1:]])
    found, unjudged, num_judged = [], [], 0
    for name in detectors.names():
        detector = detectors.load(name)
        if not getattr(detector, "applies", _always)(run):
            continue
        finding = detector.find(run)
        reasons = [why_not_known(run, reading) for reading in detector.READINGS]
        if finding is not None:
            found.append(put_back(run, finding))
        elif reasons and reasons[0] and all(reasons):
            unjudged.append(Unjudged(name, reasons[0].text))
        else:  # what was read in vain; of what was not read, most means nothing for this training
            unjudged += [Unjudged(name, why.text) for why in reasons if why and why.has_no_limit]
        num_judged += not all(reasons)
    found.sort(key=lambda finding: (finding.severity != "sick", finding.since_images, finding.name))
    contradictions: dict[str, Opposed] = {}
    for first, second in combinations(found, 2):
        # What both advise first, where anything was changed, is the same.
        if setting := opposed(first.remedies[-1], second.remedies[-1], run.recipe):
            contradictions.setdefault(setting, Opposed(first.name, second.name, setting))
    return Diagnosis(
        run.images_seen, tuple(found), tuple(unjudged), num_judged, tuple(contradictions.values())
    )


def _always(run: RunEvidence) -> bool:
    return True


def _named(finding: Finding) -> str:
    """A finding with its beginning, if it was not there from the beginning."""
    return f"{finding.name} since {finding.since_images:,} images" if finding.since_images else finding.name
