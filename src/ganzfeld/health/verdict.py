"""The diagnosis of a run: the findings of all detectors, and the verdict that follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from ganzfeld.health.detectors import detectors
from ganzfeld.health.evidence import IMAGE, RunEvidence
from ganzfeld.health.expectation import Forecast, forecast
from ganzfeld.health.finding import Finding
from ganzfeld.health.learned import NOTHING, Learned, learned
from ganzfeld.health.order import in_order
from ganzfeld.health.remedies import opposed, put_back
from ganzfeld.health.symptoms import is_borrowed, why_not_known
from ganzfeld.health.thinning import thinned

Verdict = Literal["healthy", "early", "watch", "sick"]

_MEANINGS = {
    "healthy": "all readings are within the range of healthy runs",
    "early": "nothing is wrong by comparison with healthy runs, and little has been learned yet",
    "watch": "the run is learning, but something needs attention",
    "sick": "the run will not recover by itself",
}
_LITTLE_AND_WRONG = "little has been learned yet, and something needs attention"
_NOT_MEASURED = (
    "nothing is wrong by comparison with healthy runs, but it is not known how good the images are"
)
_UNKNOWN_AND_WRONG = "something needs attention, and it is not known how good the images are"
_BORROWED = "no reading is outside the range of healthy runs, but some ranges are those of other recipes only"
_WHY_BORROWED = "compared with the widest range of all recipes, since that of this recipe was not measured"
_HEALTHY_SO_FAR = "all readings that were checked are within the range of healthy runs"
_TOO_FEW = "there are too few readings for a verdict"


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A finding that can be neither confirmed nor ruled out, and the reason.

    ``is_borrowed``: its readings were compared with the ranges of other recipes only. ``short`` is the reason
    without names and figures of readings, where it has some: findings are listed by it.
    """

    name: str
    why: str
    is_borrowed: bool = False
    short: str = ""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two findings, in their order, whose remedies change one ``setting`` in opposite directions."""

    first: str
    second: str
    setting: str

    @property
    def sentence(self) -> str:
        """Advice on which remedy to try first."""
        return (
            f"The remedies of {self.first} and {self.second} change {self.setting} in opposite directions: "
            f"try one at a time, starting with {self.first}."
        )


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings about a run after ``images_seen`` images.

    The verdict is ``sick`` with a severe finding and ``watch`` with another. Without findings it is
    ``healthy``, or ``early`` as long as little has been ``learned``: while all images are alike, or no better
    than untrained ones, and also if no detector had readings to work with, since a run that was not measured
    cannot be called healthy. Findings are sorted: severe ones first, then older ones. ``num_judged``
    detectors had readings; ``unjudged`` lists the others, and readings whose healthy range is not known, or
    known of other recipes only.
    ``opposed`` lists remedies that contradict each other. ``forecast`` says what to expect while little has
    been learned, where that is known. Of another ``kind_of_data`` than images no healthy ranges are known, so
    only findings that need none are made.
    """

    images_seen: int
    findings: tuple[Finding, ...]
    unjudged: tuple[Unjudged, ...] = ()
    num_judged: int = 0
    opposed: tuple[Contradiction, ...] = ()
    learned: Learned = NOTHING
    forecast: Forecast | None = None
    kind_of_data: str = IMAGE

    @property
    def verdict(self) -> Verdict:
        """Verdict in one word."""
        if not self.findings:
            return "early" if not self.num_judged or self.learned.is_little else "healthy"
        return "sick" if self.severe else "watch"

    @property
    def severe(self) -> set[str]:
        """Names of the severe findings."""
        return {finding.name for finding in self.findings if finding.severity == "sick"}

    @property
    def alike(self) -> str:
        """Name of the severe finding that means that all images look alike; empty if there is none."""
        return next((name for name in ("latent-ignored", "mode-collapse") if name in self.severe), "")

    @property
    def meaning(self) -> str:
        """Meaning of the verdict, in words for people."""
        if not self.findings and not self.num_judged:
            return _TOO_FEW if self.kind_of_data == IMAGE else self._no_ranges
        if self.verdict == "watch" and self.learned.is_little:
            return _UNKNOWN_AND_WRONG if self.learned.is_unknown else _LITTLE_AND_WRONG
        if self.verdict == "early" and self.learned.is_unknown:
            return _NOT_MEASURED
        if self.verdict == "healthy" and any(entry.is_borrowed for entry in self.unjudged):
            return _BORROWED
        if self.verdict == "healthy" and self.unjudged:
            return _HEALTHY_SO_FAR
        return _MEANINGS[self.verdict]

    @property
    def not_checked(self) -> str:
        """The findings of ``unjudged`` by their reason, on one line; empty if there are none."""
        by_reason: dict[str, list[Unjudged]] = {}
        for entry in self.unjudged:
            by_reason.setdefault(entry.short or entry.why, []).append(entry)
        return "; ".join(
            f"{', '.join(entry.name for entry in entries)} ({entries[0].why if len(entries) == 1 else why})"
            for why, entries in by_reason.items()
        )

    @property
    def sentence(self) -> str:
        """One line: each finding and since when, or what has been learned."""
        if self.findings:
            return ", ".join(map(_name_and_start, self.findings))
        if not self.num_judged and self.kind_of_data != IMAGE:
            return self._no_ranges
        if not self.num_judged:
            return "too few readings for a verdict yet"
        return f"{self.verdict}: {self.learned.sentence}"

    @property
    def _no_ranges(self) -> str:
        return f"which readings are healthy in runs on {self.kind_of_data}s is not known"

    @property
    def state(self) -> str:
        """Summary in a few words: the first finding and the number of others; empty without any readings."""
        names = [_name_and_start(finding) for finding in self.findings]
        if len(names) > 1:
            return f"{names[0]} and {len(names) - 1} more"
        if names or not self.num_judged:
            return names[0] if names else ""
        quality = "" if self.learned.quality is None else f", quality {self.learned.quality:.2f}"
        return f"{self.verdict}{quality}"

    def as_json(self) -> dict[str, Any]:
        """Return plain data for JSON, with the keys that other programs rely on."""
        return {
            "verdict": self.verdict,
            "images_seen": self.images_seen,
            "num_judged": self.num_judged,
            "expected": self.forecast.as_json() if self.forecast else None,
            "quality": None if self.learned.quality is None else round(self.learned.quality, 4),
            "findings": [finding.as_json() for finding in self.findings],
            "opposed": [
                {"first": pair.first, "second": pair.second, "setting": pair.setting} for pair in self.opposed
            ],
            "unjudged": [{"name": entry.name, "why": entry.why} for entry in self.unjudged],
        }


