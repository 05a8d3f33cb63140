"""An optimizer holds the weights of the wrong network, so the other network is not trained."""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.exact import is_watched, last, stated
from ganzfeld.health.finding import Evidence, Finding, Remedy
from ganzfeld.health.symptoms import OutOfRange, figure, high, low, present, since

READINGS = (
    *("moved_generator", "moved_discriminator"),
    *("others_weights_generator", "others_weights_discriminator"),
)

applies = is_watched

_OTHER = {"generator": "discriminator", "discriminator": "generator"}


def find(run: RunEvidence) -> Finding | None:
    """Check whether the weights of both networks change, and whose weights their optimizers hold."""
    still = {
        side: low(run, f"moved_{side}", f"the share of the {side}'s weights that change") for side in _OTHER
    }
    foreign = {
        side: high(run, f"others_weights_{side}", f"the share of others' weights in the {side}'s optimizer")
        for side in _OTHER
    }
    if all(still.values()):  # learning rates of 0 at the end of a schedule
        still = dict.fromkeys(_OTHER)
    if not any(still.values()) and _is_one_optimizer(run):
        foreign = dict.fromkeys(_OTHER)
    symptoms = present(*still.values(), *foreign.values())
    if not symptoms:
        return None
    wrong = [side for side in _OTHER if still[side] or foreign[side]]
    evidence = [*_about_still(run, still), *_about_foreign(foreign)]
    return Finding(
        "optimizer-mismatch",
        "sick",
        since(symptoms),
        tuple(evidence),
        "The optimizer of one network was given the weights of the other, or no optimizer holds them, so "
        "only one of the networks learns, or one also learns from the loss of the other.",
        Remedy(
            "Give each optimizer the weights of its own network, and call its step after the backward pass "
            "of its own loss.",
            code=tuple(f"optimizer_{side} = torch.optim.Adam({side}.parameters(), ...)" for side in wrong),
        ),
    )


def _is_one_optimizer(run: RunEvidence) -> bool:
    """Check whether one optimizer holds the weights of both networks, which is unusual and no mistake."""
    counts = [last(run, f"optimizers_{side}") for side in _OTHER]
    foreign = [last(run, f"others_weights_{side}") for side in _OTHER]
    return counts == [1, 1] and all(share > 0 for share in foreign)


def _about_still(run: RunEvidence, still: dict[str, OutOfRange | None]) -> list[Evidence]:
    evidence = []
    for side, symptom in still.items():
        if symptom:
            counts = {f"optimizers_{name}": last(run, f"optimizers_{name}") for name in _OTHER}
            text = (
                f"no weight of the {side} changes, while "
                f"{figure(100 * last(run, f'moved_{_OTHER[side]}'))} % of "
                f"the {_OTHER[side]}'s weight tensors do; {figure(counts[f'optimizers_{side}'])} "
                "optimizers hold "
                f"weights of the {side}, and {figure(counts[f'optimizers_{_OTHER[side]}'])} those of the "
                f"{_OTHER[side]}"
            )
            evidence.append(stated(text, symptom, **counts))
    return evidence


def _about_foreign(foreign: dict[str, OutOfRange | None]) -> list[Evidence]:
    return [
        stated(
            f"{figure(100 * symptom.value)} % of the weights in the {side}'s optimizer belong to the "
            f"{_OTHER[side]}",
            symptom,
        )
        for side, symptom in foreign.items()
        if symptom
    ]
