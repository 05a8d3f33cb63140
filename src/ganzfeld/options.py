"""Options of commands and functions, each declared once: name, default, help text and allowed values.

An options class is a frozen dataclass whose fields are made by ``option``. The command line is generated from
it, Python functions take the same names with the same defaults, and a run stores the options it was given.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.option_values import (
    ALL_FRAMES,
    AUTO,
    FIRST_FRAME,
    MOST_FRAMES,
    are_frames,
    as_text,
    frames_as_text,
    range_as_text,
    range_of,
)
from ganzfeld.printable import shown
from ganzfeld.value_kinds import ANYTHING, NUMBER, PATH, SETTINGS, TEXT, TRUTH, WHOLE, Kind

_DECLARED = "option"
_KINDS = {bool: TRUTH, int: WHOLE, float: NUMBER, str: TEXT}

DivergencePolicy = Literal["stop", "rollback"]
StopPolicy = Literal["never", "plateau", "decay"]


@dataclass(frozen=True, slots=True)
class Declared:
    """The declaration of an option.

    ``help`` is the help text, ``kind`` the kind of the values, ``choices`` the allowed values, ``low`` and
    ``high`` the least and greatest value, ``above`` a value that it must exceed. ``typed`` is the type on the
    command line and ``flag`` the name there, if they differ from those of the field.
    """

    help: str
    kind: Kind
    choices: Sequence[Any] = ()
    low: float | None = None
    high: float | None = None
    above: float | None = None
    typed: Any = None
    flag: str = ""

    def is_allowed(self, value: Any) -> bool:
        """Check whether the option may have that value, of its kind. NaN fails every comparison."""
        if self.choices:
            return value in self.choices
        return (
            (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
        )

    @property
    def expected(self) -> str:
        """The allowed values, in words that follow "must be"."""
        if self.choices:
            return " or ".join(map(str, self.choices))
        if self.above is not None:
            return f"above {self.above} and at most {self.high:,}"
        if self.high is None:
            return f"at least {self.low}"
        return f"at most {self.high}" if self.low is None else f"from {self.low} to {self.high}"


def option(default: Any, help: str, *, kind: Kind | None = None, **declaration: Any) -> Any:
    """Declare a field of an options class. ``None`` is allowed where it is the default.

    Without ``kind``, values are of the kind of the default, or of the choices, or are text. ``declaration``
    holds further fields of ``Declared``.
    """
    choices = declaration.get("choices", ())
    example = choices[0] if default is None and choices else default
    kind = kind or _KINDS[str if example is None else type(example)]
    return field(default=default, metadata={_DECLARED: Declared(help, kind, **declaration)})


def declared(options: Any) -> dict[str, Declared]:
    """Map the option names of an options class (or of an instance) to their declarations."""
    return {entry.name: entry.metadata[_DECLARED] for entry in fields(options)}


def defaults(options: Any) -> dict[str, Any]:
    """Map the option names of an options class (or of an instance) to their default values."""
    return {entry.name: entry.default for entry in fields(options)}


def changed(options: Any) -> dict[str, Any]:
    """Return the values of an instance that differ from the defaults, by option name."""
    usual = defaults(options)
    return {name: value for name, value in asdict(options).items() if value != usual[name]}


def values_of(options: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Map the option names of an instance, or only those among ``names``, to its values."""
    wanted = defaults(options).keys() if names is None else defaults(options).keys() & set(names)
    return {name: getattr(options, name) for name in defaults(options) if name in wanted}


def dashed(name: str) -> str:
    """Return the name of an option as typed on the command line: ``max_bad`` is ``max-bad``."""
    return name.replace("_", "-")


def check(options: Any) -> None:
    """Raise ``UsageError`` for the first value of an instance that is not allowed.

    Replaces numbers of other libraries, such as NumPy, by plain Python numbers.
    """
    usual = defaults(options)
    for name, known in declared(options).items():
        value = getattr(options, name)
        if value is None and usual[name] is None:
            continue
        value = known.kind.require(name, value)
        object.__setattr__(options, name, value)
        if known.is_allowed(value):
            continue
        choices = [choice for choice in known.choices if isinstance(choice, str)]
        closest = did_you_mean(value, choices) if choices and isinstance(value, str) else ""
        raise UsageError(f"{dashed(name)} must be {known.expected}, not {shown(value)}", closest)


class _FromArguments:
    """Base of the options classes that can be made from a function's arguments."""

    __slots__ = ()

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """Make an instance from the arguments that are its fields; ignore the others."""
        return cls(**{name: arguments[name] for name in defaults(cls)})


