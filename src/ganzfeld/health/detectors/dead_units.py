"""Channels that answer the same whatever they are shown: nothing that is learned can pass through them."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.remedies import rate
from ganzfeld.health.symptoms import evidence, high, seen, since

READINGS = ("dead_generator", "dead_discriminator")


def find(run: RunEvidence) -> Finding | None:
    """More constant channels in one layer than healthy runs show, in either network."""
    what = "the largest share of constant channels in a layer of the "
    found = [(side, high(run, f"dead_{side}", what + side)) for side in ("generator", "discriminator")]
    symptoms = seen(*(symptom for _, symptom in found))
    if not symptoms:
        return None
    settings = []
    for side, symptom in found:
        if symptom:
            settings += [f"{side}.activation=leaky-relu", f"{side}.slope=0.2", rate(run, side, 0.5)]
    return Finding(
        "dead-units",
        "sick",
        since(symptoms),
        evidence(symptoms),
        "A unit whose input is negative for every image has no slope under ReLU, so no gradient can "
        "bring it back; one large step or a bad beginning is enough.",
        Remedy("Leaky units, which always pass something back, and smaller steps.", tuple(settings)),
        "leaky-slope",
    )
