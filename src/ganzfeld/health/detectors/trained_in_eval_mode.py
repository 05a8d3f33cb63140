"""A network is in eval mode while it is trained, so its batch norms use statistics that do not change."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, stated
from ganzfeld.health.finding import Finding, Remedy
from ganzfeld.health.symptoms import figure, high, present, since

READINGS = ("eval_mode_generator", "eval_mode_discriminator")

applies = is_watched


def find(run: RunEvidence) -> Finding | None:
    """Check in which mode the networks are during their updates."""
    by_side = {
        side: high(run, f"eval_mode_{side}", f"the share of the {side}'s updates in eval mode")
        for side in ("generator", "discriminator")
    }
    symptoms = present(*by_side.values())
    if not symptoms:
        return None
    evidence = [
        stated(f"the {side} was in eval mode in {figure(100 * symptom.value)} % of its updates", symptom)
        for side, symptom in by_side.items()
        if symptom
    ]
    return Finding(
        "trained-in-eval-mode",
        "sick",
        since(symptoms),
        tuple(evidence),
        "The network was set to eval mode, such as for a sample grid, and not back to training mode. In eval "
        "mode a batch norm uses its stored statistics, which no longer follow the weights, and dropout does "
        "nothing.",
        Remedy(
            "Set the network back to training mode before its next update.",
            code=tuple(f"{side}.train()" for side, symptom in by_side.items() if symptom),
        ),
    )
