"""Closed forms of ``upsampling``: sizes, coverage and reach of transposed convolutions."""

from collections.abc import Sequence

from ganzfeld.geometry import projective_field as projective_field
from ganzfeld.geometry import transposed_size as transposed_size

FORMULAS = {
    "size after a transposed convolution": r"H' = s(H-1) + k - 2p",
    "adjoint of the convolution": r"\langle A x, y \rangle = \langle x, A^{\top} y \rangle",
    "projective field after one more layer": r"f' = s(f-1) + k",
    "inputs that reach an output of phase r, one axis": r"n_r = \#\{t < k : t \equiv r\ (\mathrm{mod}\ s)\}",
    "a constant map comes out constant if and only if": (
        r"\sum_{t \equiv r} w_t\ \mathrm{is\ the\ same\ for\ all\ phases}\ r"
        r"\quad\Leftrightarrow\quad \hat{w}(m/s) = 0,\ 0 < m < s"
    ),
}


def sizes(size: int, kernel: int, stride: int, padding: int, layers: int) -> list[int]:
    """Return the sizes from the base map through ``layers`` layers. Raise ``UsageError`` if nothing is left.

    Source: the seed text's formula, ``ganzfeld.geometry.transposed_size``.
    """
    ladder = [size]
    for _ in range(layers):
        ladder.append(transposed_size(ladder[-1], kernel, stride, padding))
    return ladder


def coverage(size: int, kernel: int, stride: int, padding: int) -> list[int]:
    """Count the inputs that reach each output of a transposed convolution, along one axis.

    Source: output o is reached from input i by tap t where o = s i + t - p (Dumoulin & Visin 2016).
    """
    counts = [0] * (stride * (size - 1) + kernel)
    for position in range(size):
        for tap in range(kernel):
            counts[stride * position + tap] += 1
    return counts[padding : len(counts) - padding]


def reach(cell: int, layers: Sequence[tuple[int, int, int, int]]) -> tuple[int, int]:
    """Return the first and last output that a base map cell reaches along one axis, cut at the borders.

    ``layers`` are (kernel, stride, padding, size of the output). Source: the projective field and its place.
    """
    first = last = cell
    for kernel, stride, padding, size in layers:
        first = max(0, stride * first - padding)
        last = min(size - 1, stride * last - padding + kernel - 1)
    return first, last
