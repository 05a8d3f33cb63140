"""The policy of ``--auto``: which remedy to try next, and whether it has helped, read from the run folders.

A remedy is tried in a new run beside the original, unhealthy one. The trial starts from the newest checkpoint
before the finding began, or from the beginning if there is none or the networks change. It gets as many
images as the original run had from there on. Then it is kept and continues, or it is undone and the original
run continues.
"""

import contextlib
import math

import numpy as np

from ganzfeld.errors import DamagedError, UsageError
from ganzfeld.health import Diagnosis, Finding, Remedy, is_prior
from ganzfeld.health.derived import series_of
from ganzfeld.recipes import Recipe, resolve
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.metadata import Trial
from ganzfeld.runs.run import Run

MOST_TRIALS = 6
ROOM = 1.25
"""What must be left of the budget, in lengths of the trial: if it is undone, the original run needs it."""

SHARE = 0.5
"""The share of a run's images that trials may cost that are then undone."""

SHARE_BEFORE_PRIORS = 0.1
"""The share of a run after which a finding that is known before training is acted on."""

RECENT = 0.1
"""The last share of a trial; a quality or kernel distance measured there counts as one of its end."""

CLEARLY = 0.05
"""The least difference of two qualities that counts: two looks at one run differ by about half as much."""

NETWORKS_STAY = (
    "generator.optimizer.lr",
    "discriminator.optimizer.lr",
    "loss.",
    "stabilisers",
    "schedule.",
    "ema",
    "crop",
)
"""Prefixes of the settings that can change at a checkpoint."""


def next_trial(run: Run, diagnosis: Diagnosis, budget: Budget | None = None) -> Trial | None:
    """Return the trial to make next for a run with this diagnosis, or None.

    Its remedy is the first one, in the order of the findings to act on, that changes the recipe, has not been
    tried and fits into ``budget``, by default that of the run. Returns None while a trial is open.
    """
    metadata = run.metadata
    if metadata.open_trial or len(metadata.trials) >= MOST_TRIALS:
        return None
    recipe, tried = run.recipe, {trial.settings for trial in metadata.trials}
    for finding in diagnosis.findings:
        for remedy in finding.remedies if _is_to_be_acted_on(run, finding, diagnosis) else ():
            if remedy.settings not in tried and _changes(recipe, remedy.settings):
                trial = _make_trial(run, finding, remedy, diagnosis.images_seen)
                if _fits(run, trial, budget or Budget(metadata.minutes, metadata.images)):
                    return trial
    return None


def _is_to_be_acted_on(run: Run, finding: Finding, diagnosis: Diagnosis) -> bool:
    """Check whether a finding is severe; or known before training, such as an uneven ladder, if little has
    been learned after a share of the run: what is wrong from the beginning costs least to mend there.
    """
    if finding.severity == "sick" or not diagnosis.learned.is_little or not is_prior(finding):
        return finding.severity == "sick"
    planned = run.evidence.planned_images
    return planned is not None and diagnosis.images_seen >= SHARE_BEFORE_PRIORS * planned


def from_newest_checkpoint(run: Run, trial: Trial) -> Trial:
    """Return the trial, starting at the newest readable checkpoint that is not after its planned start."""
    for at in reversed(run.history.all()):
        if at <= trial.from_images:
            with contextlib.suppress(DamagedError):
                run.history.read(at)
                return trial.model_copy(update={"from_images": at})
    return trial.model_copy(update={"from_images": 0})


def is_decided(run: Run, diagnosis: Diagnosis) -> bool:
    """Check whether the open trial of a run has had all its images, or has diverged."""
    trial = run.metadata.open_trial
    return trial is not None and (diagnosis.images_seen >= trial.at_images or has_diverged(run))


def has_diverged(run: Run) -> bool:
    """Check whether the last loss in the journal of a run is not finite."""
    last = run.last_entry or {}
    return any(last.get(name, 0.0) is None for name in ("loss_generator", "loss_discriminator"))


