"""The maps of a strided convolution, computed in every way, against torch's own and against each other."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ganzfeld.networks.strided import StridedConvolution, StridedTransposedConvolution, Ways, has_product

pytestmark = pytest.mark.machine

TWO = ("direct", "product")
ALL_WAYS = [Ways(*ways) for ways in product(TWO, (*TWO, "subpixel"), TWO)]


def pair(transposed: bool, inputs: int, outputs: int, kernel, stride, padding, bias: bool, ways: Ways):
    """Torch's layer and ours, with the same numbers in float64."""
    kinds = (
        (nn.ConvTranspose2d, StridedTransposedConvolution) if transposed else (nn.Conv2d, StridedConvolution)
    )
    theirs, ours = (kind(inputs, outputs, kernel, stride, padding, bias=bias).double() for kind in kinds)
    ours.load_state_dict(theirs.state_dict())
    setattr(ours, "ways", ways)  # noqa: B010  the type checker takes it for a parameter
    return theirs, ours


@st.composite
def layers(draw):
    """Any layer whose windows cover its large side exactly, with kernels of whole strides."""
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    kernel = tuple(step * draw(st.integers(1, 3)) for step in stride)
    padding = tuple(draw(st.integers(0, min(2, each - 1))) for each in kernel)
    small = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    large = tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(small, stride, padding, kernel, strict=True))
    return stride, kernel, padding, small, large


@given(layers(), st.booleans(), st.booleans(), st.sampled_from(ALL_WAYS), st.booleans())
@settings(max_examples=150)
def test_values_and_derivatives_to_second_order_are_torchs(layer, transposed, bias, ways, channels_last):
    stride, kernel, padding, small, large = layer
    if min(large) < 1:
        return
    assert has_product(kernel, stride)
    theirs, ours = pair(transposed, 3, 2, kernel, stride, padding, bias, ways)
    size = small if transposed else large
    given_input = torch.randn(2, 3, *size, dtype=torch.float64)
    if channels_last:
        given_input = given_input.contiguous(memory_format=torch.channels_last)
    found, wanted = [], []
    for network, results in ((theirs, wanted), (ours, found)):
        pixels = given_input.clone().requires_grad_()
        output = network(pixels)
        (slope,) = torch.autograd.grad(output.square().sum(), pixels, create_graph=True)
        weights = list(network.parameters())
        results += [
            output,
            slope,
            *torch.autograd.grad(slope.square().sum(), [pixels, *weights], allow_unused=True),
        ]
        results += torch.autograd.grad(network(pixels).tanh().sum(), weights)
    for ours_, theirs_ in zip(found, wanted, strict=True):
        assert (ours_ is None) == (theirs_ is None)
        if ours_ is not None:
            torch.testing.assert_close(ours_, theirs_, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ways", ALL_WAYS)
def test_under_autocast_it_computes_in_the_lower_precision(ways):
    _, ours = pair(False, 4, 4, (4, 4), (2, 2), (1, 1), True, ways)
    ours = ours.float()
    with torch.autocast("cpu", torch.bfloat16):
        output = ours(torch.randn(2, 4, 8, 8))
    assert output.dtype == torch.bfloat16
    output.float().sum().backward()
    assert ours.weight.grad is not None
    assert ours.weight.grad.dtype == torch.float32


def test_what_has_no_product():
    assert not has_product((3, 3), (2, 2))
    assert not has_product((4,), (2,))
    assert not has_product((4, 4, 4), (2, 2, 2))
    assert has_product((2, 2), (1, 1))
