"""How far one pixel reaches through a stack of layers, and how evenly the layers cover their output.

Along one axis. A layer is ``(kernel, stride)`` or ``(kernel, stride, dilation)``.
"""

from collections.abc import Iterable

from ganzfeld.errors import UsageError
from ganzfeld.geometry.sizes import is_count, kernel_span


def receptive_field(layers: Iterable[tuple[int, ...]]) -> int:
    """Input pixels (span) that one output of a stack of convolutions sees; ``layers`` from input to output.

    Source: r + dilation (kernel - 1) jump, where the jump is the product of the strides so far
    (Araujo, Norris & Sim 2019, eq. 2).

    >>> [receptive_field([(4, 2)] * depth) for depth in range(5)]
    [1, 4, 10, 22, 46]
    """
    field, jump = 1, 1
    for layer in layers:
        kernel, stride, dilation = _layer(layer)
        field += dilation * (kernel - 1) * jump
        jump *= stride
    return field


def projective_field(layers: Iterable[tuple[int, ...]]) -> int:
    """Output pixels (span) that one input of a stack of transposed convolutions reaches.

    ``layers`` from input to output; each takes a field f to stride (f - 1) + dilation (kernel - 1) + 1.
    The mirrored stack of convolutions has a receptive field of the same size.

    >>> [projective_field([(4, 2)] * depth) for depth in range(5)]
    [1, 4, 10, 22, 46]
    """
    field = 1
    for layer in layers:
        kernel, stride, dilation = _layer(layer)
        field = stride * (field - 1) + kernel_span(kernel, dilation)
    return field


def overlap(kernel: int, stride: int = 1, dilation: int = 1) -> set[int]:
    """How many inputs reach an interior output of a transposed convolution, along one axis.

    One number means even coverage; two or more print a checkerboard before any training. Without dilation it
    is even exactly where the stride divides the kernel. Source: Odena, Dumoulin & Olah 2016.

    >>> overlap(kernel=3, stride=2) == {1, 2}, overlap(kernel=4, stride=2) == {2}
    (True, True)
    """
    kernel, stride, dilation = _layer((kernel, stride, dilation))
    phases = [tap * dilation % stride for tap in range(kernel)]
    return {phases.count(phase) for phase in range(stride)}


def _layer(layer: tuple[int, ...]) -> tuple[int, int, int]:
    if not isinstance(layer, tuple | list) or len(layer) not in (2, 3) or not all(map(is_count, layer)):
        raise UsageError(
            f"a layer is (kernel, stride) or (kernel, stride, dilation), whole numbers from 1, not {layer!r}"
        )
    kernel, stride, *dilation = layer
    return kernel, stride, (dilation or [1])[0]
