"""Fields and overlap against counting: which inputs really reach which outputs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzfeld.errors import UsageError
from ganzfeld.geometry import overlap, projective_field, receptive_field

layers = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 2)), min_size=1, max_size=4)


@settings(max_examples=80)
@given(layers=layers)
def test_projective_field_is_the_span_reached(layers):
    signal = torch.ones(1, 1, 1, dtype=torch.float64)
    for kernel, stride, dilation in layers:
        ones = torch.ones(1, 1, kernel, dtype=torch.float64)
        signal = torch.nn.functional.conv_transpose1d(signal, ones, stride=stride, dilation=dilation)
    reached = signal[0, 0].nonzero()
    assert projective_field(layers) == int(reached.max() - reached.min()) + 1


@settings(max_examples=80)
@given(layers=layers)
def test_receptive_field_is_the_span_seen(layers):
    field = receptive_field(layers)
    signal = torch.zeros(1, 1, field, dtype=torch.float64, requires_grad=True)
    out = signal
    for kernel, stride, dilation in layers:
        ones = torch.ones(1, 1, kernel, dtype=torch.float64)
        out = torch.nn.functional.conv1d(out, ones, stride=stride, dilation=dilation)
    assert out.shape[-1] == 1, "an input as large as the field gives one output"
    (seen,) = torch.autograd.grad(out.sum(), signal)
    ends = seen[0, 0].nonzero()
    assert int(ends.max() - ends.min()) + 1 == field


@given(layers=layers)
def test_mirrored_stacks_have_the_same_field(layers):
    assert receptive_field(layers) == projective_field(layers[::-1])


@settings(max_examples=100)
@given(kernel=st.integers(1, 9), stride=st.integers(1, 6), dilation=st.integers(1, 4))
def test_overlap_is_what_a_transposed_convolution_of_ones_prints(kernel, stride, dilation):
    num = 2 * kernel * dilation + 2
    ones = torch.ones(1, 1, num, dtype=torch.float64)
    out = torch.nn.functional.conv_transpose1d(
        ones, torch.ones(1, 1, kernel).double(), stride=stride, dilation=dilation
    )
    edge = dilation * (kernel - 1)
    interior = out[0, 0, edge : stride * (num - 1) + 1]
    assert overlap(kernel, stride, dilation) == {int(count) for count in interior}


def test_even_exactly_where_the_stride_divides_the_kernel():
    for kernel in range(1, 13):
        for stride in range(1, 7):
            assert (len(overlap(kernel, stride)) == 1) == (kernel % stride == 0)


@pytest.mark.parametrize("layer", [(3,), (3, 0), (0, 1), (3, 1, 1, 1), (2.0, 1), (True, 2)])
def test_bad_layers_are_quoted(layer):
    with pytest.raises(UsageError, match=r"\("):
        projective_field([layer])
