"""``run.json``: what was decided and found beside the recipe, when the run began and while it went on."""

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
from ganzfeld.options import PreparationOptions
from ganzfeld.printable import printable
from ganzfeld.record import Count, Record
from ganzfeld.regular import is_regular
from ganzfeld.runs.schedule import Horizon


class Environment(Record):
    """What decides the last bit of a training beside its recipe, images and seed.

    ``chip`` is the graphics card, or the instructions that torch uses on the processor; ``ranks`` the number
    of processes that train together.
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
    """Those of this process; ``threads`` compute a step, None: as many as torch has."""
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
    """This moment, as ISO 8601 with the offset of the local time."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


EventKind = Literal["resumed", "forked", "rolled back", "stopped", "treated", "kept", "undone"]


class Event(Record):
    """Something that happened to a run: at how many images, when (ISO 8601), and what, in words."""

    kind: EventKind
    images_seen: Count
    time: str
    what: str


class QualityScore(Record):
    """How good the model was after so many images: kernel distance, its standard error, and of what."""

    images_seen: Count
    kernel_distance: float
    error: Annotated[float, Field(ge=0)]
    num_samples: Count
    num_reals: Count
    features: str
    features_sha256: str


class FinalScores(Record):
    """What was judged when the training stood at ``at_images`` images and was over: two models, or one."""

    at_images: Count
    best: QualityScore
    last: QualityScore


class Trial(Record):
    """A remedy that was tried, or is being tried where its outcome is ``open``.

    What was to go is ``finding``, seen at ``at_images`` images in the run whose folder is named ``ill``.
    The run of the trial goes on from it, at ``from_images`` images, with other ``settings``.
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
    def told(self) -> str:
        """What was tried and what came of it, in words."""
        return f"{self.finding}: {' '.join(self.settings)} {self.outcome}: {self.why}"


class RunMetadata(Record):
    """All of ``run.json``. ``data`` is where the images are, None for the built-in ones.

    ``preparation`` is how they were brought to what is trained on, with all that was to be found resolved.
    ``num_duplicates`` of the images would go if one of each group of duplicates stayed. ``launch`` names
    the launch of processes that began the run: started again, they go on with it. ``best`` is the judgement
    of ``model/best``, ``final`` that at the end. ``trials`` are the remedies of a run that is looked after
    (``auto``), oldest first, those of the runs that it comes from among them.
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
    checkpoint_seconds: Annotated[float, Field(gt=0)]
    on_divergence: Literal["stop", "rollback"]
    stop: Literal["never", "plateau", "decay"] = "never"
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
    def _of_older_runs(cls, fields: Any) -> Any:
        """Take ``max_bad`` from beside the other options: in older runs it stands there alone."""
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
        """That of ``preparation``; a name of ``run.json`` that others may rely on."""
        return self.preparation.max_bad

    def reading_options(self, *, by_class: bool) -> dict[str, Any]:
        """Return the options with which the images are read again.

        A file of labels that is gone is missed only by who needs classes, with ``UsageError``.
        """
        options = asdict(self.preparation)
        labels = options["labels"]
        if labels and not by_class and not is_regular(Path(labels)):
            options["labels"] = None
        elif labels and by_class and not os.path.exists(labels):  # noqa: PTH110  the other way may raise
            hint = "If it is elsewhere now, say where with --labels."
            raise UsageError(f"there is no file {printable(labels)} with the labels of the run", hint)
        return options

    def with_labels_at(self, labels: str | os.PathLike[str] | None) -> "RunMetadata":
        """Return the same with another place of the file of labels; None: it is where it was."""
        if labels is None:
            return self
        return self.changed(preparation=replace(self.preparation, labels=absolute(labels)))

    @property
    def resumed_at_images(self) -> int | None:
        """Images seen when the run was last resumed or forked; None if it never was."""
        return next((e.images_seen for e in reversed(self.events) if e.kind in ("resumed", "forked")), None)

    @property
    def beginning(self) -> str:
        """What was said when the run was last resumed or forked; empty if it never was."""
        return next((e.what for e in reversed(self.events) if e.kind in ("resumed", "forked")), "")

    @property
    def stopped(self) -> Event | None:
        """How ``--stop`` has ended the training; None if it has not, or the training went on since."""
        # What was decided of a trial afterwards did not go on with it.
        moved = [event for event in self.events if event.kind not in ("treated", "kept", "undone")]
        return moved[-1] if moved and moved[-1].kind == "stopped" else None

    @property
    def open_trial(self) -> Trial | None:
        """The remedy that is being tried; None if there is none."""
        return next((trial for trial in self.trials if trial.outcome == "open"), None)

    def changed(self, **fields: Any) -> "RunMetadata":
        """The same with some fields replaced."""
        return self.model_copy(update=fields)
