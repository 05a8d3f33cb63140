"""The plan of a generator and of its mirror image, the discriminator, in one, two or three dimensions.

A plan holds only sizes, no tensors or weights; ``ganzfeld.networks`` builds networks from it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ganzfeld.errors import UsageError
from ganzfeld.geometry.fields import overlap, projective_field, receptive_field
from ganzfeld.geometry.ladder import Step, default_ladders, regular_ladders, step_between
from ganzfeld.geometry.sizes import is_count
from ganzfeld.printable import by_axis

SMALLEST_SIZE = 8
LARGEST_SIZE = 65_536
MOST_LAYERS = 32
WIDEST = 8
"""The channels double from the image to the base map, but stop at this multiple of the width."""

Size = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer of the ladder, a transposed convolution from ``small`` to ``large``; all numbers per axis.

    The discriminator's convolution with the same kernel, stride and padding takes ``large`` to ``small``.
    """

    small: Size
    large: Size
    kernel: Size
    stride: Size
    padding: Size

    @property
    def overlap(self) -> list[int]:
        """The numbers of inputs that reach an interior output, over all axes; one number means even."""
        axes = zip(self.kernel, self.stride, strict=True)
        return sorted(set().union(*(overlap(kernel, stride) for kernel, stride in axes)))

    @property
    def even(self) -> bool:
        """Whether the overlap is even along every axis."""
        return all(len(overlap(k, s)) == 1 for k, s in zip(self.kernel, self.stride, strict=True))


@dataclass(frozen=True)
class Plan:
    """A ladder of layers from the base map to the image, in the generator's direction."""

    layers: tuple[Layer, ...]

    @property
    def size(self) -> Size:
        """The size of the image per axis, in pixels."""
        return self.layers[-1].large

    @property
    def seed(self) -> Size:
        """The size of the base map per axis."""
        return self.layers[0].small

    @property
    def dims(self) -> int:
        """The number of spatial dimensions: 1, 2 or 3."""
        return len(self.size)

    def widths(self, width: int) -> list[int]:
        """Return the channels before each generator layer, base map first: 8w, 4w, 2w, w for four layers."""
        return [width * min(2**level, WIDEST) for level in reversed(range(len(self.layers)))]

    def projective_fields(self) -> list[Size]:
        """Return for each generator layer how many outputs one base map cell affects, per axis."""
        return [self._fields(self.layers[: count + 1], projective_field) for count in range(len(self.layers))]

    def receptive_fields(self) -> list[Size]:
        """Return for each discriminator layer, from the image on, one output's receptive field, per axis."""
        downward = self.layers[::-1]
        return [self._fields(downward[: count + 1], receptive_field) for count in range(len(downward))]

    def _fields(self, layers: Sequence[Layer], field) -> Size:
        return tuple(
            field([(layer.kernel[axis], layer.stride[axis]) for layer in layers]) for axis in range(self.dims)
        )

    def flops(self, width: int, channels: int, latent_size: int) -> tuple[int, int]:
        """Count the floating-point operations of a forward pass for one image: (generator, discriminator).

        Counts convolutions and linear layers, where a multiplication with its addition counts two.
        Normalisations and activations (a few per cent) are not counted. Products with padding are counted,
        since the hardware computes them; so are the generator's products before cropping.
        """
        inner = [*self.widths(width), channels]
        ladder = 2 * sum(
            inner[index] * inner[index + 1] * math.prod(layer.kernel) * math.prod(layer.small)
            for index, layer in enumerate(self.layers)
        )
        seed_units = inner[0] * math.prod(self.seed)
        return ladder + 2 * latent_size * seed_units, ladder + 2 * seed_units


