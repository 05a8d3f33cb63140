"""Sizes of feature maps along one axis, after a convolution or a transposed convolution."""

from ganzfeld.errors import UsageError


def conv_size(size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Compute the size, in pixels along one axis, after a convolution.

    It is floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1. Raises ``UsageError`` if a
    number is out of range or the kernel does not fit into the padded input. Source: Dumoulin & Visin 2016,
    relation 6.

    >>> conv_size(96, kernel=3, stride=3, padding=0)
    32
    """
    _check(size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    span = kernel_span(kernel, dilation)
    if size + 2 * padding < span:
        raise UsageError(
            f"a kernel of {span} px (kernel {kernel}, dilation {dilation}) does not fit into {size} px"
            f" with padding {padding}",
            "Use a smaller kernel, more padding or a larger input.",
        )
    return (size + 2 * padding - span) // stride + 1


def transposed_size(
    size: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    dilation: int = 1,
) -> int:
    """Compute the size, in pixels along one axis, after a transposed convolution.

    It is stride (size - 1) + dilation (kernel - 1) + 1 + output_padding - 2 padding. ``output_padding`` adds
    pixels only at the far border; it must be smaller than the stride or the dilation. Raises ``UsageError``
    if a number is out of range or the output would be empty. Source: Dumoulin & Visin 2016, relation 14.

    >>> transposed_size(4, kernel=4, stride=2, padding=1)
    8
    """
    _check(size=size, kernel=kernel, stride=stride, padding=padding, dilation=dilation)
    _check(output_padding=output_padding)
    if not 0 <= output_padding < max(stride, dilation):
        raise UsageError(
            f"output padding {output_padding} must be at least 0 and below the stride ({stride})"
            f" or the dilation ({dilation})",
        )
    result = stride * (size - 1) + kernel_span(kernel, dilation) + output_padding - 2 * padding
    if result < 1:
        raise UsageError(
            f"padding {padding} removes all of the output (size {size}, kernel {kernel}, stride {stride})",
            "Use less padding, a larger kernel or a larger input.",
        )
    return result


def kernel_span(kernel: int, dilation: int = 1) -> int:
    """Return the number of pixels from the first to the last tap of a kernel, both included."""
    return dilation * (kernel - 1) + 1


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        least = 0 if name.endswith("padding") else 1
        if not is_count(value, least):
            raise UsageError(f"{name} must be a whole number of at least {least}, not {value!r}")


def is_count(value: object, least: int = 1) -> bool:
    """Check whether ``value`` is a whole number (not a bool) of at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
