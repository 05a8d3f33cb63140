"""The doctor: readings of a live run, and what they mean.

    probe --readings/--> journal --evidence--> detectors/ --findings--> verdict

A *reading* is a number measured on the networks while they train; ``readings/`` has one file for each group
of readings. The journal keeps them. A *detector* looks at a ``RunEvidence`` (the journal, and what was
decided before training) and reports whether something is wrong; ``detectors/`` has one file for each. So a
run can be diagnosed while it trains, afterwards, and again by a later version. The normal range of a reading
is measured, not guessed: ``limits.json`` holds what healthy runs have shown.
"""

from ganzfeld.health.derived import parts_of_quality
from ganzfeld.health.evidence import RunEvidence, Series
from ganzfeld.health.finding import Evidence, Finding, Remedy, Severity
from ganzfeld.health.verdict import Diagnosis, Unjudged, diagnose, is_prior

__all__ = [
    "Diagnosis",
    "Evidence",
    "Finding",
    "Remedy",
    "RunEvidence",
    "Series",
    "Severity",
    "Unjudged",
    "diagnose",
    "is_prior",
    "parts_of_quality",
]
