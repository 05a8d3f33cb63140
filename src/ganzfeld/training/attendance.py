"""``--auto``: a training that is looked after: what the doctor advises is tried, and undone if in vain."""

from dataclasses import replace

from ganzfeld.training.facts import Trial
from ganzfeld.training.resume import Wishes, fork, go_on, is_finished
from ganzfeld.training.run import Run, open_run
from ganzfeld.training.treatment import cost, has_helped, is_decided, prescription, shortened
from ganzfeld.training.watcher import Watcher


def attended(run: Run, wishes: Wishes, watcher: Watcher) -> Run:
    """Go on with a run to the end of its budget, trying remedies on the way; the run that came out of it.

    Everything is decided by what the run folders say, so that a course which was broken off goes on.
    Raises what ``resume`` raises.
    """
    while True:
        verdict, trial = run.diagnose(), run.facts.open_trial
        over = is_finished(run, wishes)
        if trial and (over or is_decided(run, verdict)):
            run, wishes = _decided(run, trial, wishes, watcher)
        elif not trial and (new := prescription(run, verdict)):
            run, wishes = _tried(run, new, wishes, watcher), wishes.without_end
        elif over:
            return run
        else:
            run, wishes = go_on(run, wishes, watcher), wishes.without_end


def _tried(run: Run, trial: Trial, wishes: Wishes, watcher: Watcher) -> Run:
    """Try a remedy, in a run of its own."""
    what = f"{trial.finding}: trying {' '.join(trial.settings)} from {trial.from_images:,} pictures on"
    with run.writing():
        run.record("treated", trial.at_images, what)
    watcher.noted(f"{what}. {trial.remedy}")
    end = shortened(run.facts, *cost(run, trial.from_images))
    trials = (*run.facts.trials, trial)
    return fork(run, trial.from_images, trial.settings, replace(wishes, **end, trials=trials), watcher)


def _decided(run: Run, trial: Trial, wishes: Wishes, watcher: Watcher) -> tuple[Run, Wishes]:
    """Keep the trial that a run is, or undo it: the run to go on with, and to which end."""
    ill = open_run(run.path.parent / trial.ill)
    helped, why = has_helped(run, ill)
    outcome = "kept" if helped else "undone"
    closed = trial.model_copy(update={"outcome": outcome, "why": why})
    trials = (*run.facts.trials[:-1], closed)
    for each in (run, ill):
        with each.writing():
            each.write_facts(each.facts.changed(trials=trials))
            each.record(outcome, trial.at_images, closed.told)
    watcher.noted(closed.told)
    if helped:
        return run, wishes
    return ill, replace(wishes, **shortened(ill.facts, *cost(run, trial.from_images)))
