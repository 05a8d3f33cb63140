"""The route of a step through the machine: what changes its speed and, but for rounding, no result."""

import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.networks.strided import Ways
from ganzfeld.printable import printable
from ganzfeld.record import Record
from ganzfeld.regular import read_regular
from ganzfeld.strict_json import strict_json

PARTS = ("channels-last", "one-pass", "shared-backward", "measured")
"""What of a route can be left out: the layout, two ways to save passes, and what was measured."""


class FastPath(Record):
    """Which parts of the fast path a training uses; ``docs/performance.md`` explains them.

    ``channels_last``: the layout of weights and images in memory; ``one_pass`` and ``shared_backward``:
    see ``StepConfig``; ``ways``, by name of layer such as ``generator.layers.0.0``: see
    ``ganzfeld.networks.strided``; ``threads`` compute a step, None: as many as torch has; ``recorded``: see
    ``ganzfeld.training.recording``. The last three are found by measuring, if ``measured``.
    """

    channels_last: bool = True
    one_pass: bool = True
    shared_backward: bool = True
    ways: dict[str, Ways] = Field(default_factory=dict)
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    recorded: bool = False
    measured: bool = True

    @property
    def parts(self) -> frozenset[str]:
        """Which of ``PARTS`` it takes."""
        taken = (self.channels_last, self.one_pass, self.shared_backward, self.measured)
        return frozenset(part for part, is_taken in zip(PARTS, taken, strict=True) if is_taken)

    def limited_to(self, parts: Collection[str]) -> "FastPath":
        """The same without the parts that are not among these."""
        left = self.parts.intersection(parts)
        found = {"ways": self.ways, "threads": self.threads, "recorded": self.recorded}
        return FastPath(
            channels_last="channels-last" in left,
            one_pass="one-pass" in left,
            shared_backward="shared-backward" in left,
            measured="measured" in left,
            **(found if "measured" in left else {}),
        )


LARGEST_FILE = 1_000_000
HINT = "Give a run folder, its run.json, or the route that stands in it, as a file of its own."

USUAL = FastPath()
"""Everything that pays everywhere, and torch's own way of every layer."""

PLAIN = USUAL.limited_to(())
"""What is written in a textbook: torch's own layers and layout, a pass for each purpose."""


def chosen_route(choice: str | Path) -> "frozenset[str] | FastPath":
    """The parts that a choice of route takes, or the route in a file: of another run, to train as it did.

    A file is a run folder, its ``run.json``, or a route alone as it stands there. Raises ``UsageError`` for
    an unknown word, and for a file that holds no route.
    """
    is_words = isinstance(choice, str) and set(choice.split(",")) <= {"auto", "plain", *PARTS}
    path = Path(choice)
    if is_words or (
        isinstance(choice, str) and len(path.parts) == 1 and not path.suffix and not path.exists()
    ):
        return parts_of(str(choice))
    return read_route(path)


def read_route(path: Path) -> FastPath:
    """The route in a run folder or a file. Raises ``UsageError`` where there is none."""
    file = path / "run.json" if path.is_dir() else path
    shown = printable(str(file))
    try:
        found = strict_json(read_regular(file, LARGEST_FILE), undecodable=True)
        if not isinstance(found, dict):
            raise ValueError(f"it holds a {type(found).__name__}, not an object")
        route = FastPath.model_validate(found.get("route", found))
    except OSError as error:
        raise UsageError(f"route file {shown} cannot be read: {error.strerror}", HINT) from None
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"]))
        raise UsageError(
            f"route file {shown} holds no route: {where}: {mistake['msg'].lower()}", HINT
        ) from None
    except ValueError as error:
        raise UsageError(f"route file {shown} holds no route: {error}", HINT) from None
    if route.threads is None and isinstance(found.get("circumstances"), dict):
        # That run took all threads of torch, whose number another machine or moment may see otherwise.
        with contextlib.suppress(ValidationError):
            return FastPath(**{**route.model_dump(), "threads": found["circumstances"].get("threads")})
    return route


def parts_of(choice: str) -> frozenset[str]:
    """The parts that a choice of route takes: "auto" all, "plain" none, else those it names, between commas.

    Raises ``UsageError`` for a word that is none of these.
    """
    if choice in ("auto", "plain"):
        return frozenset(PARTS if choice == "auto" else ())
    parts = choice.split(",")
    for part in parts:
        if part in ("auto", "plain"):
            raise UsageError(f"the route {part} stands alone, without {choice!r}", f"Use --route {part}.")
        if part not in PARTS:
            raise UsageError(f"unknown route {part!r}", did_you_mean(part, ("auto", "plain", *PARTS)))
    return frozenset(parts)
