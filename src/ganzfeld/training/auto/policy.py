"""Which remedy is tried next, and whether one has helped: what ``--auto`` decides, by what is on disk.

A remedy is tried in a run of its own beside the one that is ill: from the newest checkpoint before the
illness began, or from the beginning where there is none or the networks become others. The trial gets as many
images as the ill run had from there on. Then it is kept and goes on, or undone, and the ill run goes on.
"""

import contextlib
import math

import numpy as np

from ganzfeld.errors import DamagedError, UsageError
from ganzfeld.health import Diagnosis, Finding, Remedy
from ganzfeld.recipes import Recipe, resolve
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.metadata import Trial
from ganzfeld.runs.run import Run

MOST_TRIALS = 6
ROOM = 1.25
"""What must be left of the budget, in lengths of the trial. If it is undone, the ill run needs the rest."""

RECENT = 0.1
"""The last share of a trial, in which a kernel distance is one of its end."""

NETWORKS_STAY = (
    "generator.optimizer.lr",
    "discriminator.optimizer.lr",
    "loss.",
    "stabilisers",
    "schedule.",
    "ema",
    "crop",
)
"""Beginnings of settings with which a training can go on from a checkpoint."""


def prescription(run: Run, verdict: Diagnosis, budget: Budget | None = None) -> Trial | None:
    """The remedy to try next on a run of which the doctor says ``verdict``, or None.

    It is the first one of the first severe finding that is a change of the recipe, has not been tried and
    still fits into the budget, which is that of the run if no other is given. None while another is being
    tried.
    """
    metadata = run.metadata
    if metadata.open_trial or len(metadata.trials) >= MOST_TRIALS:
        return None
    recipe, tried = run.recipe, {trial.settings for trial in metadata.trials}
    for finding in verdict.findings:
        for remedy in finding.remedies if finding.severity == "sick" else ():
            if remedy.settings not in tried and _changes(recipe, remedy.settings):
                trial = _trial(run, finding, remedy, verdict.images_seen)
                if _fits(run, trial, budget or Budget(metadata.minutes, metadata.images)):
                    return trial
    return None


def with_beginning(run: Run, trial: Trial) -> Trial:
    """The same trial, from the newest checkpoint that can be read and is no newer than its own."""
    for at in reversed(run.history.all()):
        if at <= trial.from_images:
            with contextlib.suppress(DamagedError):
                run.history.read(at)
                return trial.model_copy(update={"from_images": at})
    return trial.model_copy(update={"from_images": 0})


def is_decided(run: Run, verdict: Diagnosis) -> bool:
    """Whether the trial that a run is has had its images, or has diverged."""
    trial = run.metadata.open_trial
    return trial is not None and (verdict.images_seen >= trial.at_images or has_diverged(run))


def has_diverged(run: Run) -> bool:
    """Whether the last loss that a run wrote down was not finite."""
    last = run.last_entry or {}
    return any(last.get(name, 0.0) is None for name in ("loss_generator", "loss_discriminator"))


def has_helped(run: Run, ill: Run) -> tuple[bool, str]:
    """Whether the trial that ``run`` is made the run better that was ``ill``, and how that is seen.

    Images that are all alike lose against others, whatever their distance, which one dark image can make
    small. Then kernel distance decides where it differs by more than the standard error of the difference;
    else it is whether the finding has gone, and no other severe one has come.
    """
    trial = run.metadata.open_trial
    assert trial is not None
    if has_diverged(run):
        return False, "it diverged"
    now, before = run.diagnose(), ill.diagnose()
    if bool(now.alike) != bool(before.alike):
        return not now.alike, f"{now.alike} has come" if now.alike else f"{before.alike} has gone"
    since, until = trial.from_images, trial.at_images
    # Judged where they stopped, or nearly: the trial may have seen some more images, those of one look at
    # the clock. What a signal kept from being judged has older figures at most, which say nothing of it.
    recent = since + round((1 - RECENT) * (until - since))
    ours, theirs = _distance(run, recent), _distance(ill, recent, until)
    if ours and theirs:
        words = f"kernel distance {ours[0]:.3f} instead of {theirs[0]:.3f}"
        if abs(ours[0] - theirs[0]) > math.hypot(ours[1], theirs[1]):
            return ours[0] < theirs[0], words
    if trial.finding in now.severe:
        return False, f"{trial.finding} is still there"
    if new := sorted(now.severe - before.severe):
        return False, f"{trial.finding} has gone and {new[0]} has come"
    return True, f"{trial.finding} has gone"


def cost(run: Run, from_images: int) -> tuple[int, float]:
    """Images and minutes that a run has trained after ``from_images``."""
    last = run.last_entry
    if last is None:
        return 0, 0.0
    around = [entry for entry in run.entries_around(from_images) if entry is not None]
    images = [0, *(entry["images_seen"] for entry in around)]
    seconds = [0.0, *(entry.get("seconds", 0.0) for entry in around)]
    before = float(np.interp(from_images, images, seconds))
    return max(0, last["images_seen"] - from_images), max(0.0, last.get("seconds", 0.0) - before) / 60


def _trial(run: Run, finding: Finding, remedy: Remedy, at_images: int) -> Trial:
    before = [at for at in run.history.all() if at <= finding.since_images]
    can_go_on = all(setting.startswith(NETWORKS_STAY) for setting in remedy.settings)
    return Trial(
        finding=finding.name,
        remedy=remedy.text,
        settings=remedy.settings,
        ill=run.path.name,
        from_images=before[-1] if before and can_go_on else 0,
        at_images=at_images,
    )


def _changes(recipe: Recipe, settings: tuple[str, ...]) -> bool:
    """Whether a remedy makes another recipe of this one, and one that there can be."""
    try:
        return resolve(recipe, settings) != recipe
    except UsageError:
        return False


def _fits(run: Run, trial: Trial, budget: Budget) -> bool:
    (images, minutes), (all_images, all_minutes) = cost(run, trial.from_images), cost(run, 0)
    in_time = budget.minutes is None or budget.minutes - all_minutes >= ROOM * minutes
    return in_time and (budget.images is None or budget.images - all_images >= ROOM * images)


def _distance(run: Run, since: int, until: int | None = None) -> tuple[float, float] | None:
    """The last kernel distance between these images, with its standard error; None if there is none.

    What is older is of both runs: the journal of a trial begins with that of the ill one.
    """
    evidence = run.evidence if until is None else run.evidence.until(until)
    distance, error = evidence.series("kernel_distance"), evidence.series("kernel_distance_error")
    if not len(distance) or not len(error) or distance.images[-1] <= since:
        return None
    return float(distance.values[-1]), float(error.values[-1])
