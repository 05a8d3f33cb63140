"""Kernel distance against its definition in NumPy, and on sets whose distance is known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzfeld.errors import UsageError
from ganzfeld.metrics import features, kernel_distance
from tests.conftest import blobs

pytestmark = pytest.mark.machine


@settings(max_examples=25)
@given(num=st.integers(2, 7), other=st.integers(2, 7), size=st.integers(1, 5), seed=st.integers(0, 99))
def test_is_its_definition(num, other, size, seed):
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(num, size)), random.normal(size=(other, size)) + 1

    def kernel(a, b):
        return (a @ b / size + 1) ** 3

    within_x = np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    within_y = np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    between = np.mean([kernel(a, b) for a in x for b in y])
    found = kernel_distance(torch.from_numpy(x), torch.from_numpy(y))
    assert found == pytest.approx(within_x + within_y - 2 * between, rel=1e-9, abs=1e-9)


def test_is_unbiased():
    """Check that the mean over many pairs of sets of one distribution is 0 within four standard errors."""
    noise = torch.Generator().manual_seed(0)
    values = [kernel_distance(*torch.randn(2, 20, 8, generator=noise)) for _ in range(400)]
    assert abs(np.mean(values)) < 4 * np.std(values) / 20
    assert np.min(values) < 0


def test_features_tell_sets_apart():
    same = kernel_distance(features(blobs(40, 16, seed=1)), features(blobs(40, 16, seed=2)))
    inverted = kernel_distance(features(blobs(40, 16, seed=1)), features(255 - blobs(40, 16, seed=2)))
    assert abs(same) < 0.2 < inverted
    assert features(blobs(3, 16, channels=1)).shape == (3, 1280)
    assert features(blobs(0, 16)).shape == (0, 1280)


def test_needs_two():
    with pytest.raises(UsageError, match="two images"):
        kernel_distance(torch.zeros(1, 3), torch.zeros(5, 3))
