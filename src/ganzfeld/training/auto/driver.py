"""The driver of ``--auto``: try the remedies of the doctor, and undo those that do not help."""

import contextlib
from dataclasses import replace

from ganzfeld.errors import GanzfeldError, ResourceError, UsageError
from ganzfeld.own_folder import LostFolder
from ganzfeld.runs.metadata import Trial
from ganzfeld.runs.opening import open_run
from ganzfeld.runs.report.report import write_report
from ganzfeld.runs.run import Run
from ganzfeld.training.auto.policy import cost, from_newest_checkpoint, has_helped, is_decided, next_trial
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.overrides import Overrides, is_finished, is_over
from ganzfeld.training.session import continue_run, fork


def train_with_auto(run: Run, overrides: Overrides, callback: TrainCallback) -> Run:
    """Train a run to the end of its budget, trying remedies on the way, and return the run that results.

    Every decision depends only on the run folders, so that an interrupted call can be repeated: it continues
    with the open trial, or with the original run if the trial was undone. Raises what ``resume`` raises.
    """
    run, overrides = _find_run_to_continue(run, overrides, callback)
    trained: Run | None = None
    while True:
        diagnosis, trial = run.diagnose(), run.metadata.open_trial
        # A run that has just trained counts as over even if its sample grid could not be written: training
        # again would not write it either.
        over = is_finished(run, overrides) or (trained is run and is_over(run, overrides))
        if trial and (over or is_decided(run, diagnosis)):
            run, overrides = _decide_trial(run, trial, overrides, callback)
            trained = None
        elif not trial and (new := next_trial(run, diagnosis, overrides.budget(run.metadata))):
            run, overrides = _start_trial(run, new, overrides, callback)
            trained = run if run.metadata.open_trial else None
        elif over:
            return run
        else:
            run, overrides, trained = _continue(run, trial, overrides, callback)


def _continue(
    run: Run, trial: Trial | None, overrides: Overrides, callback: TrainCallback
) -> tuple[Run, Overrides, Run | None]:
    """Train a run; if it is a trial that lacks memory or disk space, go back to the original run.

    Returns the run to continue with, its overrides, and the run that was trained, if any.
    """
    try:
        return continue_run(run, overrides, callback), overrides.without_end, run
    except ResourceError as error:
        if trial is None or isinstance(error, LostFolder):
            raise
        return *_give_up_trial(run, trial, error, overrides, callback), None


def _find_run_to_continue(run: Run, overrides: Overrides, callback: TrainCallback) -> tuple[Run, Overrides]:
    """Find the run to continue with, after a kill before the last decision was carried out."""
    if run.metadata.open_trial:
        return run, overrides
    if trying := _find_open_trial(run):
        callback.noted(f"a remedy for {run.path} is being tried: continuing with {trying.path}")
        return trying, overrides
    if successor := _find_kept_trial(run):
        callback.noted(f"a remedy for {run.path} was kept: continuing with {successor.path}")
        return _find_run_to_continue(successor, overrides, callback)
    last = run.metadata.trials[-1] if run.metadata.trials else None
    if last is None or last.outcome != "undone":
        return run, overrides
    is_original = last.ill == run.path.name
    original = run if is_original else _open_original(run, last)
    undone = _find_undone_trial(run, last) if is_original else run
    if original is None:
        return run, overrides
    if not is_original:
        callback.noted(f"{run.path} was undone: continuing with {original.path}")
    # If the last event is "undone", the cost of the trial has not been taken off the stored budget yet.
    is_due = original.metadata.events[-1:] and original.metadata.events[-1].kind == "undone"
    if undone is None or not is_due:
        return original, overrides
    return original, overrides.shortened(original.metadata, *cost(undone, last.from_images))


def _find_undone_trial(run: Run, trial: Trial) -> Run | None:
    """Find the run beside this one in which ``trial`` was made and undone; None if it was deleted."""
    for path in sorted(run.path.parent.iterdir()):
        with contextlib.suppress(GanzfeldError):
            other = open_run(path)
            if path.name != run.path.name and other.metadata.trials[-1:] == (trial,):
                return other
    return None


def _find_open_trial(run: Run) -> Run | None:
    """Find the run beside this one in which a remedy for it is being tried; None if there is none."""
    for path in sorted(run.path.parent.iterdir()):
        with contextlib.suppress(GanzfeldError):
            other = open_run(path)
            trial, started = other.metadata.open_trial, other.metadata.started
            # A run that started earlier tried a remedy for an older run of the same name.
            if trial and trial.ill == run.path.name and started >= run.metadata.started:
                return other
    return None