@dataclass(frozen=True, slots=True)
class PreparationOptions(_FromArguments):
    """How images are prepared for training: the same for ``check``, ``train`` and every later reader."""

    channels: int | None = option(
        None, "1 (grey) or 3 (colour). Default: 1 if every image is grey.", choices=(1, 3)
    )
    background: str = option("white", "Colour behind transparent pixels.")
    range: str | None = option(
        None,
        "LOW:HIGH: the stored values that become black and white; or auto. Default: those of the format.",
    )
    alpha: str | None = option(
        None,
        "Use of a fourth channel: over (as opacity), none (leave it out) or band (as data). Default: over,"
        " with a note where that is a guess.",
        choices=("none", "over", "band"),
    )
    frames: str = option(
        FIRST_FRAME, "Frames to use of each animation or stack: first, all, or N evenly spaced ones."
    )
    kind: str | None = option(
        None, "What the data are: image, map or sequence. Default: what their format fixes."
    )
    axes: str | None = option(
        None, "Meaning of the axes of an array, such as NCHW: N items, C channels, H rows, W columns."
    )
    scale: str | None = option(
        None,
        "How values become those that networks see: linear, log, asinh, standard, peak, bytes or letters."
        " Samples are given back in the units of the data.",
    )
    labels: str | None = option(
        None,
        "Table (CSV or other text) with a column of file names and one of classes. The columns are found"
        " automatically, and printed.",
    )
    max_bad: float = option(
        0.5, "Largest share of unusable images, from 0 to 1; above it training is refused.", low=0, high=1
    )

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    def __post_init__(self) -> None:
        # From Python these may be numbers or paths; they are stored as the command line writes them.
        object.__setattr__(self, "range", range_as_text(self.range))
        object.__setattr__(self, "frames", frames_as_text(self.frames))
        object.__setattr__(self, "labels", as_text(self.labels))
        check(self)
        if self.range not in (None, AUTO):
            range_of(self.range)
        if not are_frames(self.frames):
            limits = f"{FIRST_FRAME}, {ALL_FRAMES} or a number from 1 to {MOST_FRAMES:,}"
            raise UsageError(f"frames must be {limits}, not {self.frames!r}")


@dataclass(frozen=True, slots=True)
class TrainOptions(_FromArguments):
    """Options of training, except the images and their preparation."""

    recipe: Any = option(
        None,
        "Name of a recipe, or a recipe file (JSON). Default: modern for images, maps or dna for these kinds.",
        kind=ANYTHING,
        typed=str | None,
    )
    size: Any = option(
        None,
        "Image size in pixels: N, or WxH (width by height). Default: that of the recipe.",
        kind=ANYTHING,
        typed=str | None,
    )
    minutes: float | None = option(
        None, "Minutes of training. Default: 5, unless --images is given.", kind=NUMBER
    )
    images: int | None = option(
        None,
        "Images to see, in whole batches; with --minutes, whichever comes first ends the run.",
        kind=WHOLE,
    )
    batch: int | None = option(
        None, "Images per step. Default: that of the recipe, or the one that fits --minutes.", kind=WHOLE
    )
    seed: int = option(0, "Seed of all random numbers.", low=0, high=2**63 - 1)
    device: str = option("auto", "Device: auto, cpu, cuda, cuda:N or mps.")
    precision: str = option("auto", "Precision: auto, float32 or bfloat16.")
    out: Any = option("runs", "Parent folder, in which a new run folder is made.", kind=PATH, typed=Path)
    settings: Any = option(
        (),
        "Setting path=value of any field of the recipe, such as generator.width=32; repeatable.",
        kind=SETTINGS,
        typed=list[str] | None,
        flag="--set",
    )
    checkpoint_seconds: float = option(30.0, "Seconds between checkpoints.", above=0, high=1_000_000_000)
    on_divergence: str = option(
        "stop",
        "If training diverges: stop, or rollback (continue from the last checkpoint with half the learning"
        " rates).",
        choices=get_args(DivergencePolicy),
    )
    stop: str = option(
        "never",
        "Stop early: never, plateau (when quality no longer improves) or decay (when it got worse).",
        choices=get_args(StopPolicy),
    )
    auto: bool = option(
        False, "Try the doctor's remedies during training, and undo those that do not help.", flag="--auto"
    )
    route: Any = option(
        "auto",
        "How a step is computed: auto (fastest on this machine), plain (as in textbooks), some of auto's"
        " parts joined by commas (channels-last, one-pass, shared-backward, shared-penalties, traced,"
        " measured), or a run folder or run.json whose route is used again.",
        kind=PATH,
        typed=str,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class ResumeOptions(_FromArguments):
    """Options that override those stored in a run; None keeps the stored value."""

    from_images: int | None = option(
        None,
        "Fork: start a new run from the checkpoint at this number of images; 0 starts over.",
        kind=WHOLE,
        flag="--from",
    )
    settings: Any = option(
        (),
        "Setting path=value of the recipe, for a fork; repeatable.",
        kind=SETTINGS,
        typed=list[str] | None,
        flag="--set",
    )
    minutes: float | None = option(
        None, "New end of the run: minutes of training, counted from its beginning.", kind=NUMBER
    )
    images: int | None = option(
        None, "New end of the run: images seen, counted from its beginning.", kind=WHOLE
    )
    data: Any = option(None, "New place of the images, if they moved.", kind=PATH, typed=str | None)
    labels: Any = option(None, "New place of the file of labels, if it moved.", kind=PATH, typed=str | None)
    device: str | None = option(None, "Another device; needs --inexact.")
    inexact: bool = option(
        False,
        "Resume although torch, device, threads, recipe or images changed; the result may differ.",
        flag="--inexact",
    )

    def __post_init__(self) -> None:
        check(self)
