"""The route of a run: the choices that change its speed but, except for rounding, none of its results."""

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

PARTS = ("channels-last", "one-pass", "shared-backward", "shared-penalties", "traced", "measured")
"""The parts of a route that can be left out: the layout, three ways to save passes, steps replayed from a
list of operations, and what was measured."""


class FastPath(Record):
    """The parts of the fast path that a run uses; ``docs/performance.md`` explains them.

    ``channels_last`` is the memory layout of weights and images. For ``one_pass``, ``shared_backward`` and
    ``shared_penalties`` see ``StepConfig``; for ``traced`` and ``recorded`` see
    ``ganzfeld.training.recording``. Routes stored by earlier versions lack ``shared_penalties`` and
    ``traced``, which are then false. ``ways`` maps the names of layers, such as ``generator.layers.0.0``, to
    the ways in ``ganzfeld.networks.strided``. ``threads`` compute a step (None: torch's number), as many in
    each of ``lanes`` (``ganzfeld.compute.lanes``). ``ways``, ``threads``, ``lanes`` and ``recorded`` are
    measured if ``measured`` is true.
    """

    channels_last: bool = True
    one_pass: bool = True
    shared_backward: bool = True
    shared_penalties: bool = False
    traced: bool = False
    ways: dict[str, Ways] = Field(default_factory=dict)
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    lanes: Annotated[int, Field(ge=1, le=2)] = 1
    recorded: bool = False
    measured: bool = True

    @property
    def parts(self) -> frozenset[str]:
        """The names of the parts in ``PARTS`` that this route uses."""
        flags = (
            self.channels_last,
            self.one_pass,
            self.shared_backward,
            self.shared_penalties,
            self.traced,
            self.measured,
        )
        return frozenset(part for part, is_used in zip(PARTS, flags, strict=True) if is_used)

    def limited_to(self, parts: Collection[str]) -> "FastPath":
        """Return a copy that uses only these parts."""
        used = self.parts.intersection(parts)
        measurements = {
            "ways": self.ways,
            "threads": self.threads,
            "lanes": self.lanes if "traced" in used else 1,
            "recorded": self.recorded,
        }
        return FastPath(
            channels_last="channels-last" in used,
            one_pass="one-pass" in used,
            shared_backward="shared-backward" in used,
            shared_penalties="shared-penalties" in used,
            traced="traced" in used,
            measured="measured" in used,
            **(measurements if "measured" in used else {}),
        )


LARGEST_FILE = 1_000_000
HINT = "Give a run folder, its run.json, or a file that holds only the route from a run.json."

USUAL = FastPath(shared_penalties=True, traced=True)
"""All parts that are faster on every machine, with torch's own way for every layer."""

PLAIN = USUAL.limited_to(())
"""The textbook step: torch's own layers and layout, and a separate pass for each purpose."""


def chosen_route(choice: str | Path) -> "frozenset[str] | FastPath":
    """Return the parts that a choice names, or the route stored in a file, such as another run's.

    A file is a run folder, its ``run.json``, or a file that holds only the route. Raises ``UsageError`` for
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
    """Read the route from a run folder or a file. Raises ``UsageError`` if there is none."""
    file = path / "run.json" if path.is_dir() else path
    shown = printable(str(file))
    try:
        content = strict_json(read_regular(file, LARGEST_FILE), undecodable=True)
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not an object")
        route = FastPath.model_validate(content.get("route", content))
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
    if route.threads is None and isinstance(content.get("circumstances"), dict):
        # That run used torch's number of threads, which may differ on this machine or at this time.
        with contextlib.suppress(ValidationError):
            return FastPath(**{**route.model_dump(), "threads": content["circumstances"].get("threads")})
    return route


def parts_of(choice: str) -> frozenset[str]:
    """Return the parts that a choice names: all for "auto", none for "plain", else a list with commas.

    Raises ``UsageError`` for an unknown word.
    """
    if choice in ("auto", "plain"):
        return frozenset(PARTS if choice == "auto" else ())
    parts = choice.split(",")
    for part in parts:
        if part in ("auto", "plain"):
            raise UsageError(
                f"the route {part} cannot be combined with other parts, as in {choice!r}",
                f"Use --route {part}.",
            )
        if part not in PARTS:
            raise UsageError(f"unknown route {part!r}", did_you_mean(part, ("auto", "plain", *PARTS)))
    return frozenset(parts)