def has_helped(run: Run, original: Run) -> tuple[bool, str]:
    """Decide whether the trial ``run`` is better than the ``original`` run; return that and the reason.

    A run whose images are all alike loses against one whose images are not, whatever their kernel distances:
    even one dark image can have a small distance. Otherwise the quality decides if it clearly differs, which
    rises from the beginning of a run on, while the kernel distance may rise before it falls. Otherwise, if
    one of them has learned something, the kernel distance decides if it differs by more than the standard
    error of the difference. Otherwise the trial has helped if the finding has gone and no other severe
    finding has come.
    """
    trial = run.metadata.open_trial
    assert trial is not None
    if has_diverged(run):
        return False, "it diverged"
    now, before = run.diagnose(), original.diagnose()
    if bool(now.alike) != bool(before.alike):
        return not now.alike, f"{now.alike} has come" if now.alike else f"{before.alike} has gone"
    since, until = trial.from_images, trial.at_images
    # Compare distances of the end only. The trial may have seen slightly more images, since the clock is read
    # only now and then. A run stopped by a signal has only older distances, which say nothing about its end.
    recent = since + round((1 - RECENT) * (until - since))
    ours, theirs = _quality(run, recent), _quality(original, recent, until)
    if ours is not None and theirs is not None and abs(ours - theirs) >= CLEARLY:
        return ours > theirs, f"quality {ours:.2f} instead of {theirs:.2f}"
    ours, theirs = _distance(run, recent), _distance(original, recent, until)
    # As long as neither has learned much, their distances say nothing about what will become of them.
    if ours and theirs and not (now.learned.is_little and before.learned.is_little):
        words = f"kernel distance {ours[0]:.3f} instead of {theirs[0]:.3f}"
        if abs(ours[0] - theirs[0]) > math.hypot(ours[1], theirs[1]):
            return ours[0] < theirs[0], words
    if trial.finding in now.severe:
        return False, f"{trial.finding} is still there"
    if new := sorted(now.severe - before.severe):
        return False, f"{trial.finding} has gone and {new[0]} has come"
    return True, f"{trial.finding} has gone"


def cost(run: Run, from_images: int) -> tuple[int, float]:
    """Return the number of images and the minutes that a run has trained after ``from_images``."""
    last = run.last_entry
    if last is None:
        return 0, 0.0
    around = [entry for entry in run.entries_around(from_images) if entry is not None]
    images = [0, *(entry["images_seen"] for entry in around)]
    seconds = [0.0, *(entry.get("seconds", 0.0) for entry in around)]
    before = float(np.interp(from_images, images, seconds))
    return max(0, last["images_seen"] - from_images), max(0.0, last.get("seconds", 0.0) - before) / 60


def _make_trial(run: Run, finding: Finding, remedy: Remedy, at_images: int) -> Trial:
    before = [at for at in run.history.all() if at <= finding.since_images]
    can_resume = all(setting.startswith(NETWORKS_STAY) for setting in remedy.settings)
    return Trial(
        finding=finding.name,
        remedy=remedy.text,
        settings=remedy.settings,
        ill=run.path.name,
        from_images=before[-1] if before and can_resume else 0,
        at_images=at_images,
    )


def _changes(recipe: Recipe, settings: tuple[str, ...]) -> bool:
    """Check whether a remedy changes the recipe into another valid one."""
    try:
        return resolve(recipe, settings) != recipe
    except UsageError:
        return False


def _fits(run: Run, trial: Trial, budget: Budget) -> bool:
    undone = sum(
        each.at_images - each.from_images for each in run.metadata.trials if each.outcome == "undone"
    )
    planned = budget.images or run.evidence.planned_images
    if planned is not None and undone + trial.at_images - trial.from_images > SHARE * (planned + undone):
        return False
    (images, minutes), (all_images, all_minutes) = cost(run, trial.from_images), cost(run, 0)
    in_time = budget.minutes is None or budget.minutes - all_minutes >= ROOM * minutes
    return in_time and (budget.images is None or budget.images - all_images >= ROOM * images)


def _quality(run: Run, since: int, until: int | None = None) -> float | None:
    """Return the mean quality after ``since`` images, None if it was not measured there."""
    evidence = run.evidence if until is None else run.evidence.until(until)
    quality = series_of(evidence, "quality")
    recent = quality.values[quality.images > since]
    return float(recent.mean()) if len(recent) else None


def _distance(run: Run, since: int, until: int | None = None) -> tuple[float, float] | None:
    """Return the last kernel distance after ``since`` images, with its standard error; None if there is none.

    Older distances belong to both runs: the journal of a trial begins as a copy of the original run's.
    """
    evidence = run.evidence if until is None else run.evidence.until(until)
    distance, error = evidence.series("kernel_distance"), evidence.series("kernel_distance_error")
    if not len(distance) or not len(error) or distance.images[-1] <= since:
        return None
    return float(distance.values[-1]), float(error.values[-1])
