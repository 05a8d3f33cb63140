"""All experiments on one self-contained page, without scripts and without anything to fetch."""

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ganzfeld
from ganzfeld.compute.engine import computing_with
from ganzfeld.durable import make_folder
from ganzfeld.errors import GanzfeldError
from ganzfeld.lab.drawing import drawn
from ganzfeld.lab.experiments import experiments
from ganzfeld.lab.language import Phrase, say, words_in
from ganzfeld.lab.live import Live, Training, live
from ganzfeld.lab.outcome import Outcome
from ganzfeld.lab.perform import run, settings_of, threads_for
from ganzfeld.lab.thorough import own_images, runs_to_train, train_missing
from ganzfeld.lab.words import COLUMNS, as_options, by_part
from ganzfeld.output import Mark, require_replaceable, write_output
from ganzfeld.progress import CountCallback, discard
from ganzfeld.runs import Run
from ganzfeld.runs.report.page import data_url, environment

NOT_PERFORMED = "not performed"

INTRODUCTION = say(
    "What the theory of deep convolutional generative adversarial networks claims, sentence by sentence,"
    " and what was measured. A verdict follows from figures and is never typed in. A sentence fails if one"
    " of its figures departs from it, is not decided if an interval covers both sides or nothing was"
    " measured that could decide it, and holds with limits if a figure at one of its limits departs."
    " Intervals are Student's, so wide that at most one true sentence in a hundred fails by chance. What"
    " is measured in one run is an example, and decides nothing."
)


@dataclass(frozen=True)
class Performed:
    """An experiment that was performed or refused: its outcome, or the error that prevented one."""

    name: str
    seconds: float
    outcome: Outcome | None
    error: GanzfeldError | None = None

    @property
    def verdict(self) -> str:
        """The verdict, or why there is none."""
        return self.outcome.verdict if self.outcome else f"{NOT_PERFORMED}: {self.error}"

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as ``lab run`` prints it, or ``name``, ``error`` and ``hint`` without a
        verdict.
        """
        if self.outcome:
            return self.outcome.as_json() | {"seconds": round(self.seconds, 2)}
        assert self.error
        return {"name": self.name, "verdict": None, "error": self.error.message, "hint": self.error.hint}


def perform_all(
    *,
    seed: int = 0,
    thorough: bool = False,
    on: Run | Training | str | Path | None = None,
    progress: bool | CountCallback | None = True,
    callback: Callable[[str], None] = discard,
) -> list[Performed]:
    """Perform every experiment in its default settings; ``callback`` is called with a line after each.

    Raises what ``ganzfeld.lab.live.live`` raises. An experiment that cannot measure the run is reported as
    not performed.
    """
    with computing_with(threads_for(on)):
        networks = live(on, thorough=thorough, progress=progress)
        if thorough:
            train_all(networks, callback)
    performed = []
    for name in experiments.names():
        start = time.perf_counter()
        outcome = error = None
        try:
            outcome = run(name, seed=seed, thorough=thorough, on=on, progress=progress)
        except GanzfeldError as refusal:
            error = refusal
        result = Performed(name, time.perf_counter() - start, outcome, error)
        performed.append(result)
        callback(f"{name}: {result.verdict} ({result.seconds:.1f} s)")
    return performed


def train_all(networks: Live, callback: Callable[[str], object]) -> None:
    """Train the runs that any experiment measures with ``--thorough``. The expected time is said first."""
    wanted: list[Training] = []
    own = 0
    for name in experiments.names():
        settings = settings_of(name, experiments.load(name).THOROUGH)
        wanted += [run for run in runs_to_train(networks, name, settings) if run not in wanted]
        own += own_images(networks, name, settings)
    train_missing(networks, wanted, callback, own)


def write_report(performed: Sequence[Performed], path: Path, language: str = "en") -> None:
    """Write the page to ``path`` in a language; see ``ganzfeld.output.write_output``."""
    require_replaceable(path, Mark.LAB_REPORT)
    page = (
        environment("ganzfeld.lab", tidy=True)
        .get_template("report.html")
        .render(
            w=lambda text: words_in(language, text if isinstance(text, Phrase) else say(text)),
            language=language,
            intro=INTRODUCTION,
            sections=[_section(result, language) for result in performed],
            columns=COLUMNS,
            seconds=sum(result.seconds for result in performed),
            version=ganzfeld.__version__,
        )
    )
    make_folder(path.parent)
    write_output(path, page.encode(), Mark.LAB_REPORT)


def _section(performed: Performed, language: str) -> dict[str, Any]:
    """Collect the entries of the page on one experiment."""
    entry, outcome = experiments.load(performed.name), performed.outcome
    section = {
        "name": performed.name,
        "claim": entry.CLAIM,
        "claim_zh": entry.CLAIM_ZH,
        "source": entry.SECTION,
        "formulas": [
            (words, tex, _formula(tex))
            for words, tex in experiments.load(performed.name, "theory").FORMULAS.items()
        ],
        "seconds": performed.seconds,
        "verdict": outcome.verdict if outcome else NOT_PERFORMED,
        "claims": outcome.claims if outcome else [],
        "kind": (outcome.verdict if outcome else NOT_PERFORMED).replace(" ", "-"),
    }
    if outcome is None:
        return section | {"why": str(performed.error)}
    settings = as_options(outcome.settings)
    return section | {
        "parts": by_part(outcome.figures),
        "in_situ": outcome.data["in_situ"],
        "advice": outcome.advice,
        "command": f"ganzfeld lab run {performed.name} --seed {outcome.seed}",
        "settings": settings,
        "drawing": data_url("image/png", drawn(outcome, language)),
    }


def _formula(tex: str) -> str:
    """Draw a formula in mathtext as an SVG image that needs no font."""
    from matplotlib.figure import Figure  # half a second to import, and needed here only

    figure = Figure(figsize=(0.1, 0.1))
    figure.text(0, 0, f"${tex}$", fontsize=13, math_fontfamily="cm")
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="svg", bbox_inches="tight", pad_inches=0.03, transparent=True, metadata={"Date": None}
    )
    return data_url("image/svg+xml", buffer.getvalue())
