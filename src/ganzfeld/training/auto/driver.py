"""``--auto``: a training that is looked after: what the doctor advises is tried, and undone if in vain."""

import contextlib
from dataclasses import replace

from ganzfeld.errors import GanzfeldError, ResourceError, UsageError
from ganzfeld.own_folder import LostFolder
from ganzfeld.runs.metadata import Trial
from ganzfeld.runs.report.report import write_report
from ganzfeld.runs.run import Run, open_run
from ganzfeld.training.auto.policy import cost, has_helped, is_decided, prescription, with_beginning
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.overrides import Overrides, is_finished, is_over
from ganzfeld.training.session import fork, go_on


def attended(run: Run, overrides: Overrides, callback: TrainCallback) -> Run:
    """Go on with a run to the end of its budget, trying remedies on the way; the run that came out of it.

    Everything is decided by what the run folders say, so that a course which was broken off goes on: with
    the trial that is open, or with the run to which one was undone. Raises what ``resume`` raises.
    """
    run, overrides = _where_it_was_broken_off(run, overrides, callback)
    trained: Run | None = None
    while True:
        verdict, trial = run.diagnose(), run.metadata.open_trial
        # A sheet that could not be written at the end of a training will not be by another one.
        over = is_finished(run, overrides) or (trained is run and is_over(run, overrides))
        if trial and (over or is_decided(run, verdict)):
            run, overrides = _decided(run, trial, overrides, callback)
            trained = None
        elif not trial and (new := prescription(run, verdict, overrides.budget(run.metadata))):
            run, overrides = _tried(run, new, overrides, callback)
            trained = run if run.metadata.open_trial else None
        elif over:
            return run
        else:
            run, overrides, trained = _trained(run, trial, overrides, callback)


def _trained(
    run: Run, trial: Trial | None, overrides: Overrides, callback: TrainCallback
) -> tuple[Run, Overrides, Run | None]:
    """Go on with a run; where a trial cannot, with the run that was ill. Last, which of them has trained."""
    try:
        return go_on(run, overrides, callback), overrides.without_end, run
    except ResourceError as error:
        if trial is None or isinstance(error, LostFolder):
            raise
        return *_given_up(run, trial, error, overrides, callback), None


def _where_it_was_broken_off(
    run: Run, overrides: Overrides, callback: TrainCallback
) -> tuple[Run, Overrides]:
    """The run with which a course goes on that was killed before its last decision was carried out."""
    if run.metadata.open_trial:
        return run, overrides
    if trying := _in_which_it_is_treated(run):
        callback.noted(f"a remedy for {run.path} is being tried: going on with {trying.path}")
        return trying, overrides
    if followed := _that_came_of_it(run):
        callback.noted(f"a remedy for {run.path} was kept: going on with {followed.path}")
        return _where_it_was_broken_off(followed, overrides, callback)
    last = run.metadata.trials[-1] if run.metadata.trials else None
    if last is None or last.outcome != "undone":
        return run, overrides
    is_ill = last.ill == run.path.name
    ill, in_vain = (run, _in_vain(run, last)) if is_ill else (_opened(run, last), run)
    if ill is None:
        return run, overrides
    if not is_ill:
        callback.noted(f"{run.path} was undone: going on with {ill.path}")
    # What the trial used up is taken from the budget by the next step, which has not been made yet.
    is_next = ill.metadata.events[-1:] and ill.metadata.events[-1].kind == "undone"
    if in_vain is None or not is_next:
        return ill, overrides
    return ill, overrides.shortened(ill.metadata, *cost(in_vain, last.from_images))


def _in_vain(run: Run, trial: Trial) -> Run | None:
    """The run beside this one in which a remedy for it was tried and undone; None if it was deleted."""
    for path in sorted(run.path.parent.iterdir()):
        with contextlib.suppress(GanzfeldError):
            other = open_run(path)
            if path.name != run.path.name and other.metadata.trials[-1:] == (trial,):
                return other
    return None


