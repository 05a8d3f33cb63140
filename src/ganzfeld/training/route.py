"""The route of a step through the machine: what changes its speed and, but for rounding, no result."""

from collections.abc import Collection
from typing import Annotated

from pydantic import Field

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.networks.strided import Ways
from ganzfeld.training.record import Record

PARTS = ("channels-last", "one-pass", "shared-backward", "measured")
"""What of a route can be left out: the layout, two ways to save passes, and what was measured."""


class Route(Record):
    """Which parts of the fast path a training uses; ``docs/performance.md`` explains them.

    ``channels_last``: the layout of weights and pictures in memory; ``one_pass`` and ``shared_backward``:
    see ``Rules``; ``ways``, by name of layer such as ``generator.layers.0.0``: see
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

    def limited_to(self, parts: Collection[str]) -> "Route":
        """The same without the parts that are not among these."""
        left = self.parts.intersection(parts)
        found = {"ways": self.ways, "threads": self.threads, "recorded": self.recorded}
        return Route(
            channels_last="channels-last" in left,
            one_pass="one-pass" in left,
            shared_backward="shared-backward" in left,
            measured="measured" in left,
            **(found if "measured" in left else {}),
        )


USUAL = Route()
"""Everything that pays everywhere, and torch's own way of every layer."""

PLAIN = USUAL.limited_to(())
"""What is written in a textbook: torch's own layers and layout, a pass for each purpose."""


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
