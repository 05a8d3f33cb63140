"""An experiment from its name to its outcome, and from its outcome to files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ganzfeld.compute.engine import computing_with
from ganzfeld.durable import make_folder
from ganzfeld.errors import UsageError
from ganzfeld.lab.drawing import drawn
from ganzfeld.lab.experiments import experiments
from ganzfeld.lab.language import Phrase, say
from ganzfeld.lab.live import Live, Training, live
from ganzfeld.lab.outcome import Measured, Outcome, by_key, every
from ganzfeld.lab.repeated import over_runs, runs_of
from ganzfeld.lab.thorough import Tell, own_images, runs_to_train, train_missing
from ganzfeld.output import Mark, require_replaceable, write_json_output, write_output
from ganzfeld.progress import CountCallback, counting, discard
from ganzfeld.progress import tell as tell_on_stderr
from ganzfeld.recipes import explained
from ganzfeld.runs import Run
from ganzfeld.system import in_words

VERDICT, FIGURE = "verdict.json", "figure.png"
"""Names of the files of an outcome."""


@in_words()
def run(
    name: str,
    *,
    seed: int = 0,
    thorough: bool = False,
    on: Run | Training | str | Path | None = None,
    progress: bool | CountCallback | None = True,
    **settings: Any,
) -> Outcome:
    """Perform an experiment and return its outcome.

    ``settings`` are fields of its ``Settings``; ``thorough`` increases the defaults of the others. ``on`` is
    a run (or its folder) whose networks and images are measured in situ, instead of those of a short run that
    the lab trains itself. ``progress`` shows on stderr how far that run is; False shows nothing, and a
    function is called as ``progress(done, total, what)`` from time to time. Raises ``UsageError`` for an
    unknown name, an unknown or invalid setting, and whatever ``ganzfeld.lab.live.live`` raises.

    >>> run("leaky-slope", alpha=0.1).verdict  # doctest: +SKIP
    """
    return perform(name, settings, seed=seed, thorough=thorough, on=on, progress=progress)


def perform(
    name: str,
    settings: Mapping[str, Any],
    *,
    seed: int = 0,
    thorough: bool = False,
    on: Run | Training | str | Path | None = None,
    progress: bool | CountCallback | None = True,
    tell: Tell | None = None,
) -> Outcome:
    """Perform an experiment as ``run`` does, with the settings as a mapping.

    ``tell`` is called with how long the runs of ``thorough`` take before they begin, by default on stderr
    if ``progress`` is shown there.
    """
    name, callback = experiments.canonical(name), counting(progress)
    entry = experiments.load(name)
    chosen = settings_of(name, {**(entry.THOROUGH if thorough else {}), **settings})
    if not 0 <= seed < 2**63:
        raise UsageError(f"seed must be from 0 to {2**63 - 1}, not {seed}")
    with computing_with(threads_for(on)):
        networks = live(on, thorough=thorough, progress=callback)
        tell = tell or (tell_on_stderr if progress is True else discard)
        train_missing(
            networks, runs_to_train(networks, name, chosen), tell, own_images(networks, name, chosen)
        )
        figures, data = experiments.load(name, "toy").bench(chosen, seed, thorough)
        in_situ, more = measured_in_situ(name, networks, chosen, seed)
    measured = every((*figures, *in_situ))
    return Outcome(
        name,
        chosen.model_dump(mode="json"),
        seed,
        measured,
        entry.advice(by_key(measured), chosen),
        {**data, **more, "in_situ": place_of(networks)},
        entry.SENTENCES,
    )


def measured_in_situ(
    name: str, networks: Live, settings: Any, seed: int
) -> tuple[list[Measured], dict[str, Any]]:
    """Measure the live networks of every run, then what an experiment trains by itself, if anything."""
    parts = experiments.load(name, "live")
    figures, data = over_runs(networks, seed, lambda run, seed: parts.in_situ(run, settings, seed))
    trained = vars(parts).get("trained")
    if trained is None:
        return figures, data
    more, of_trained = trained(networks, settings, seed)
    return [*figures, *more], data | of_trained


def place_of(networks: Live) -> Phrase | str:
    """Say whose networks were measured in situ, and how many runs."""
    num = len(runs_of(networks))
    if num == 1:
        return networks.place
    first = networks.training.seed
    return say(
        "{num} runs (seeds {first} to {last}), each {place}",
        num=num,
        first=first,
        last=first + num - 1,
        place=networks.place,
    )


def threads_for(on: Run | Training | str | Path | None) -> int | None:
    """Return the number of threads to compute with: one, so that figures do not depend on the number that
    torch has.

    With another number of threads sums are rounded differently, and after some hundred steps the weights
    differ. For a run of the user's, return None, which means as many as torch has: its networks can be large,
    and no page quotes its figures.
    """
    return 1 if on is None or isinstance(on, Training) else None


def settings_of(name: str, fields: Mapping[str, Any]) -> Any:
    """Build the ``Settings`` of an experiment. Raise ``UsageError`` for an unknown or invalid field."""
    kind = experiments.load(name).Settings
    try:
        return kind(**fields)
    except ValidationError as error:
        hint = f"ganzfeld lab list shows the settings of {name} in full."
        raise explained(error, f"{name} experiment", list(kind.model_fields), hint) from None


def write_outcome(outcome: Outcome, folder: Path, language: str = "en") -> None:
    """Write ``verdict.json``, whose names are English, and ``figure.png`` in a language into a folder.

    Raises ``UsageError`` if the folder holds other files of these names, ``ResourceError`` if it cannot
    write.
    """
    require_outcome_replaceable(folder)
    make_folder(folder)
    drawing = drawn(outcome, language)
    write_json_output(folder / VERDICT, outcome.as_json(), Mark.LAB_VERDICT)
    write_output(folder / FIGURE, drawing, Mark.LAB_FIGURE)


def require_outcome_replaceable(folder: Path) -> None:
    """Raise ``UsageError`` if an outcome would overwrite files that no experiment has written."""
    require_replaceable(folder / VERDICT, Mark.LAB_VERDICT)
    require_replaceable(folder / FIGURE, Mark.LAB_FIGURE)
