"""Pixels of the generator stuck at the end of their range, where no gradient reaches them."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, high, seen, since

READINGS = ("saturated_excess", "stuck")


def find(run: RunEvidence) -> Finding | None:
    """More values at the ends than the data has, or more places stuck there, than healthy runs show."""
    symptoms = seen(
        high(
            run,
            "saturated_excess",
            "the share of output values without a gradient, beyond the data's share,",
        ),
        high(run, "stuck", "the share of pixels stuck at one end for all latents where the data's are not"),
    )
    if not symptoms:
        return None
    output = run.recipe["generator"]["output"]
    change = () if output == "tanh" else ("generator.output=tanh",)
    return Finding(
        "output-saturated",
        "sick",
        since(symptoms),
        evidence(symptoms),
        "Clipping has no slope outside its range, and tanh next to none far from 0: a value that was pushed "
        "there has no way back.",
        Remedy(
            ("An output that keeps a slope, and smaller" if change else "Smaller")
            + " steps for the generator.",
            (*change, rate(run, "generator", 0.5)),
        ),
        "bounded-output",
    )
