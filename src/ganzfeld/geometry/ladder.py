"""Ladders along one axis: the steps by which a small base map grows to the size of the image.

A step is described in the generator's direction: a transposed convolution from ``small`` to ``large``. The
discriminator goes the other way with the same kernel, stride and padding. No pixel is lost, since a ladder
only has steps at which the convolution from ``large`` gives exactly ``small``.
"""

import math
from collections.abc import Iterator
from functools import cache
from statistics import fmean
from typing import NamedTuple

from ganzfeld.errors import UsageError
from ganzfeld.geometry.fields import overlap

SMALLEST_BASE = 2
PREFERRED_SEED = 4

# The costs by which ladders are compared; a base map costs log2(size / 4)^2. The figures only set the order:
# a padding other than 1 is better than a base map of 7, a base map of 6 is better than one more layer, and a
# step that hardly grows the map is the last resort.
UNUSUAL_PADDING_COST = 0.25
SLOW_STEP_COST = 0.5
LAYER_COST = 0.2


class Step(NamedTuple):
    """One step along one axis: ``large = stride (small - 1) + kernel - 2 padding``."""

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
    """Yield the steps that a default ladder may take to ``large``, each with its cost.

    All steps have kernel = 2 stride, so that two inputs reach every interior output: kernel 4 and stride 2 to
    even sizes (where padding 1 doubles exactly), kernel 2 and stride 1 to odd sizes.
    """
    if large % 2:
        candidates = [(Step(large - 1, large, kernel=2, stride=1, padding=0), SLOW_STEP_COST)]
    else:
        candidates = [
            (Step(large // 2 + shift, large, kernel=4, stride=2, padding=1 + shift), cost)
            for shift, cost in ((0, 0.0), (1, UNUSUAL_PADDING_COST), (-1, UNUSUAL_PADDING_COST))
        ]
    return ((step, cost) for step, cost in candidates if SMALLEST_BASE <= step.small < large)


@cache
def best_ladder(size: int, num_layers: int) -> tuple[float, tuple[Step, ...]]:
    """Find the cheapest ladder of ``num_layers`` steps that ends at ``size``.

    Returns its cost and its steps from the base map up. The cost is infinite if there is no such ladder.
    """
    if num_layers == 0:
        return math.log2(size / PREFERRED_SEED) ** 2, ()
    best = (math.inf, ())
    for step, cost in halvings(size):
        below_cost, below = best_ladder(step.small, num_layers - 1)
        if below_cost + cost < best[0]:
            best = (below_cost + cost, (*below, step))
    return best


def default_ladders(sizes: tuple[int, ...]) -> list[tuple[Step, ...]]:
    """Choose one ladder per axis, all of the same length, that end at ``sizes``, with base maps near 4."""
    limit = 1 + max(sizes).bit_length()
    costs = {
        num_layers: LAYER_COST * num_layers + fmean(best_ladder(size, num_layers)[0] for size in sizes)
        for num_layers in range(1, limit)
    }
    num_layers = min(costs, key=lambda number: costs[number])
    if math.isinf(costs[num_layers]):
        raise UsageError(
            f"no default ladder fits the sizes {' and '.join(map(str, sizes))} at once: they differ too much",
            "Give the sizes yourself, from the image to the base map, e.g. --ladder 96,32,16,8,3.",
        )
    return [best_ladder(size, num_layers)[1] for size in sizes]


def regular_ladders(sizes: tuple[int, ...], kernel: int, stride: int) -> list[tuple[Step, ...]]:
    """Choose one ladder per axis, all of the same length, whose steps all have this kernel and stride.

    Every step multiplies the size by the stride; base maps are near 4. Raises ``UsageError`` if the kernel
    does not pad evenly, or if a size is not a multiple of the stride.
    """
    if not 2 <= stride <= kernel or (kernel - stride) % 2:
        raise UsageError(
            f"kernel {kernel} and stride {stride} do not fit: the kernel must be the stride or longer, by an"
            " even number, so that both ends are padded alike, and the stride at least 2",
            f"For example kernel {kernel - 1 if kernel > stride >= 2 else 2 * max(stride, 2)}.",
        )
    costs = {}
    for num_layers in range(1, max(sizes).bit_length()):
        bases = [size / stride**num_layers for size in sizes]
        if all(base.is_integer() and base >= SMALLEST_BASE for base in bases):
            costs[num_layers] = fmean(math.log2(base / PREFERRED_SEED) ** 2 for base in bases)
    if not costs:
        raise UsageError(
            f"no ladder of stride {stride} ends at {' and '.join(map(str, sizes))}: a size must be a multiple"
            " of the stride",
            "Choose another size or stride, or give the sizes of the ladder.",
        )
    num_layers = min(costs, key=lambda number: costs[number])
    padding = (kernel - stride) // 2
    return [
        tuple(
            Step(size // stride**above, size // stride ** (above - 1), kernel, stride, padding)
            for above in range(num_layers, 0, -1)
        )
        for size in sizes
    ]


def step_between(small: int, large: int) -> Step:
    """Choose the step of a ladder between two sizes: even if possible, then with the usual kernel.

    Raises ``UsageError`` if no transposed convolution with a reasonable kernel takes ``small`` to ``large``.
    """
    ratio = large / small
    nearest = range(max(1, math.floor(ratio) - 1), math.ceil(ratio) + 2)
    candidates = [step for stride in nearest for step in _steps_with_stride(small, large, stride)]
    if not candidates:
        raise UsageError(
            f"no transposed convolution takes {small} to {large} with a kernel of at most 4 strides",
            "Add a size between them to the ladder.",
        )
    return min(candidates, key=lambda step: _drawbacks(step, ratio))


def _steps_with_stride(small: int, large: int, stride: int) -> Iterator[Step]:
    for kernel in range(stride, 4 * stride + 1):
        cropped = stride * (small - 1) + kernel - large
        if cropped >= 0 and cropped % 2 == 0 and cropped // 2 < kernel:
            yield Step(small, large, kernel, stride, cropped // 2)


def _drawbacks(step: Step, ratio: float) -> tuple[float, ...]:
    """Measure a step's drawbacks, worst first: uneven overlap, unusual kernel, stride far from the ratio.

    The usual kernel is two strides; from stride 3 on it is one stride, since two take four times the work.
    """
    usual_kernel = step.stride * (2 if step.stride <= 2 else 1)
    return (not step.even, abs(step.kernel - usual_kernel), abs(step.stride - ratio), step.padding)
