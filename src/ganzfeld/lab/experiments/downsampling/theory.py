"""Closed forms of ``downsampling``: sizes, lost pixels, paths to the logit, and receptive fields."""

from collections.abc import Sequence

from ganzfeld.geometry import Plan
from ganzfeld.geometry import conv_size as conv_size
from ganzfeld.geometry import receptive_field as receptive_field
from ganzfeld.lab.sizes import Form as Form

FORMULAS = {
    "size after a convolution": r"N' = \left\lfloor \frac{N + 2p - k}{s} \right\rfloor + 1",
    "receptive field and effective stride after one more layer": r"f' = f + (k-1)\,j, \qquad j' = s\,j",
    "remainder, and real pixels lost at the far border (k not below s)": (
        r"\rho = (N + 2p - k)\ \mathrm{mod}\ s, \qquad \mathrm{lost} = \max(0,\ \rho - p)"
    ),
    "how often pixel i reaches the logit": r"c_l(i) = \sum_{o\,:\,0 \leq i + p - s o < k} c_{l+1}(o)",
}


def sizes(size: int, layers: Sequence[Form]) -> list[int]:
    """Return the sizes from the image through the layers. Raise ``UsageError`` for invalid numbers.

    Source: the seed text's formula, ``ganzfeld.geometry.conv_size``.
    """
    ladder = [size]
    for kernel, stride, padding in layers:
        ladder.append(conv_size(ladder[-1], kernel, stride, padding))
    return ladder


def lost_at_border(size: int, kernel: int, stride: int, padding: int) -> int:
    """Return the number of real pixels at the far border that no window of a layer covers, for a kernel not
    below the stride.

    The windows end ``remainder`` pixels before the padded end, and the outer ``padding`` of these are no real
    pixels.
    """
    remainder = (size + 2 * padding - kernel) % stride
    return max(0, remainder - padding)


def paths(size: int, layers: Sequence[Form]) -> list[int]:
    """Count the paths by which each pixel reaches the logit, along one axis: 0 for a pixel that never does.

    Source: the last formula above, from the last map, which the linear layer reads, back to the image.
    """
    ladder = sizes(size, layers)
    counts = [1] * ladder[-1]
    for large, (kernel, stride, padding) in zip(ladder[-2::-1], layers[::-1], strict=True):
        before = [0] * large
        for output, paths_of_output in enumerate(counts):
            first = stride * output - padding
            for position in range(max(0, first), min(large, first + kernel)):
                before[position] += paths_of_output
        counts = before
    return counts


def rows_in_field(plan: Plan, depth: int, row: int) -> int:
    """Return the number of image rows in the field of one row of a layer's output, cut at the borders."""
    first = last = row
    for layer in plan.layers[::-1][depth::-1]:
        first = max(0, layer.stride[0] * first - layer.padding[0])
        last = min(layer.large[0] - 1, layer.stride[0] * last - layer.padding[0] + layer.kernel[0] - 1)
    return last - first + 1
