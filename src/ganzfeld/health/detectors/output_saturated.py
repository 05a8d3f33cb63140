"""Output values of the generator are stuck at the end of their range, where the gradient vanishes."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, high, present, since

READINGS = ("saturated_excess", "stuck")


def find(run: RunEvidence) -> Finding | None:
    """Check the share of saturated output values, and of pixels that are stuck at one end."""
    symptoms = present(
        high(
            run,
            "saturated_excess",
            "the share of output values without a gradient, beyond the share of equally extreme real values,",
        ),
        high(
            run,
            "stuck",
            "the share of pixels that are stuck at one end for all latents, but not in real images,",
        ),
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
        "Clipping has zero gradient outside its range, and tanh nearly zero far from 0, so a value that has "
        "been pushed there stays there.",
        Remedy(
            ("Use tanh as the output activation, and lower" if change else "Lower")
            + " the learning rate of the generator.",
            (*change, rate(run, "generator", 0.5)),
        ),
        "bounded-output",
    )
