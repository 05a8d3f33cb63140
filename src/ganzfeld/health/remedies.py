"""Settings of a recipe that help, as ``path=value``: made from the recipe that is to be helped."""

import json
from typing import Any

from ganzfeld.health.case import Case


def rate(case: Case, side: str, factor: float) -> str:
    """The learning rate of one network, ``generator`` or ``discriminator``, times a factor; at most 1."""
    lr = case.recipe[side]["optimizer"]["lr"]
    return f"{side}.optimizer.lr={min(1.0, lr * factor):.3g}"


def both_rates(case: Case, factor: float) -> tuple[str, str]:
    """The learning rates of both networks, times a factor."""
    return rate(case, "generator", factor), rate(case, "discriminator", factor)


def penalised(case: Case, *names: str) -> str:
    """The stabilisers of the recipe with these gradient penalties: new ones by their usual settings, those
    that are there with four times their weight."""
    there: list[dict[str, Any]] = [dict(each) for each in case.recipe["stabilisers"]]
    for name in names:
        same = [each for each in there if each["name"] == name]
        for each in same:
            each["weight"] = 4 * each["weight"]
        if not same:
            there.append({"name": name})
    return f"stabilisers={json.dumps(there)}"


def longer_average(case: Case) -> str:
    """A moving average ten times as long, and not shorter than a thousand steps."""
    return f"ema={max(0.999, 1 - (1 - case.recipe['ema']) / 10):.6g}"
