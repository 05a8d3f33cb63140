"""Spectral normalisation of the layer itself, against the singular values of the whole map as a matrix."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ganzfeld.networks.normalisations import normalisations, spectral_layer
from ganzfeld.networks.normalisations.spectral import fold, settle
from ganzfeld.networks.normalisations.spectral_layer import constrain, convolved, transposed

MODULES = {
    (1, False): nn.Conv1d,
    (2, False): nn.Conv2d,
    (3, False): nn.Conv3d,
    (1, True): nn.ConvTranspose1d,
    (2, True): nn.ConvTranspose2d,
}


def matrix_of(weight: Tensor, stride: tuple[int, ...], cells: int) -> Tensor:
    """The map of a layer on a periodic image, one column an input pixel, by loops over the kernel."""
    shape = [side * cells for side in stride]
    outputs = list(itertools.product(range(weight.shape[0]), *[range(cells)] * len(stride)))
    inputs = itertools.product(range(weight.shape[1]), *map(range, shape))
    positions = {at: column for column, at in enumerate(inputs)}
    matrix = torch.zeros(len(outputs), len(positions), dtype=weight.dtype)
    left = [max(0, size - step) // 2 for size, step in zip(weight.shape[2:], stride, strict=True)]
    for row, (out, *cell) in enumerate(outputs):
        for channel, *tap in itertools.product(*map(range, weight.shape[1:])):
            at = [
                (place * step + offset - before) % side
                for place, step, offset, before, side in zip(cell, stride, tap, left, shape, strict=True)
            ]
            matrix[row, positions[channel, *at]] += weight[out, channel, *tap]
    return matrix


layers = st.integers(1, 2).flatmap(
    lambda dims: st.tuples(
        st.integers(1, 3),
        st.integers(1, 3),
        st.lists(st.integers(1, 5), min_size=dims, max_size=dims),
        st.lists(st.integers(1, 3), min_size=dims, max_size=dims),
        st.integers(0, 2**32 - 1),
    )
)


@given(layers)
def test_the_map_and_its_adjoint_are_those_of_the_matrix(layer):
    small, large, kernel, stride, seed = layer
    noise = torch.Generator().manual_seed(seed)
    weight = torch.randn(small, large, *kernel, generator=noise, dtype=torch.float64)
    matrix = matrix_of(weight, tuple(stride), cells=5)
    image = torch.randn(1, large, *(5 * side for side in stride), generator=noise, dtype=torch.float64)
    field = torch.randn(1, small, *[5] * len(stride), generator=noise, dtype=torch.float64)
    torch.testing.assert_close(convolved(image, weight, stride).flatten(), matrix @ image.flatten())
    torch.testing.assert_close(transposed(field, weight, stride).flatten(), matrix.T @ field.flatten())


@pytest.mark.parametrize(("dims", "is_transposed"), MODULES)
def test_the_layer_has_norm_one(dims, is_transposed):
    torch.manual_seed(dims)
    module = MODULES[dims, is_transposed](3, 4, 4 if dims < 3 else 2, stride=2, padding=1)
    constrain(module)
    for _ in range(20):  # near its end the iteration is slow where two values are close
        settle(module)
    matrix = matrix_of(module.weight.detach(), (2,) * dims, cells=8 if dims < 3 else 4)
    assert float(torch.linalg.matrix_norm(matrix, 2)) == pytest.approx(1, rel=0.02 if dims < 3 else 0.1)


def test_the_reshaped_kernel_lets_a_layer_enlarge():
    """Which is what this entry is for: 1.28 at kernel 4 and stride 2."""
    torch.manual_seed(0)
    by_kernel, by_layer = (nn.Conv2d(8, 16, 4, stride=2, padding=1) for _ in range(2))
    normalisations.load("spectral").normalise(by_kernel, 16, 2)
    settle(by_kernel)
    constrain(by_layer)
    norms = [
        float(torch.linalg.matrix_norm(matrix_of(module.weight.detach(), (2, 2), cells=6), 2))
        for module in (by_kernel, by_layer)
    ]
    assert norms[0] > 1.2
    assert norms[1] == pytest.approx(1, rel=0.03)


def test_a_linear_layer_is_divided_by_its_largest_singular_value():
    torch.manual_seed(0)
    module = nn.Linear(5, 3)
    largest = torch.linalg.matrix_norm(module.weight.detach(), 2)
    wanted = module.weight.detach() / largest
    constrain(module)
    torch.testing.assert_close(module.weight.detach(), wanted, rtol=1e-4, atol=1e-6)


def test_the_gradient_is_that_of_the_quotient():
    """With the vectors held, as in ``torch.nn.utils.parametrizations.spectral_norm``."""
    torch.manual_seed(0)
    weight = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    constraint = spectral_layer.LayerNormOne(weight.detach(), (2, 2)).double().eval()
    assert torch.autograd.gradcheck(constraint, (weight,))


def test_evaluation_changes_nothing_and_folding_keeps_the_weight():
    torch.manual_seed(0)
    module = nn.Conv2d(3, 4, 4, stride=2, padding=1)
    constrain(module)
    module.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    first, second = module.weight.detach().clone(), module.weight.detach().clone()
    assert torch.equal(first, second)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    fold(module)
    assert torch.equal(module.weight.detach(), first) and isinstance(module.weight, nn.Parameter)