def diagnose(run: RunEvidence) -> Diagnosis:
    """Run every detector that applies to the run, and combine the findings.

    Raises ``DamagedError`` if the entries belong to two histories (see ``in_order``).
    """
    entries = in_order(run.entries)
    # Of the entries without readings, one per second, only the last one matters here.
    with_readings = thinned(entry for entry in entries[:-1] if entry.get("health"))
    run = replace(run, entries=[*with_readings, *entries[-1:]])
    findings, unjudged, num_judged = [], [], 0
    for name in detectors.names():
        detector = detectors.load(name)
        if not getattr(detector, "applies", _always)(run):
            continue
        finding = detector.find(run)
        reasons = [why_not_known(run, reading) for reading in detector.READINGS]
        if finding is not None:
            findings.append(put_back(run, finding))
        elif reasons and reasons[0] and all(reasons):
            unjudged.append(Unjudged(name, reasons[0].text, short=reasons[0].short))
        else:  # missing readings are not listed here: most of them do not apply to this run
            without = [why for why in reasons if why and why.has_no_limit]
            if without:
                texts = "; ".join(why.text for why in without)
                unjudged.append(Unjudged(name, texts, short=without[0].short))
            if any(is_borrowed(run, reading) for reading in detector.READINGS):
                unjudged.append(Unjudged(name, _WHY_BORROWED, is_borrowed=True))
            why_not = getattr(detector, "cannot_tell", _nothing)(run)
            unjudged += [Unjudged(name, why_not)] if why_not else []
        num_judged += not all(reasons)
    so_far = learned(run)
    has_forecast = so_far.is_little and not so_far.is_unknown and not _was_better(findings)
    if not so_far.is_little and not any(detectors.load(finding.name).READINGS for finding in findings):
        findings = [finding for finding in findings if not is_prior(finding)]
    findings.sort(key=lambda finding: (finding.severity != "sick", finding.since_images, finding.name))
    return Diagnosis(
        run.images_seen,
        tuple(findings),
        tuple(unjudged),
        num_judged,
        _contradictions(run, findings),
        so_far,
        forecast(run) if has_forecast else None,
        run.kind_of_data,
    )


def _contradictions(run: RunEvidence, findings: list[Finding]) -> tuple[Contradiction, ...]:
    """Return the contradictions between remedies, at most one for each setting."""
    contradictions: dict[str, Contradiction] = {}
    for first, second in combinations(findings, 2):
        # Only the last remedy is compared: the first one restores the recipe, which is the same for both.
        if setting := opposed(first.remedies[-1], second.remedies[-1], run.recipe):
            contradictions.setdefault(setting, Contradiction(first.name, second.name, setting))
    return tuple(contradictions.values())


def is_prior(finding: Finding) -> bool:
    """Check whether a finding counts only beside one from readings, or while little has been learned."""
    return getattr(detectors.load(finding.name), "PRIOR", False)


def _was_better(findings: Sequence[Finding]) -> bool:
    """Check whether the images were better before: then runs at their beginning are no guide."""
    return any(finding.name in ("late-decay", "quality-lost") for finding in findings)


def _always(run: RunEvidence) -> bool:
    return True


def _nothing(run: RunEvidence) -> None:
    return None


def _name_and_start(finding: Finding) -> str:
    """Return the name of a finding, and since when if it was not there from the start."""
    return f"{finding.name} since {finding.since_images:,} images" if finding.since_images else finding.name
