"""Gradients of earlier steps are still there when an update begins, and are added to its own."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import figure, low, present, since

READINGS = ("cleared_generator", "cleared_discriminator")

applies = is_watched


def find(run: RunEvidence) -> Finding | None:
    """Check how often the gradients of a network are clear when its update begins."""
    by_side = {
        side: low(run, f"cleared_{side}", f"the share of the {side}'s updates with cleared gradients")
        for side in ("generator", "discriminator")
    }
    symptoms = present(*by_side.values())
    if not symptoms:
        return None
    evidence = [
        stated(
            f"{figure(100 * (1 - symptom.value))} % of the {side}'s updates began with gradients of "
            "earlier updates",
            symptom,
        )
        for side, symptom in by_side.items()
        if symptom
    ]
    return Finding(
        "gradients-not-cleared",
        "sick",
        since(symptoms),
        tuple(evidence),
        "PyTorch adds every gradient to those that are there already. Without clearing, each update follows "
        "the sum of all gradients since the beginning.",
        Remedy(
            "Clear the gradients of a network before the backward pass of its loss.",
            code=tuple(f"optimizer_{side}.zero_grad()" for side, symptom in by_side.items() if symptom),
        ),
    )
