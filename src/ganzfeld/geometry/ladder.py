"""Ladders along one axis: the steps by which a small seed map grows to the size of the image.

A step is read in the direction of the generator (transposed convolution, ``small`` to ``large``); the
discriminator walks it backwards with the same kernel, stride and padding, and loses no pixel: the ladder only
holds steps for which the convolution undoes the transposed convolution exactly.
"""

import math
from collections.abc import Iterator
from functools import cache
from statistics import fmean
from typing import NamedTuple

from ganzfeld.errors import UsageError
from ganzfeld.geometry.fields import overlap

SMALLEST_SEED = 2
PREFERRED_SEED = 4

# What makes one ladder better than another, in one currency: each size of seed map costs log2(size / 4)^2.
# The figures only order the choices: a padding other than 1 rather than a seed map of 7, a seed map of 6
# rather than one more layer, and a step that does not grow the map only where nothing else serves.
UNUSUAL_PADDING_COST = 0.25
SLOW_STEP_COST = 0.5
LAYER_COST = 0.2


class Step(NamedTuple):
    """One rung along one axis: ``large = stride (small - 1) + kernel - 2 padding``."""

    small: int
    large: int
    kernel: int
    stride: int
    padding: int

    @property
    def even(self) -> bool:
        """Whether every interior output is reached by the same number of inputs."""
        return len(overlap(self.kernel, self.stride)) == 1


def halvings(large: int) -> Iterator[tuple[Step, float]]:
    """The steps a default ladder may take to ``large``, each with its cost.

    All have kernel = 2 stride, so that two inputs reach every interior output: k4 s2 onto even sizes (padding
    1 doubles exactly), k2 s1 onto odd ones.
    """
    if large % 2:
        candidates = [(Step(large - 1, large, kernel=2, stride=1, padding=0), SLOW_STEP_COST)]
    else:
        candidates = [
            (Step(large // 2 + shift, large, kernel=4, stride=2, padding=1 + shift), cost)
            for shift, cost in ((0, 0.0), (1, UNUSUAL_PADDING_COST), (-1, UNUSUAL_PADDING_COST))
        ]
    return ((step, cost) for step, cost in candidates if SMALLEST_SEED <= step.small < large)


@cache
def best_ladder(size: int, num_layers: int) -> tuple[float, tuple[Step, ...]]:
    """The cheapest ladder of ``num_layers`` steps that ends at ``size``: its cost, its steps from the seed.

    The cost is infinite where there is none.
    """
    if num_layers == 0:
        return math.log2(size / PREFERRED_SEED) ** 2, ()
    found = (math.inf, ())
    for step, cost in halvings(size):
        below_cost, below = best_ladder(step.small, num_layers - 1)
        if below_cost + cost < found[0]:
            found = (below_cost + cost, (*below, step))
    return found


def default_ladders(sizes: tuple[int, ...]) -> list[tuple[Step, ...]]:
    """One ladder per axis, all of one length, ending at ``sizes`` and chosen for seed maps of about 4."""
    limit = 1 + max(sizes).bit_length()
    costs = {
        num_layers: LAYER_COST * num_layers + fmean(best_ladder(size, num_layers)[0] for size in sizes)
        for num_layers in range(1, limit)
    }
    num_layers = min(costs, key=lambda number: costs[number])
    if math.isinf(costs[num_layers]):
        raise UsageError(
            f"no ladder serves the axes {' and '.join(map(str, sizes))} at once: they differ too much",
            "Give the sizes yourself, from the image to the seed map, e.g. --ladder 96,32,16,8,3.",
        )
    return [best_ladder(size, num_layers)[1] for size in sizes]


def step_between(small: int, large: int) -> Step:
    """The step of a ladder given by its sizes: even where that is possible, then with the usual kernel.

    Raises ``UsageError`` if no transposed convolution of a reasonable kernel takes ``small`` to ``large``.
    """
    ratio = large / small
    nearest = range(max(1, math.floor(ratio) - 1), math.ceil(ratio) + 2)
    candidates = [step for stride in nearest for step in _steps_with_stride(small, large, stride)]
    if not candidates:
        raise UsageError(
            f"no transposed convolution takes {small} to {large} with a kernel of at most 4 strides",
            "Put a size between them into the ladder.",
        )
    return min(candidates, key=lambda step: _strangeness(step, ratio))


def _steps_with_stride(small: int, large: int, stride: int) -> Iterator[Step]:
    for kernel in range(stride, 4 * stride + 1):
        cropped = stride * (small - 1) + kernel - large
        if cropped >= 0 and cropped % 2 == 0 and cropped // 2 < kernel:
            yield Step(small, large, kernel, stride, cropped // 2)


def _strangeness(step: Step, ratio: float) -> tuple[float, ...]:
    """What to avoid, the worst first: uneven overlap, an unusual kernel, a stride far from the ratio.

    From stride 3 on a kernel of one stride is the usual one: of two strides it costs four times the work.
    """
    usual_kernel = step.stride * (2 if step.stride <= 2 else 1)
    return (not step.even, abs(step.kernel - usual_kernel), abs(step.stride - ratio), step.padding)
