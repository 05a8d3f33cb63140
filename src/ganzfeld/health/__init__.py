"""The doctor: readings of a live training, and what they mean.

    probe --readings/--> journal --evidence--> detectors/ --findings--> verdict

A *reading* looks at the networks while they train and says a number; ``readings/`` has one file each. The
journal keeps them. A *detector* looks at a ``RunEvidence``, which is the journal and what was decided before
training, and says whether something is wrong; ``detectors/`` has one file each. So a run can be diagnosed
while it trains, after it, and again by a later version. What is usual is not guessed: ``limits.json`` holds
what healthy runs have shown.
"""

from ganzfeld.health.evidence import RunEvidence, Series
from ganzfeld.health.finding import Evidence, Finding, Remedy, Severity
from ganzfeld.health.verdict import Diagnosis, Unjudged, diagnose

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
]