def plan(
    size: int | Sequence[int],
    *,
    dims: int | None = None,
    ladder: Sequence[int | Sequence[int]] | None = None,
    kernel: int | None = None,
    stride: int | None = None,
) -> Plan:
    """Plan the ladder from a base map to images of ``size``.

    ``size`` is one number (square) or one per axis, in pixels; ``dims`` is 1, 2 or 3 (default: the number of
    axes given, 2 for one number). ``ladder`` gives the sizes explicitly, from the image down to the base map,
    each as one number or one per axis. Axes keep the order in which they are given. ``kernel`` and ``stride``
    ask for a ladder whose steps all have these (by default stride 2, and a kernel of two strides, or three
    where the stride is odd, so that both ends are padded alike).

    Default ladders have even overlap at every step. Raises ``UsageError`` for sizes outside 8 to 65,536 px
    and for ladders with a step that no convolution makes.

    >>> plan(64).seed, [layer.large for layer in plan(64).layers]
    ((4, 4), [(8, 8), (16, 16), (32, 32), (64, 64)])
    >>> [layer.kernel for layer in plan(96, ladder=[96, 32, 16, 8, 3]).layers]
    [(4, 4), (4, 4), (4, 4), (3, 3)]
    """
    sizes = _axes(size, dims)
    _check_range(sizes)
    if kernel is not None or stride is not None:
        if ladder is not None:
            raise UsageError(
                "a ladder of sizes decides its kernels and strides itself", "Give one of the two."
            )
        step = stride or 2
        return _assemble(regular_ladders(sizes, kernel or (3 if step % 2 else 2) * step, step))
    if ladder is None:
        return _assemble(default_ladders(sizes))
    if len(ladder) > MOST_LAYERS + 1:
        raise UsageError(f"a ladder of {len(ladder):,} sizes is too long: the most is {MOST_LAYERS + 1}")
    rungs = [_axes(rung, len(sizes)) for rung in ladder]
    if len(rungs) < 2:
        raise UsageError(f"a ladder needs at least two sizes, not {len(rungs)}", "For example 96,32,16,8,3.")
    if rungs[0] != sizes:
        raise UsageError(
            f"the ladder begins at {by_axis(rungs[0])}, but the size is {by_axis(sizes)}",
            "A ladder goes from the image down to the base map: its first entry is the size of the image.",
        )
    for above, below in pairwise(rungs):
        if above == below or any(small > large for small, large in zip(below, above, strict=True)):
            raise UsageError(
                f"the sizes of a ladder must decrease, but {by_axis(below)} follows {by_axis(above)}"
            )
    axes = []
    for axis in range(len(sizes)):
        axis_sizes = [rung[axis] for rung in reversed(rungs)]
        axes.append(tuple(step_between(small, large) for small, large in pairwise(axis_sizes)))
    return _assemble(axes)


def _assemble(axes: Sequence[tuple[Step, ...]]) -> Plan:
    layers = []
    for steps in zip(*axes, strict=True):
        small, large, kernel, stride, padding = zip(*steps, strict=True)
        layers.append(Layer(small, large, kernel, stride, padding))
    return Plan(tuple(layers))


def _axes(size: int | Sequence[int], dims: int | None) -> Size:
    sizes: tuple[int, ...] = (size,) if isinstance(size, int | float | str) else tuple(size)
    if dims is None:
        dims = 2 if len(sizes) == 1 else len(sizes)
    if dims not in (1, 2, 3):
        raise UsageError(f"{dims} dimensions are not supported", "Use 1, 2 or 3.")
    if len(sizes) not in (1, dims):
        raise UsageError(f"{by_axis(sizes)} has {len(sizes)} axes, but the number of dimensions is {dims}")
    if not all(map(is_count, sizes)):
        raise UsageError(f"a size consists of whole numbers of at least 1, not {by_axis(sizes)}")
    return sizes * dims if len(sizes) == 1 else sizes


def _check_range(sizes: Size) -> None:
    for size in sizes:
        if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
            raise UsageError(
                f"size {by_axis(sizes)} is out of range: an axis takes {SMALLEST_SIZE} to {LARGEST_SIZE} px"
            )
