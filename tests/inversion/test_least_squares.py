"""Levenberg-Marquardt on problems with known answers, and its Jacobian against finite differences."""

import pytest
import torch
from torch import Tensor

from ganzfeld.inversion.fit import Fit
from ganzfeld.inversion.least_squares import jacobians, levenberg_marquardt
from ganzfeld.latent import priors
from ganzfeld.model import Card, Model
from ganzfeld.model.card import GeneratorCard
from ganzfeld.networks.layout import for_making_images
from ganzfeld.recipes import resolve
from tests.training.conftest import SMALL

pytestmark = pytest.mark.machine


def rosenbrock(points: Tensor, rows: Tensor) -> Tensor:
    """Residuals of a curved valley (Rosenbrock 1960), whose only minimum is 0 at (1, 1)."""
    first, second = points.unbind(1)
    return torch.stack((10 * (second - first**2), 1 - first), 1)


def test_a_curved_valley_is_followed_to_its_end():
    starts = torch.tensor([[-1.2, 1.0], [2.0, -3.0], [0.0, 5.0]], dtype=torch.float64)
    solution = levenberg_marquardt(rosenbrock, starts, torch.arange(3), num_steps=100, converged=1e-12)
    torch.testing.assert_close(solution.points, torch.ones(3, 2, dtype=torch.float64), atol=1e-6, rtol=0)
    assert float(solution.costs.max()) < 1e-12


def test_a_linear_problem_takes_one_step():
    noise = torch.Generator().manual_seed(0)
    matrix = torch.randn(20, 5, generator=noise, dtype=torch.float64)
    targets = torch.randn(3, 20, generator=noise, dtype=torch.float64)

    def residuals(points: Tensor, rows: Tensor) -> Tensor:
        return points @ matrix.T - targets[rows]

    start = torch.zeros(3, 5, dtype=torch.float64)
    solution = levenberg_marquardt(residuals, start, torch.arange(3), num_steps=1, damping=1e-9)
    expected = torch.linalg.lstsq(matrix, targets.T).solution.T
    torch.testing.assert_close(solution.points, expected, atol=1e-7, rtol=0)
    assert solution.num_steps.tolist() == [1, 1, 1]


def test_rows_do_not_influence_each_other():
    starts = torch.tensor([[-1.2, 1.0], [30.0, -3.0], [1.0, 1.0]], dtype=torch.float64)
    together = levenberg_marquardt(rosenbrock, starts, torch.arange(3), num_steps=6)
    for row in range(3):
        alone = levenberg_marquardt(rosenbrock, starts[row : row + 1], torch.arange(1), num_steps=6)
        torch.testing.assert_close(together.points[row], alone.points[0])


def test_points_stay_among_those_allowed():
    """In a box, the nearest point to one outside is on its side."""

    def residuals(points: Tensor, rows: Tensor) -> Tensor:
        return points - torch.tensor([3.0, 0.25])

    solution = levenberg_marquardt(
        residuals,
        torch.zeros(1, 2),
        torch.arange(1),
        num_steps=20,
        project=lambda points: points.clamp(-1, 1),
    )
    torch.testing.assert_close(solution.points, torch.tensor([[1.0, 0.25]]), atol=1e-3, rtol=0)


def test_a_direction_without_effect_is_left_alone():
    def residuals(points: Tensor, rows: Tensor) -> Tensor:
        return points[:, :1] - 2

    solution = levenberg_marquardt(residuals, torch.tensor([[0.0, 7.0]]), torch.arange(1), num_steps=20)
    torch.testing.assert_close(solution.points, torch.tensor([[2.0, 7.0]]), atol=1e-3, rtol=0)


def tiny_model(prior: str = "normal", **settings: str) -> Model:
    """A generator at 16 px with weights drawn from a seed."""
    recipe = resolve("seed", SMALL | {f"generator.{name}": value for name, value in settings.items()})
    torch.manual_seed(0)
    card = GeneratorCard.of(
        recipe.plan(), channels=3, latent_size=16, architecture=recipe.generator.architecture
    )
    generator = for_making_images(card.build().requires_grad_(False))
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    record = Card(
        ganzfeld="0", generator=card, prior=prior, recipe="seed", data="drawn", images_seen=0, seed=0
    )
    return Model(generator, record)


@pytest.mark.parametrize("normalisation", ["batch", "instance", "layer", "none"])
@pytest.mark.parametrize("num", [1, 3])
def test_derivatives_are_those_of_finite_differences(normalisation: str, num: int):
    """Also for one image and instance norms, which torch 2.13 differentiates wrongly in channels last."""
    model = tiny_model(normalisation=normalisation, activation="silu")
    fit = Fit.of(model, torch.zeros(num, 3, 16, 16), pull=0.1)
    latents = priors.load("normal").sample(num, 16, torch.Generator().manual_seed(1))
    rows = torch.arange(num)

    def residuals(points: Tensor, which: Tensor) -> Tensor:
        return fit.residuals(points, which, None)

    derivatives = jacobians(residuals, latents, rows)
    step = 1e-2
    for component in (0, 9):
        move = torch.zeros(16)
        move[component] = step
        change = residuals(latents + move, rows) - residuals(latents - move, rows)
        torch.testing.assert_close(derivatives[:, component], change / (2 * step), atol=2e-3, rtol=2e-2)


@pytest.mark.parametrize("num", [1, 3])
def test_the_gradient_of_a_fit_agrees_with_its_jacobian(num: int):
    model = tiny_model(normalisation="instance", activation="silu")
    fit = Fit.of(model, torch.zeros(num, 3, 16, 16))
    latents = torch.randn(num, 16, requires_grad=True)
    rows = torch.arange(num)
    values = fit.residuals(latents, rows, None)
    values.square().sum().backward()
    derivatives = jacobians(lambda points, which: fit.residuals(points, which, None), latents.detach(), rows)
    assert latents.grad is not None
    torch.testing.assert_close(
        latents.grad, 2 * torch.einsum("rnm,rm->rn", derivatives, values.detach()), atol=1e-4, rtol=1e-2
    )
