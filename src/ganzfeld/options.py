"""Options that people give, each declared once: its name, default, help text and what it may be.

An options class is a frozen dataclass whose fields are made by ``option``. The command line is generated from
it, Python functions take the same names with the same defaults, and a run keeps those that its record has.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.kinds import BY_NAME, required
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
    shown,
)

_DECLARED = "option"
NUMBERS = (int, float)
PATHS = (str, os.PathLike)


@dataclass(frozen=True, slots=True)
class Declared:
    """What is known of an option.

    ``help`` is its help text; ``kinds`` are its types (none: anything), ``choices`` its values, ``low`` and
    ``high`` its least and greatest value, ``above`` a value that it must be greater than. ``typed`` is its
    type on the command line and ``flag`` its name there, where they are not those of the field.
    """

    help: str
    kinds: tuple[type, ...] = ()
    choices: Sequence[Any] = ()
    low: float | None = None
    high: float | None = None
    above: float | None = None
    typed: Any = None
    flag: str = ""

    def is_allowed(self, value: Any) -> bool:
        """Whether the option may have that value. A comparison with NaN is never true."""
        if self.kinds and not isinstance(value, self.kinds):
            return False
        if self.kinds and isinstance(value, bool) is not (bool in self.kinds):
            return False
        if self.choices:
            return value in self.choices
        limits = ((self.low, "__ge__"), (self.high, "__le__"), (self.above, "__gt__"))
        return all(limit is None or getattr(value, compare)(limit) is True for limit, compare in limits)

    @property
    def expected(self) -> str:
        """What the option may be, in words that follow "must be"."""
        if self.choices:
            return " or ".join(map(str, self.choices))
        if self.above is not None:
            return f"above {self.above} and at most {self.high:,}"
        if self.low is None and self.high is None:
            return " or ".join(kind.__name__ for kind in self.kinds)
        if self.high is None:
            return f"at least {self.low}"
        return f"at most {self.high}" if self.low is None else f"from {self.low} to {self.high}"


def option(default: Any, help: str, *, kinds: tuple[type, ...] = (), **known: Any) -> Any:
    """Declare a field of an options class. ``None`` is allowed where it is the default.

    ``known`` are further fields of ``Declared``. Values are of the given ``kinds``; if none are, of the type
    of the default or of the choices, else text. Names in ``kinds.BY_NAME`` are checked as said there.
    """
    choices = known.get("choices", ())
    example = choices[0] if default is None and choices else default
    kind = str if example is None else type(example)
    kinds = kinds or ((int, float) if kind is float else (kind,))
    return field(default=default, metadata={_DECLARED: Declared(help, kinds, **known)})


def declared(options: Any) -> dict[str, Declared]:
    """Map the names of an options class (or of one of its instances) to what is known of each option."""
    return {each.name: each.metadata[_DECLARED] for each in fields(options)}


def defaults(options: Any) -> dict[str, Any]:
    """Map the names of an options class (or of one of its instances) to the default values."""
    return {each.name: each.default for each in fields(options)}


def changed(options: Any) -> dict[str, Any]:
    """Return those values of an instance that are not the defaults."""
    usual = defaults(options)
    return {name: value for name, value in asdict(options).items() if value != usual[name]}


def values_of(options: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Map the names of an instance, or those of them that are among ``names``, to its values."""
    wanted = defaults(options).keys() if names is None else defaults(options).keys() & set(names)
    return {name: getattr(options, name) for name in defaults(options) if name in wanted}


def dashed(name: str) -> str:
    """Return the name of an option as it is typed: ``max_bad`` is ``max-bad``."""
    return name.replace("_", "-")


def check(options: Any) -> None:
    """Raise ``UsageError`` for the first value of an instance that is not allowed.

    Numbers of other libraries become those of Python.
    """
    usual = defaults(options)
    for name, known in declared(options).items():
        value = getattr(options, name)
        if value is None and usual[name] is None:
            continue
        if name in BY_NAME:
            value = required(name, value)
            object.__setattr__(options, name, value)
        if known.is_allowed(value):
            continue
        choices = [each for each in known.choices if isinstance(each, str)]
        closest = did_you_mean(value, choices) if choices and isinstance(value, str) else ""
        raise UsageError(f"{dashed(name)} must be {known.expected}, not {shown(value)}", closest)


