"""The route of a step through the machine: what changes its speed and, but for rounding, no result."""

from typing import Annotated

from pydantic import Field

from ganzfeld.networks.strided import Ways
from ganzfeld.training.record import Record


class Route(Record):
    """Which parts of the fast path a training uses; ``docs/performance.md`` explains them.

    ``channels_last``: the layout of weights and pictures in memory; ``one_pass`` and ``shared_backward``:
    see ``Rules``; ``ways``, by name of layer such as ``generator.layers.0.0``: see
    ``ganzfeld.networks.strided``; ``threads`` compute a step, None: as many as torch has.
    """

    channels_last: bool = True
    one_pass: bool = True
    shared_backward: bool = True
    ways: dict[str, Ways] = Field(default_factory=dict)
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None


USUAL = Route()
"""Everything that pays everywhere, and torch's own way of every layer."""

PLAIN = Route(channels_last=False, one_pass=False, shared_backward=False)
"""What is written in a textbook: torch's own layers and layout, a pass for each purpose."""