def _in_which_it_is_treated(run: Run) -> Run | None:
    """The run beside this one in which a remedy for it is being tried; None if there is none."""
    for path in sorted(run.path.parent.iterdir()):
        with contextlib.suppress(GanzfeldError):
            other = open_run(path)
            trial, started = other.metadata.open_trial, other.metadata.started
            # One of an older run that had the same name is none of it.
            if trial and trial.ill == run.path.name and started >= run.metadata.started:
                return other
    return None


def _that_came_of_it(run: Run) -> Run | None:
    """The run beside this one in which a remedy for it was kept; None if there is none."""
    kept = [each for each in run.metadata.trials if each.outcome == "kept" and each.ill == run.path.name]
    found = []
    for path in sorted(run.path.parent.iterdir()) if kept else []:
        with contextlib.suppress(GanzfeldError):
            other = open_run(path)
            if path != run.path and kept[-1] in other.metadata.trials:
                found.append(other)
    # Of the runs that have it in their past, the others came of the first one.
    return min(found, key=lambda other: other.metadata.started, default=None)


def _opened(run: Run, trial: Trial) -> Run | None:
    """The run that a trial was to help; None if it is not there any more."""
    with contextlib.suppress(UsageError):
        return open_run(run.path.parent / trial.ill)
    return None


def _tried(run: Run, trial: Trial, overrides: Overrides, callback: TrainCallback) -> tuple[Run, Overrides]:
    """Try a remedy, in a run of its own."""
    trial = with_beginning(run, trial)
    what = f"{trial.finding}: trying {' '.join(trial.settings)} from {trial.from_images:,} images on"
    budget = overrides.budget(run.metadata)
    with run.writing():
        # What earlier trials used up of it stays gone, whatever becomes of this one.
        run.write_metadata(run.metadata.changed(minutes=budget.minutes, images=budget.images))
        run.record("treated", trial.at_images, what)
    callback.noted(f"{what}. {trial.remedy}")
    shorter = replace(
        overrides.shortened(run.metadata, *cost(run, trial.from_images)), trials=(*run.metadata.trials, trial)
    )
    try:
        trying = fork(run, trial.from_images, trial.settings, shorter, callback)
    except ResourceError as error:
        begun = None if isinstance(error, LostFolder) else _in_which_it_is_treated(run)
        if begun is None:
            raise
        return _given_up(begun, trial, error, overrides.without_end, callback)
    return trying, overrides.without_end


def _decided(run: Run, trial: Trial, overrides: Overrides, callback: TrainCallback) -> tuple[Run, Overrides]:
    """Keep the trial that a run is, or undo it: the run to go on with, and to which end."""
    ill = _opened(run, trial)
    helped, why = has_helped(run, ill) if ill else (True, f"{trial.ill} is not there any more")
    return _closed(run, ill, trial, helped, why, overrides, callback)


def _given_up(
    run: Run, trial: Trial, error: ResourceError, overrides: Overrides, callback: TrainCallback
) -> tuple[Run, Overrides]:
    """Undo a trial for which there is not enough memory or room."""
    ill = _opened(run, trial)
    if ill is None:
        raise error
    return _closed(run, ill, trial, False, f"it could not be trained: {error.message}", overrides, callback)


def _closed(
    run: Run,
    ill: Run | None,
    trial: Trial,
    helped: bool,
    why: str,
    overrides: Overrides,
    callback: TrainCallback,
) -> tuple[Run, Overrides]:
    """Write down what came of the trial that a run is: the run to go on with, and to which end."""
    outcome = "kept" if helped else "undone"
    closed = trial.model_copy(update={"outcome": outcome, "why": why})
    trials = (*run.metadata.trials[:-1], closed)
    with contextlib.ExitStack() as both:
        # The trial last: as long as it is open, all of this is done again after a kill.
        runs = [each for each in (ill, run) if each]
        for each in runs:
            both.enter_context(each.writing())
        for each in runs:
            each.write_metadata(each.metadata.changed(trials=trials))
            each.record(outcome, trial.at_images, closed.summary)
            with contextlib.suppress(GanzfeldError):
                write_report(each)
    callback.noted(closed.summary)
    if helped or ill is None:
        return run, overrides
    if is_over(ill, overrides.without_end):  # by ``--stop``
        return ill, overrides.without_end
    return ill, overrides.without_end.shortened(ill.metadata, *cost(run, trial.from_images))
