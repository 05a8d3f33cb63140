"""Channels with the same activation for every input, which pass on no information."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, high, present, since

READINGS = ("dead_generator", "dead_discriminator")


def find(run: RunEvidence) -> Finding | None:
    """Check the share of constant channels in the worst layer of either network."""
    what = "the largest share of constant channels in a layer of the "
    by_side = {side: high(run, f"dead_{side}", what + side) for side in ("generator", "discriminator")}
    symptoms = present(*by_side.values())
    if not symptoms:
        return None
    settings = []
    for side, symptom in by_side.items():
        if symptom:
            settings += [f"{side}.activation=leaky-relu", f"{side}.slope=0.2", rate(run, side, 0.5)]
    return Finding(
        "dead-units",
        "sick",
        since(symptoms),
        evidence(symptoms),
        "A ReLU whose input is negative for every image has zero gradient, so no update can revive it. A "
        "single large step or a poor initialisation is enough to cause this.",
        Remedy(
            "Use leaky ReLUs, which always have a gradient, and a lower learning rate.",
            tuple(settings),
        ),
        "leaky-slope",
    )
