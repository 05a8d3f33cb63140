"""What can be seen exactly in a loop that somebody else wrote: limits, and what detectors say of them.

The limits follow from what a reading means. They are chosen, not measured: no healthy loop is near them.
"""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence
from ganzfeld.health.limits import Limit, Limits
from ganzfeld.health.symptoms import OutOfRange


def _at_most(high: float) -> tuple[Limit, ...]:
    return (Limit(-1e9, high, 1.0, 0),)


def _at_least(low: float) -> tuple[Limit, ...]:
    return (Limit(low, 1e9, 1.0, 0),)


EXACT: Limits = {
    "same_push_on_fakes": _at_most(0.25),
    "same_push_on_both": _at_most(0.25),
    "range_gap": _at_most(0.2),
    "normalised_twice": _at_most(0.5),
    "channel_order": _at_most(3.0),
    "eval_mode_generator": _at_most(0.5),
    "eval_mode_discriminator": _at_most(0.5),
    "moved_generator": _at_least(0.01),
    "moved_discriminator": _at_least(0.01),
    "others_weights_generator": _at_most(0.0),
    "others_weights_discriminator": _at_most(0.0),
    "cleared_generator": _at_least(0.5),
    "cleared_discriminator": _at_least(0.5),
    "leaked_gradients": _at_most(0.5),
    "wrong_labels": _at_most(0.1),
}
"""The limits, by the name of the reading or of what is derived from it."""


def is_watched(run: RunEvidence) -> bool:
    """Return whether the run is a loop that somebody else wrote: only there, such readings are taken."""
    return run.watched


def last(run: RunEvidence, name: str) -> float:
    """Return the last value of a reading; 0 if there is none."""
    values = run.series(name).values
    return float(values[-1]) if len(values) else 0.0


def stated(text: str, symptom: OutOfRange, **figures: float) -> Evidence:
    """Return evidence in one sentence, with its figures and the images seen when it began."""
    return Evidence(
        f"{text}; this has been so since {symptom.since_images:,} images",
        {symptom.name: symptom.value, **figures},
        symptom.name,
    )
