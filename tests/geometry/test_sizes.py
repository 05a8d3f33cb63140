"""Sizes against torch over the whole range of kernel, stride, padding, dilation; errors in words."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzfeld.errors import UsageError
from ganzfeld.geometry import conv_size, transposed_size

numbers = {
    "size": st.integers(1, 40),
    "kernel": st.integers(1, 9),
    "stride": st.integers(1, 6),
    "padding": st.integers(0, 6),
    "dilation": st.integers(1, 4),
}


@settings(max_examples=400)
@given(**numbers)
def test_conv_size_is_torchs(size, kernel, stride, padding, dilation):
    arguments = {"stride": stride, "padding": padding, "dilation": dilation}
    try:
        expected = torch.nn.functional.conv1d(torch.ones(1, 1, size), torch.ones(1, 1, kernel), **arguments)
    except RuntimeError:
        with pytest.raises(UsageError, match="does not fit"):
            conv_size(size, kernel, **arguments)
    else:
        assert conv_size(size, kernel, **arguments) == expected.shape[-1]


@settings(max_examples=400)
@given(**numbers, output_padding=st.integers(0, 5))
def test_transposed_size_is_torchs(size, kernel, stride, padding, dilation, output_padding):
    arguments = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": output_padding}
    try:
        expected = torch.nn.functional.conv_transpose1d(
            torch.ones(1, 1, size), torch.ones(1, 1, kernel), **arguments
        )
    except RuntimeError:
        with pytest.raises(UsageError):
            transposed_size(size, kernel, **arguments)
    else:
        assert transposed_size(size, kernel, **arguments) == expected.shape[-1]


@settings(max_examples=150)
@given(
    small=st.integers(1, 9),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_the_pair_is_adjoint(small, kernel, stride, padding, dilation, seed):
    """<A x, y> = <x, A' y> to 1e-12 in float64, A the convolution and A' the transposed convolution."""
    try:
        large = transposed_size(small, kernel, stride, padding, dilation=dilation)
    except UsageError:
        return
    noise = torch.Generator().manual_seed(seed)
    weight = torch.randn(2, 3, kernel, kernel, dtype=torch.float64, generator=noise)
    x = torch.randn(1, 3, large, large, dtype=torch.float64, generator=noise)
    y = torch.randn(1, 2, small, small, dtype=torch.float64, generator=noise)
    arguments = {"stride": stride, "padding": padding, "dilation": dilation}
    down = (torch.nn.functional.conv2d(x, weight, **arguments) * y).sum()
    up = (x * torch.nn.functional.conv_transpose2d(y, weight, **arguments)).sum()
    scale = float(x.norm() * y.norm() * weight.norm())
    assert abs(float(down - up)) <= 1e-12 * scale


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"size": 0, "kernel": 3}, "size"),
        ({"size": 4, "kernel": 0}, "kernel"),
        ({"size": 4, "kernel": 3, "stride": 0}, "stride"),
        ({"size": 4, "kernel": 3, "padding": -1}, "padding"),
        ({"size": 4, "kernel": 3, "dilation": 0}, "dilation"),
        ({"size": 4.0, "kernel": 3}, "size"),
        ({"size": True, "kernel": 1}, "size"),
    ],
)
def test_numbers_out_of_range_are_named(arguments, named):
    for function in (conv_size, transposed_size):
        with pytest.raises(UsageError, match=named):
            function(**arguments)


@pytest.mark.parametrize("extra", [-1, 2, 0.5, True, "a"])
def test_output_padding_out_of_range_is_named(extra):
    with pytest.raises(UsageError, match="output"):
        transposed_size(4, kernel=4, stride=2, padding=1, output_padding=extra)