def _find_kept_trial(run: Run) -> Run | None:
    """Find the run beside this one in which a remedy for it was kept; None if there is none."""
    kept = [trial for trial in run.metadata.trials if trial.outcome == "kept" and trial.ill == run.path.name]
    successors = []
    for path in sorted(run.path.parent.iterdir()) if kept else []:
        with contextlib.suppress(GanzfeldError):
            other = open_run(path)
            if path != run.path and kept[-1] in other.metadata.trials:
                successors.append(other)
    # Several runs may have the trial in their history: the later ones were forked from the first one.
    return min(successors, key=lambda other: other.metadata.started, default=None)


def _open_original(run: Run, trial: Trial) -> Run | None:
    """Open the run for which a remedy was tried in ``run``; return None if it was deleted."""
    with contextlib.suppress(UsageError):
        return open_run(run.path.parent / trial.ill)
    return None


def _start_trial(
    run: Run, trial: Trial, overrides: Overrides, callback: TrainCallback
) -> tuple[Run, Overrides]:
    """Fork a run to try a remedy, train the fork, and return the run to continue with and its overrides."""
    trial = from_newest_checkpoint(run, trial)
    what = f"{trial.finding}: trying {' '.join(trial.settings)} from {trial.from_images:,} images on"
    budget = overrides.budget(run.metadata)
    with run.writing():
        # Stored, so that the cost of earlier trials stays deducted whether or not this one is kept.
        run.write_metadata(run.metadata.changed(minutes=budget.minutes, images=budget.images))
        run.record("treated", trial.at_images, what)
    callback.noted(f"{what}. {trial.remedy}")
    shorter = replace(
        overrides.shortened(run.metadata, *cost(run, trial.from_images)), trials=(*run.metadata.trials, trial)
    )
    try:
        trying = fork(run, trial.from_images, trial.settings, shorter, callback)
    except ResourceError as error:
        begun = None if isinstance(error, LostFolder) else _find_open_trial(run)
        if begun is None:
            raise
        return _give_up_trial(begun, trial, error, overrides.without_end, callback)
    return trying, overrides.without_end


def _decide_trial(
    run: Run, trial: Trial, overrides: Overrides, callback: TrainCallback
) -> tuple[Run, Overrides]:
    """Keep or undo the trial in ``run``; return the run to continue with and its overrides."""
    original = _open_original(run, trial)
    helped, why = has_helped(run, original) if original else (True, f"{trial.ill} was deleted")
    return _close_trial(run, original, trial, helped, why, overrides, callback)


def _give_up_trial(
    run: Run, trial: Trial, error: ResourceError, overrides: Overrides, callback: TrainCallback
) -> tuple[Run, Overrides]:
    """Undo a trial for which there is not enough memory or disk space."""
    original = _open_original(run, trial)
    if original is None:
        raise error
    why = f"it could not be trained: {error.message}"
    return _close_trial(run, original, trial, False, why, overrides, callback)


def _close_trial(
    run: Run,
    original: Run | None,
    trial: Trial,
    helped: bool,
    why: str,
    overrides: Overrides,
    callback: TrainCallback,
) -> tuple[Run, Overrides]:
    """Record the outcome of the trial in ``run``; return the run to continue with and its overrides."""
    outcome = "kept" if helped else "undone"
    closed = trial.model_copy(update={"outcome": outcome, "why": why})
    trials = (*run.metadata.trials[:-1], closed)
    with contextlib.ExitStack() as both:
        # The run of the trial comes last: as long as the trial is open, all of this is repeated after a kill.
        runs = [member for member in (original, run) if member]
        for member in runs:
            both.enter_context(member.writing())
        for member in runs:
            member.write_metadata(member.metadata.changed(trials=trials))
            member.record(outcome, trial.at_images, closed.summary)
            with contextlib.suppress(GanzfeldError):
                write_report(member)
    callback.noted(closed.summary)
    if helped or original is None:
        return run, overrides
    if is_over(original, overrides.without_end):  # by ``--stop``
        return original, overrides.without_end
    return original, overrides.without_end.shortened(original.metadata, *cost(run, trial.from_images))
