"""Oscillation: the two networks circle each other, and the discriminator's logits swing periodically."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import both_rates, longer_average, penalised
from ganzfeld.health.symptoms import figure, high

READINGS = ("rhythm",)


def find(run: RunEvidence) -> Finding | None:
    """Check the power of the strongest frequency in the logits."""
    period = run.series("rhythm_period")
    every = f" (one cycle in {figure(period.values[-1])} steps)" if len(period) else ""
    rhythm = high(
        run,
        "rhythm",
        f"the power of the strongest frequency in the logits{every}, as a multiple of white noise,",
    )
    if not rhythm:
        return None
    return Finding(
        "oscillation",
        "watch",
        rhythm.since_images,
        (rhythm.evidence,),
        "Near the equilibrium the networks rotate around it instead of converging, because each responds to "
        "the other's last update. With learning rates that are too high they spiral away from it.",
        Remedy(
            "Lower both learning rates, add a gradient penalty, which damps the rotation, and average the "
            "generator's weights over more steps.",
            (*both_rates(run, 0.5), penalised(run, "r1"), longer_average(run)),
        ),
        "spiral",
    )
