"""The two networks circle each other: the discriminator's answers swing in a steady rhythm."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import both_rates, longer_average, penalised
from ganzfeld.health.symptoms import figure, high

READINGS = ("rhythm",)


def find(run: RunEvidence) -> Finding | None:
    """One frequency of the logits stronger than in healthy runs."""
    period = run.series("rhythm_period")
    every = f" (a swing every {figure(period.values[-1])} steps)" if len(period) else ""
    rhythm = high(run, "rhythm", f"the strongest frequency of the logits{every}, as a multiple of chance,")
    if not rhythm:
        return None
    return Finding(
        "oscillation",
        "watch",
        rhythm.since_images,
        (rhythm.evidence,),
        "Near its balance the game turns instead of settling: each network answers the other's last move, "
        "and steps that are too large turn the circle into a spiral outwards.",
        Remedy(
            "Smaller steps, a penalty that damps the turning, and a longer average as the model.",
            (*both_rates(run, 0.5), penalised(run, "r1"), longer_average(run)),
        ),
        "spiral",
    )
