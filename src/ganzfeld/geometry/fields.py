"""Receptive and projective fields of a stack of layers, and how evenly a layer covers its output.

All along one axis. A layer is ``(kernel, stride)`` or ``(kernel, stride, dilation)``.
"""

from collections.abc import Iterable

from ganzfeld.errors import UsageError
from ganzfeld.geometry.sizes import is_count, kernel_span


def receptive_field(layers: Iterable[tuple[int, ...]]) -> int:
    """Compute the span of input pixels on which one output of a stack of convolutions depends.

    ``layers`` go from input to output; each adds dilation (kernel - 1) jump to the field, where the jump is
    the product of the strides before it. Source: Araujo, Norris & Sim 2019, eq. 2.

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
    """Compute the span of output pixels that one input of a stack of transposed convolutions affects.

    ``layers`` go from input to output; each turns a field f into stride (f - 1) + dilation (kernel - 1) + 1.
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
    """Return the numbers of inputs that reach an interior output of a transposed convolution, along one axis.

    One number means even coverage; with two or more the output has a checkerboard even before training.
    Without dilation the coverage is even exactly if the stride divides the kernel. Source: Odena, Dumoulin &
    Olah 2016.

    >>> overlap(kernel=3, stride=2) == {1, 2}, overlap(kernel=4, stride=2) == {2}
    (True, True)
    """
    kernel, stride, dilation = _layer((kernel, stride, dilation))
    phases = [tap * dilation % stride for tap in range(kernel)]
    return {phases.count(phase) for phase in range(stride)}


def _layer(layer: tuple[int, ...]) -> tuple[int, int, int]:
    if not isinstance(layer, tuple | list) or len(layer) not in (2, 3) or not all(map(is_count, layer)):
        raise UsageError(
            f"a layer is (kernel, stride) or (kernel, stride, dilation), whole numbers of at least 1, not"
            f" {layer!r}"
        )
    kernel, stride, *dilation = layer
    return kernel, stride, (dilation or [1])[0]