class _FromArguments:
    """An options class that can be made of the arguments of a function."""

    __slots__ = ()

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """Make an instance of those arguments that are its fields; others are left alone."""
        return cls(**{name: arguments[name] for name in defaults(cls)})


@dataclass(frozen=True, slots=True)
class PreparationOptions(_FromArguments):
    """How images become what is trained on, alike for ``check``, ``train`` and all that reads them later."""

    channels: int | None = option(
        None, "1 (grey) or 3 (colour). Default: 1 if every image is grey.", choices=(1, 3)
    )
    background: str = option("white", "Colour behind transparent pixels.")
    range: str | None = option(
        None,
        "LOW:HIGH, stored values that become black and white, or auto. Default: those of the format.",
    )
    alpha: str | None = option(
        None,
        "Fourth channel: over (opacity), none (left out) or band. Default: over, and guesses are said.",
        choices=("none", "over", "band"),
    )
    frames: str = option(
        FIRST_FRAME, "Of animations and stacks: first, all, or N evenly spaced frames of each file."
    )
    labels: str | None = option(
        None, "CSV or other text file: a column of file names, one of classes. Columns are guessed, and told."
    )
    max_bad: float = option(
        0.5, "Share of images that may be unusable before training is refused.", low=0, high=1
    )

    __pydantic_config__: ClassVar = {"extra": "forbid"}

    def __post_init__(self) -> None:
        # Python may give numbers where the command line has text; what is kept is that text.
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
    """What training is asked for, beside the images and how they are prepared."""

    recipe: Any = option("modern", "Name of a recipe, or a recipe file (JSON).", kinds=(object,), typed=str)
    size: Any = option(None, "Pixels: N, or WxH (width by height).", kinds=(object,), typed=str | None)
    minutes: float | None = option(
        None, "Minutes of training. Default: 5, unless --images is given.", kinds=NUMBERS
    )
    images: int | None = option(
        None, "Images to see, in whole batches; ends the run if reached first.", kinds=(int,)
    )
    batch: int | None = option(None, "Images in a step.", kinds=(int,))
    seed: int = option(0, "Decides all randomness.", low=0, high=2**63 - 1)
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps.")
    precision: str = option("auto", "auto, float32 or bfloat16.")
    out: Any = option("runs", "Folder in which the run gets a folder of its own.", kinds=PATHS, typed=Path)
    settings: Any = option(
        (),
        "path=value for any field of the recipe; repeatable.",
        kinds=(object,),
        typed=list[str] | None,
        flag="--set",
    )
    checkpoint_seconds: float = option(30.0, "Seconds between checkpoints.", above=0, high=1_000_000_000)
    on_divergence: str = option(
        "stop",
        "stop, or rollback: to the last checkpoint, with half the learning rates.",
        choices=("stop", "rollback"),
    )
    stop: str = option(
        "never",
        "never; plateau: when quality no longer improves; decay: when it got worse.",
        choices=("never", "plateau", "decay"),
    )
    auto: bool = option(False, "Try what the doctor advises, and undo what does not help.", flag="--auto")
    route: Any = option(
        "auto",
        "auto: the fastest way through this machine; plain: the textbook's; or parts of auto,"
        " joined by commas: channels-last, one-pass, shared-backward, measured; or a run folder or"
        " run.json, to take the route of that run again.",
        kinds=PATHS,
        typed=str,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class ResumeOptions(_FromArguments):
    """Options that override those stored in a run; None where they stay."""

    from_images: int | None = option(
        None,
        "Fork: a new run from the checkpoint at that many images; 0: anew.",
        kinds=(int,),
        flag="--from",
    )
    settings: Any = option(
        (),
        "path=value of the recipe, for a fork; repeatable.",
        kinds=(object,),
        typed=list[str] | None,
        flag="--set",
    )
    minutes: float | None = option(
        None, "Another end: minutes of training from the beginning of the run.", kinds=NUMBERS
    )
    images: int | None = option(None, "Another end: images seen from the beginning of the run.", kinds=(int,))
    data: Any = option(None, "Where the images are now, if they moved.", kinds=PATHS, typed=str | None)
    labels: Any = option(None, "Where the file of labels is now, if it moved.", kinds=PATHS, typed=str | None)
    device: str | None = option(None, "Another device; needs --inexact.")
    inexact: bool = option(
        False, "Go on where torch, device, threads, recipe or images changed.", flag="--inexact"
    )

    def __post_init__(self) -> None:
        check(self)
