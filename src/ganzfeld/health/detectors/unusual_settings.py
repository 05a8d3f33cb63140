"""Settings far from all that is known to train.

It is a reason to expect trouble and no trouble by itself: a verdict counts it only beside a finding from
readings, or while little has been learned (``PRIOR``).
"""

from ganzfeld.health.evidence import RunEvidence
from ganzfeld.health.finding import Evidence, Finding, Remedy
from ganzfeld.health.remedies import in_proportion

READINGS = ()
PRIOR = True


def find(run: RunEvidence) -> Finding | None:
    """Report the settings that were found to be unusual before training."""
    if not run.unusual:
        return None
    paths = {path for path, _ in run.unusual}
    undone = in_proportion(run, [setting for setting in run.undoing if setting.split("=", 1)[0] in paths])
    return Finding(
        "unusual-settings",
        "watch",
        0,
        tuple(Evidence(sentence) for _, sentence in run.unusual),
        "No recipe that is known trains with such settings. Rates that are far too high make the networks "
        "overshoot; rates that are far too low, and very small or very large networks or batches, can take "
        "many times longer to learn.",
        Remedy(f"Restore the values of the recipe {run.recipe['name']}.", undone)
        if undone
        else Remedy("Use values nearer to those of a built-in recipe."),
    )
