"""Gradients with respect to the logits against their closed forms, and what composes with what."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganzfeld.errors import UsageError
from ganzfeld.losses import Loss

pytestmark = pytest.mark.machine

logits = st.lists(st.floats(-30, 30), min_size=1, max_size=6).map(
    lambda v: torch.tensor(v, dtype=torch.float64)
)


def gradient(function, logit: torch.Tensor) -> torch.Tensor:
    logit = logit.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(logit) * len(logit), logit)
    return found


@given(logit=logits, temperature=st.floats(0.5, 4))
def test_generator_gradients(logit, temperature):
    """Minimax -D / T, non-saturating -(1 - D) / T, with D = sigmoid(logit / T)."""
    d = torch.sigmoid(logit / temperature)
    minimax = gradient(lambda x: Loss("minimax", temperature=temperature).generator(None, x), logit)
    torch.testing.assert_close(minimax, -d / temperature, rtol=0, atol=1e-7)
    saturating = gradient(lambda x: Loss("non-saturating", temperature=temperature).generator(None, x), logit)
    torch.testing.assert_close(saturating, -(1 - d) / temperature, rtol=0, atol=1e-7)


@given(
    logit=logits,
    name=st.sampled_from(["minimax", "non-saturating"]),
    smoothing=st.floats(0, 0.49),
    sides=st.sampled_from([1, 2]),
    temperature=st.floats(0.5, 4),
)
def test_discriminator_gradients_are_d_minus_target(logit, name, smoothing, sides, temperature):
    loss = Loss(name, smoothing, sides, temperature)
    d = torch.sigmoid(logit / temperature)
    other = torch.zeros_like(logit)
    of_real = gradient(lambda x: loss.discriminator(x, other), logit)
    torch.testing.assert_close(of_real, (d - (1 - smoothing)) / temperature, rtol=0, atol=1e-7)
    of_fake = gradient(lambda x: loss.discriminator(other, x), logit)
    target = smoothing if sides == 2 else 0.0
    torch.testing.assert_close(of_fake, (d - target) / temperature, rtol=0, atol=1e-7)


@given(logit=logits, smoothing=st.floats(0, 0.49))
def test_least_squares_gradients(logit, smoothing):
    loss = Loss("least-squares", smoothing, 2)
    other = torch.zeros_like(logit)
    torch.testing.assert_close(
        gradient(lambda x: loss.discriminator(x, other), logit), logit - (1 - smoothing)
    )
    torch.testing.assert_close(gradient(lambda x: loss.discriminator(other, x), logit), logit - smoothing)
    torch.testing.assert_close(gradient(lambda x: loss.generator(None, x), logit), logit - 1)


@given(logit=logits)
def test_hinge_and_wasserstein_gradients(logit):
    other = torch.zeros_like(logit)
    inside = gradient(lambda x: Loss("hinge").discriminator(x, other), logit)
    torch.testing.assert_close(inside, -(logit < 1).double())
    outside = gradient(lambda x: Loss("hinge").discriminator(other, x), logit)
    torch.testing.assert_close(outside, (logit > -1).double())
    for name in ("hinge", "wasserstein"):
        ones = gradient(lambda x, name=name: Loss(name).generator(None, x), logit)
        torch.testing.assert_close(ones, -torch.ones_like(logit))
    critic = gradient(lambda x: Loss("wasserstein").discriminator(x, other), logit)
    torch.testing.assert_close(critic, -torch.ones_like(logit))


@given(logit=logits, smoothing=st.floats(0, 0.49))
def test_relativistic_gradients(logit, smoothing):
    """With D = sigmoid(real - fake): D - (1 - alpha) for the real logit, -D for the generator's."""
    loss = Loss("relativistic-pairing", smoothing)
    fake = logit.flip(0) * 0.5
    d = torch.sigmoid(logit - fake)
    torch.testing.assert_close(
        gradient(lambda x: loss.discriminator(x, fake), logit), d - (1 - smoothing), rtol=0, atol=1e-7
    )
    torch.testing.assert_close(gradient(lambda x: loss.generator(logit, x), fake), -d, rtol=0, atol=1e-7)


def test_soft_labels_keep_a_gradient_where_d_saturates():
    certain = torch.tensor([40.0], dtype=torch.float64)
    other = torch.zeros(1, dtype=torch.float64)
    hard = gradient(lambda x: Loss("minimax").discriminator(x, other), certain)
    soft = gradient(lambda x: Loss("minimax", 0.1).discriminator(x, other), certain)
    assert abs(float(hard)) < 1e-15
    assert float(soft) == pytest.approx(0.1, abs=1e-12)


@pytest.mark.parametrize("smoothing", [-0.1, 0.5, 0.9, float("nan")])
def test_smoothing_out_of_range(smoothing):
    with pytest.raises(UsageError, match=r"smoothing .*0\.5"):
        Loss("non-saturating", smoothing)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_temperature_out_of_range(temperature):
    with pytest.raises(UsageError, match="temperature"):
        Loss("non-saturating", temperature=temperature)


def test_sides_out_of_range():
    with pytest.raises(UsageError, match="smooth_sides"):
        Loss("non-saturating", 0.1, 3)
