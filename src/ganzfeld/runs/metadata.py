"""``run.json``: the settings and facts of a run that its recipe does not hold, and its events."""

import os
import platform
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, computed_field, model_validator

import ganzfeld
from ganzfeld.compute.engine import Engine, chip_of, num_threads
from ganzfeld.compute.fast_path import FastPath
from ganzfeld.errors import UsageError
from ganzfeld.option_values import absolute
from ganzfeld.options import DivergencePolicy, PreparationOptions, StopPolicy, TrainOptions, declared
from ganzfeld.printable import printable
from ganzfeld.record import Count, Record
from ganzfeld.regular import is_regular
from ganzfeld.runs.schedule import Horizon


class Environment(Record):
    """Everything beside the recipe, images and seed that a run's results depend on, down to the last bit.

    ``chip`` is the GPU's name, or the CPU instruction set that torch uses; ``ranks`` is the number of
    processes that train together (the world size).
    """

    ganzfeld: str
    torch: str
    python: str
    device: str
    chip: str
    precision: str
    threads: Count
    ranks: Annotated[int, Field(ge=1)] = 1


def circumstances(engine: Engine, threads: int | None, ranks: int) -> Environment:
    """Describe the environment of this process; ``threads`` compute a step (None: torch's number)."""
    return Environment(
        ganzfeld=ganzfeld.__version__,
        torch=torch.__version__,
        python=platform.python_version(),
        device=str(engine.device),
        chip=chip_of(engine.device),
        precision=engine.precision,
        threads=threads or num_threads(),
        ranks=ranks,
    )


def timestamp() -> str:
    """Return the local time now, as ISO 8601 with its UTC offset."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


EventKind = Literal["resumed", "forked", "rolled back", "stopped", "treated", "kept", "undone"]


class Event(Record):
    """An event of a run: the images seen then, the time (ISO 8601), and what happened, in words."""

    kind: EventKind
    images_seen: Count
    time: str
    what: str


class QualityScore(Record):
    """The score of a model at ``images_seen``: its kernel distance and standard error, and their basis."""

    images_seen: Count
    kernel_distance: float
    error: Annotated[float, Field(ge=0)]
    num_samples: Count
    num_reals: Count
    features: str
    features_sha256: str


class FinalScores(Record):
    """The scores at the end of a run, at ``at_images`` images, of the best and the last model.

    The two may be the same model.
    """

    at_images: Count
    best: QualityScore
    last: QualityScore


class Trial(Record):
    """A remedy that was tried, or is still being tried if its ``outcome`` is ``open``.

    ``finding`` is what the remedy should end. It was seen at ``at_images`` images in the run whose folder is
    named ``ill``. The trial forks that run at ``from_images`` images with other ``settings``.
    """

    finding: str
    remedy: str
    settings: tuple[str, ...]
    ill: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    from_images: Count
    at_images: Count
    outcome: Literal["open", "kept", "undone"] = "open"
    why: str = ""

    @property
    def summary(self) -> str:
        """What was tried and with what result, in words."""
        return f"{self.finding}: {' '.join(self.settings)} {self.outcome}: {self.why}"


def _range_of(name: str) -> Any:
    """Return the range of an option of ``train`` as it is declared there, for a field that stores it."""
    declaration = declared(TrainOptions)[name]
    return Field(gt=declaration.above, ge=declaration.low, le=declaration.high)


class RunMetadata(Record):
    """The content of ``run.json``. ``data`` is the path of the images, or None for the built-in faces.

    ``preparation`` holds the options by which the images were prepared, with automatic choices resolved.
    ``num_duplicates`` is the number of images that would be left out if one image of each group of duplicates
    were kept. ``launch`` names the launch of processes that began the run, so that they resume it when
    started again. ``best`` is the score of ``model/best``, ``final`` holds the scores at the end. ``trials``
    are the remedies that ``auto`` tried, oldest first, including those of the runs that this one was forked
    from.
    """

    data: str | None
    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    num_pictures: Count
    channels: Count
    content_hash: str
    classes_hash: str = ""
    class_names: tuple[str, ...] = ()
    credit: str
    num_unusable: Count
    num_duplicates: Count = 0
    preparation: PreparationOptions = PreparationOptions()
    seed: Count
    minutes: Annotated[float, Field(gt=0)] | None
    images: Annotated[int, Field(gt=0, lt=2**63)] | None
    checkpoint_seconds: Annotated[float, _range_of("checkpoint_seconds")]
    on_divergence: DivergencePolicy
    stop: StopPolicy = "never"
    auto: bool = False
    trials: tuple[Trial, ...] = ()
    horizons: tuple[Horizon, ...]
    route: FastPath
    started: str
    launch: str | None = None
    circumstances: Environment
    events: tuple[Event, ...]
    best: QualityScore | None = None
    final: FinalScores | None = None

    @model_validator(mode="before")
    @classmethod
    def _move_max_bad(cls, fields: Any) -> Any:
        """Move ``max_bad`` into ``preparation``: older runs have it at the top level only."""
        if not isinstance(fields, dict) or "max_bad" not in fields:
            return fields
        rest = {name: value for name, value in fields.items() if name != "max_bad"}
        beside = rest.get("preparation", {})
        if isinstance(beside, dict):
            rest["preparation"] = beside | {"max_bad": fields["max_bad"]}
        return rest

    @computed_field
    @property
    def max_bad(self) -> float:
        """``preparation.max_bad``; also written at the top level, where other programs may read it."""
        return self.preparation.max_bad

    def reading_options(self, *, by_class: bool) -> dict[str, Any]:
        """Return the options with which the images are read again.

        Raises ``UsageError`` if the file of labels is missing and the run is conditional (``by_class``).
        """
        options = asdict(self.preparation)
        labels = options["labels"]
        if labels and not by_class and not is_regular(Path(labels)):
            options["labels"] = None
        elif labels and by_class and not os.path.exists(labels):  # noqa: PTH110  Path.exists may raise
            hint = "If it has moved, give its new path with --labels."
            raise UsageError(f"the file with the labels of the run is missing: {printable(labels)}", hint)
        return options

    def with_labels_at(self, labels: str | os.PathLike[str] | None) -> "RunMetadata":
        """Return a copy in which the file of labels is at another path; None: at the same path."""
        if labels is None:
            return self
        return self.changed(preparation=replace(self.preparation, labels=absolute(labels)))

    @property
    def resumed_at_images(self) -> int | None:
        """The number of images seen when the run was last resumed or forked; None if it never was."""
        return next((e.images_seen for e in reversed(self.events) if e.kind in ("resumed", "forked")), None)

    @property
    def beginning(self) -> str:
        """The message of the last time the run was resumed or forked; empty if it never was."""
        return next((e.what for e in reversed(self.events) if e.kind in ("resumed", "forked")), "")

    @property
    def stopped(self) -> Event | None:
        """The event by which ``--stop`` ended the run; None if it did not, or the run was resumed since."""
        # A later decision about a trial does not resume the run.
        events = [event for event in self.events if event.kind not in ("treated", "kept", "undone")]
        return events[-1] if events and events[-1].kind == "stopped" else None

    @property
    def open_trial(self) -> Trial | None:
        """The remedy that is being tried; None if there is none."""
        return next((trial for trial in self.trials if trial.outcome == "open"), None)
