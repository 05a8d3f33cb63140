"""Settings of a recipe that help, as ``path=value``, computed from the recipe of the run."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganzfeld.health.code_lines import in_code
from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Finding, Remedy

DYNAMICS = (
    *("generator.optimizer", "generator.normalisation", "generator.activation", "generator.output"),
    *("discriminator.optimizer", "discriminator.normalisation", "discriminator.activation"),
    *("loss", "stabilisers", "updates"),
)
"""Prefixes of the settings that decide how the two networks train each other. The data, the size of the
networks and the averaging of the weights are the user's choice."""


def put_back(run: RunEvidence, finding: Finding) -> Finding:
    """Return the finding with a first remedy that restores changed settings of a built-in recipe.

    Settings of ``DYNAMICS`` are restored, and those far from all that is known, such as a width of 1. The
    finding is unchanged if it is not severe, or if no such setting differs from a built-in recipe. A loop
    that somebody else wrote has no settings, but lines of code.
    """
    if run.watched:
        return in_code(run, finding)
    unusual = {path for path, _ in run.unusual}
    settings = in_proportion(
        run,
        [
            setting
            for setting in run.undoing
            if setting.startswith(DYNAMICS) or setting.split("=", 1)[0] in unusual
        ],
    )
    if finding.severity != "sick" or not settings:
        return finding
    paths = ", ".join(setting.split("=", 1)[0] for setting in settings)
    text = f"Restore the values of the recipe {run.recipe['name']} for {paths}."
    return replace(finding, remedy=Remedy(text, settings), otherwise=finding.remedy)


def in_proportion(run: RunEvidence, settings: Sequence[str]) -> tuple[str, ...]:
    """Return settings that restore a recipe, with the width of a network in proportion to that of the other.

    If both widths were changed and one of them stays, the one that is restored gets the proportion that the
    recipe has: its own width beside a network of another size would be out of balance, too.
    """
    of_recipe = dict(setting.split("=", 1) for setting in run.undoing)
    restored = {setting.split("=", 1)[0]: setting for setting in settings}
    for side, other in (("generator", "discriminator"), ("discriminator", "generator")):
        path, others = f"{side}.width", f"{other}.width"
        if path in restored and others in of_recipe and others not in restored:
            factor = run.recipe[other]["width"] / int(of_recipe[others])
            restored[path] = f"{path}={max(1, round(int(of_recipe[path]) * factor))}"
    return tuple(restored.values())


def rate(run: RunEvidence, side: str, factor: float) -> str:
    """Multiply the learning rate of ``generator`` or ``discriminator`` by a factor, up to at most 1."""
    lr = run.recipe[side]["optimizer"]["lr"]
    return f"{side}.optimizer.lr={min(1.0, lr * factor):.3g}"


def both_rates(run: RunEvidence, factor: float) -> tuple[str, str]:
    """Multiply the learning rates of both networks by a factor."""
    return rate(run, "generator", factor), rate(run, "discriminator", factor)


def penalised(run: RunEvidence, *names: str) -> str:
    """Add these gradient penalties with their default settings, or multiply their weight by four."""
    stabilisers: list[dict[str, Any]] = [dict(choice) for choice in run.recipe["stabilisers"]]
    for name in names:
        same = [choice for choice in stabilisers if choice["name"] == name]
        for choice in same:
            choice["weight"] = 4 * choice["weight"]
        if not same:
            stabilisers.append({"name": name})
    return f"stabilisers={json.dumps(stabilisers)}"


def shifted(run: RunEvidence) -> tuple[str, ...]:
    """Add random crops that leave out an eighth; no setting where the recipe already crops as much."""
    return () if run.recipe["crop"] >= 0.125 else ("crop=0.125",)


def longer_average(run: RunEvidence) -> str:
    """Make the moving average of the weights ten times as long, and at least a thousand steps."""
    return f"ema={max(0.999, 1 - (1 - run.recipe['ema']) / 10):.6g}"


def opposed(first: Remedy, second: Remedy, recipe: Mapping[str, Any]) -> str:
    """Return a setting that two remedies would change in opposite directions; empty if there is none.

    Two lists of stabilisers never oppose each other: both only add to the list of the recipe.
    """
    of_first, of_second = (
        dict(setting.split("=", 1) for setting in remedy.settings) for remedy in (first, second)
    )
    for path in of_first.keys() & of_second.keys():
        values = [_value(settings[path]) for settings in (of_first, of_second)]
        if isinstance(values[0], list) or values[0] == values[1]:
            continue
        now: Any = recipe
        for part in path.split("."):
            now = now[part]
        numbers = all(isinstance(value, int | float) for value in (*values, now))
        if not numbers or (values[0] - now) * (values[1] - now) < 0:
            return path
    return ""


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
