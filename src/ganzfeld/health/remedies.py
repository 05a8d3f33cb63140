"""Settings of a recipe that help, as ``path=value``: made from the recipe that is to be helped."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy

GAME = (
    *("generator.optimizer", "generator.normalisation", "generator.activation", "generator.output"),
    *("discriminator.optimizer", "discriminator.normalisation", "discriminator.activation"),
    *("loss", "stabilisers", "updates"),
)
"""Beginnings of the settings that decide how the two networks teach each other. What is trained on, how large
the networks are and what is made of the weights is for the user to say."""


def put_back(run: RunEvidence, finding: Finding) -> Finding:
    """A finding that advises first to put back what was changed of a recipe that is known to work.

    Only of what is severe, and where anything was changed that decides the game: a recipe as it comes, and
    one of the user's own, is advised as it stands.
    """
    settings = tuple(each for each in run.undoing if each.startswith(GAME))
    if finding.severity != "sick" or not settings:
        return finding
    paths = ", ".join(each.split("=", 1)[0] for each in settings)
    text = f"Set what differs as the recipe {run.recipe['name']} has it: {paths}."
    return replace(finding, remedy=Remedy(text, settings), otherwise=finding.remedy)


def rate(run: RunEvidence, side: str, factor: float) -> str:
    """The learning rate of one network, ``generator`` or ``discriminator``, times a factor; at most 1."""
    lr = run.recipe[side]["optimizer"]["lr"]
    return f"{side}.optimizer.lr={min(1.0, lr * factor):.3g}"


def both_rates(run: RunEvidence, factor: float) -> tuple[str, str]:
    """The learning rates of both networks, times a factor."""
    return rate(run, "generator", factor), rate(run, "discriminator", factor)


def penalised(run: RunEvidence, *names: str) -> str:
    """The stabilisers of the recipe with these gradient penalties: new ones by their usual settings, those
    that are there with four times their weight."""
    there: list[dict[str, Any]] = [dict(each) for each in run.recipe["stabilisers"]]
    for name in names:
        same = [each for each in there if each["name"] == name]
        for each in same:
            each["weight"] = 4 * each["weight"]
        if not same:
            there.append({"name": name})
    return f"stabilisers={json.dumps(there)}"


def shifted(run: RunEvidence) -> tuple[str, ...]:
    """Random crops that leave out an eighth; nothing where the recipe has them."""
    return () if run.recipe["crop"] >= 0.125 else ("crop=0.125",)


def longer_average(run: RunEvidence) -> str:
    """A moving average ten times as long, and not shorter than a thousand steps."""
    return f"ema={max(0.999, 1 - (1 - run.recipe['ema']) / 10):.6g}"


def opposed(one: Remedy, other: Remedy, recipe: Mapping[str, Any]) -> str:
    """A setting that two remedies would change in opposite ways, such as a rate; empty if there is none.

    Two lists of stabilisers are no contradiction: each only adds to those of the recipe.
    """
    ours, theirs = (dict(setting.split("=", 1) for setting in each.settings) for each in (one, other))
    for path in ours.keys() & theirs.keys():
        first, second = _value(ours[path]), _value(theirs[path])
        if isinstance(first, list) or first == second:
            continue
        now: Any = recipe
        for part in path.split("."):
            now = now[part]
        numbers = all(isinstance(each, int | float) for each in (first, second, now))
        if not numbers or (first - now) * (second - now) < 0:
            return path
    return ""


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
