"""The game engine: each method against its matrix, replicas together against replicas alone, densities."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from ganzfeld.lab.experiments.spiral import theory
from ganzfeld.lab.game import (
    METHODS,
    PointNetworks,
    PointTraining,
    Replica,
    coverage,
    dirac,
    game_of_points,
    grid,
    ring,
)
from ganzfeld.lab.game.dirac import state, trajectory
from ganzfeld.lab.game.play import gradients_of, times_jacobian, weights_of
from ganzfeld.lab.game.points import generated
from ganzfeld.lab.game.replicas import Discriminators
from ganzfeld.lab.game.rotation import eigenvalues_of_play, ritz, spectral_peak
from ganzfeld.losses import Loss
from ganzfeld.stabilisers import stabiliser
from ganzfeld.training.step import StepConfig, StepContext

pytestmark = pytest.mark.machine

LINEAR = [name for name in METHODS if name != "adam"]

REPLICAS = [Replica(0.3, 0.1, 0.7), Replica(1.1, 0.0, 0.0), Replica(0.05, 0.9, 0.2), Replica(0.3, 0.1, 0.0)]


@pytest.mark.parametrize("method", LINEAR)
def test_a_round_multiplies_by_the_matrix_of_its_method(method: str):
    """Compare the matrix, from algebra, with a round of the trainer's own step."""
    states = trajectory(dirac(method, REPLICAS, start=(1.0, 0.3), strength=0.8), 30).numpy()
    for place, replica in enumerate(REPLICAS):
        matrix = theory.transition(method, *replica, strength=0.8)
        now = states[0, place]
        if method == "optimistic":
            now = np.concatenate([states[1, place], states[0, place]])  # the first step has no past
        for found in states[2 if method == "optimistic" else 1 :, place]:
            now = matrix @ now
            assert np.allclose(now[:2], found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_replicas_play_as_if_alone(method: str):
    together = trajectory(dirac(method, REPLICAS), 20)
    for place, replica in enumerate(REPLICAS):
        alone = trajectory(dirac(method, [replica]), 20)
        torch.testing.assert_close(together[:, place], alone[:, 0], rtol=1e-9, atol=1e-12)


def test_r1_is_the_damping_of_the_discriminator():
    r1 = stabiliser({"name": "r1", "weight": 0.7})
    by_penalty = trajectory(dirac("simultaneous", [Replica(0.2, 0.1)], stabilisers=[r1]), 20)
    by_decay = trajectory(dirac("simultaneous", [Replica(0.2, 0.1, 0.7)]), 20)
    torch.testing.assert_close(by_penalty, by_decay)


@pytest.mark.parametrize("method", METHODS)
def test_numbers_that_end_are_left_where_they_were(method: str):
    game = dirac(method, [Replica(0.1)])
    game.advance()
    cast(Any, game.gan.generator).place.parts[0].data.fill_(math.inf)
    if METHODS[method].consensus:
        return  # it has its own round, for closed forms alone
    before = state(game)
    game.advance()
    assert not bool(game.all_finite)
    assert torch.equal(state(game), before)


@pytest.mark.parametrize("names", [[], ["r1"], ["r1", "r2"], ["spectral"]])
def test_perceptrons_side_by_side_learn_what_they_would_alone(names: list[str]):
    """Train two replicas and one alone, from the same weights on the same points."""
    chosen = [stabiliser({"name": name}) for name in names]
    real, latents = torch.randn(2, 6, 8, 2)

    def game(replicas: int, shown: list[int]) -> Any:
        made = game_of_points(
            ring().sample,
            loss=Loss("non-saturating"),
            stabilisers=chosen,
            networks=PointNetworks(replicas, width=5),
        )
        drawn = (real[:, shown].flatten(0, 1), latents[:, shown].flatten(0, 1))
        made.draw = lambda noise: drawn
        return made

    pair, alone = game(2, [0, 1]), game(1, [1])
    for side in ("generator", "discriminator"):
        of_pair, of_one = (getattr(each.gan, side).state_dict() for each in (pair, alone))
        for name, value in of_one.items():
            twin = name.replace("linears.0", "linears.1")
            value.copy_(of_pair[twin] if "linears" in name else of_pair[name][1:])
    for each in (pair, alone):
        each.play(4)
    points = torch.randn(10, 2)
    for side in ("generator", "discriminator"):
        both = getattr(pair.gan, side)(points.repeat_interleave(2, 0))
        torch.testing.assert_close(both[1::2], getattr(alone.gan, side)(points), rtol=1e-4, atol=1e-5)


def test_plain_and_stacked_layers_are_one_network():
    points = torch.randn(12, 2)
    plain, stacked = (Discriminators(3, (2, 7, 1), 5, plain=plain) for plain in (True, False))
    torch.testing.assert_close(plain(points), stacked(points))


def test_a_stage_of_points_gets_better():
    mixture = ring()
    game = game_of_points(
        mixture.sample,
        loss=Loss("non-saturating"),
        networks=PointNetworks(2, width=16),
        training=PointTraining(num_points=32),
    )
    before = coverage(mixture, generated(game, 2, 500, 0)[0]).surprise
    game.play(150)
    assert coverage(mixture, generated(game, 2, 500, 0)[0]).surprise < before


@pytest.mark.parametrize("mixture", [ring(8, 2.0, 0.2), grid(3, 1.0, 0.15)])
def test_a_density_holds_all_of_the_plane(mixture):
    line = torch.linspace(-4, 4, 801)
    points = torch.cartesian_prod(line, line)
    mass = mixture.log_density(points).exp().sum() * (8 / 800) ** 2
    assert float(mass) == pytest.approx(1, abs=1e-6)


def test_coverage_of_points_made_by_hand():
    mixture = ring(4, 2.0, 0.1)
    lost = mixture.centres[:2].repeat(50, 1)
    found = coverage(mixture, lost)
    assert found.modes == 2
    assert found.quality == 1
    assert found.divergence == pytest.approx(math.log(2))
    assert found.surprise == pytest.approx(math.log(4 * 2 * math.pi * 0.01))
    between = coverage(mixture, torch.zeros(100, 2))
    assert (between.modes, between.quality) == (0, 0)


def test_ritz_values_of_a_whole_space_are_the_eigenvalues():
    matrix = torch.randn(9, 9, dtype=torch.float64)
    found = ritz(lambda vector: matrix @ vector, torch.randn(9, dtype=torch.float64), 9)
    wanted = np.sort_complex(np.linalg.eigvals(matrix.numpy()))
    assert np.allclose(np.sort_complex(found.values), wanted, atol=1e-9)
    assert found.residuals.max() < 1e-9


def test_the_motion_of_a_game_turns_as_its_formula_says():
    """Compare with the Dirac game by Adam: dx = p y, dy = -q (x + ld y), p and q the rates of Adam."""
    r1 = stabiliser({"name": "r1", "weight": 0.3})
    game = dirac("adam", [Replica(0.01)], stabilisers=[r1])
    game.play(5)
    real, latents = game.draw(torch.Generator())
    found = eigenvalues_of_play(game.gan, game.config, real, latents, game.context(), 2, 0)
    rates = []
    for optimizer in (game.gan.generator_optimizer, game.gan.discriminator_optimizer):
        (held,) = cast(Any, optimizer).state.values()
        second = float(held["exp_avg_sq"]) / (1 - 0.99 ** float(held["step"]))
        rates.append(0.01 / (math.sqrt(second) + 1e-8))
    p, q = rates
    wanted = np.linalg.eigvals(np.array([[0, p], [-q, -0.3 * q]]))
    assert np.allclose(np.sort_complex(found.values), np.sort_complex(wanted), rtol=1e-8)


def test_a_rhythm_stands_out_and_wandering_does_not():
    random = np.random.default_rng(0)
    wandering = np.zeros(256)
    for place in range(1, 256):
        wandering[place] = 0.9 * wandering[place - 1] + random.standard_normal()
    assert spectral_peak(wandering, 200, 1).chance > 0.05
    turning = wandering + 3 * np.sin(2 * np.pi * np.arange(256) / 16)
    found = spectral_peak(turning, 200, 1)
    assert found.chance < 0.02
    assert 2 * np.pi / found.frequency == pytest.approx(16, rel=0.05)


@pytest.mark.parametrize("name", ["r1", "r2"])
def test_a_lazy_penalty_counts_with_its_mean(name: str):
    """Take the same motion at every step: a penalty at every fourth step is four times as large."""
    game = dirac("adam", [Replica(0.01)], start=(0.5, 0.7))
    game.play(3)
    real, latents = game.draw(torch.Generator())
    rows = []
    for every in (1, 4):
        for index in (0, 1, 2):
            config = replace(
                game.config, stabilisers=[stabiliser({"name": name, "weight": 0.6, "every": every})]
            )
            context = StepContext(index, 0.0, torch.Generator())
            rows.append(
                [float(part.detach()) for part in gradients_of(game.gan, config, real, latents, context)]
            )
    assert rows == [rows[0]] * 6
    plain = gradients_of(game.gan, game.config, real, latents, context)[1]
    assert rows[0][1] == pytest.approx(float(plain.detach() + 0.6 * state(game)[0, 1]))


def test_the_penalty_at_generated_images_depends_on_the_generator():
    """Compare the Jacobian of D's gradient by G's weights with differences, in float64."""
    chosen = stabiliser({"name": "r2", "weight": 3.0, "every": 2})
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(3, 6), nn.Tanh()).double()
    discriminator = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0)).double()
    gan = cast(Any, SimpleNamespace(generator=generator, discriminator=discriminator))
    config = StepConfig(Loss("wasserstein"), [chosen], 0.0, per_sample=True)
    noise = torch.Generator().manual_seed(0)
    real = torch.randn(4, 6, generator=noise, dtype=torch.float64)
    latents = torch.randn(4, 3, generator=noise, dtype=torch.float64)
    weights, num = weights_of(gan), len(list(generator.parameters()))

    def gradients() -> list[torch.Tensor]:
        return gradients_of(gan, config, real, latents, StepContext(0, 0.0, torch.Generator()))

    plain = StepConfig(Loss("wasserstein"), [], 0.0, per_sample=True)
    way = [torch.randn(weight.shape, generator=noise, dtype=torch.float64) for weight in weights]
    of_d = [torch.zeros_like(part) for part in way[:num]] + way[num:]
    products = times_jacobian(gradients(), weights, of_d)[:num]
    without = times_jacobian(
        gradients_of(gan, plain, real, latents, StepContext(0, 0.0, torch.Generator())), weights, of_d
    )[:num]
    along = [torch.randn(weight.shape, generator=noise, dtype=torch.float64) for weight in weights[:num]]
    values = []
    for sign in (1, -1):
        for weight, change in zip(weights[:num], along, strict=True):
            weight.data.add_(sign * 1e-6 * change)
        values.append(
            sum(float((part * by).detach().sum()) for part, by in zip(gradients(), of_d, strict=True))
        )
        for weight, change in zip(weights[:num], along, strict=True):
            weight.data.sub_(sign * 1e-6 * change)
    by_differences = (values[0] - values[1]) / 2e-6
    by_autograd = sum(float((part * change).sum()) for part, change in zip(products, along, strict=True))
    left_out = sum(float((part * change).sum()) for part, change in zip(without, along, strict=True))
    assert by_autograd == pytest.approx(by_differences, rel=1e-5)
    assert left_out != pytest.approx(by_differences, rel=1e-2)


def test_products_are_added_until_a_pair_is_clear():
    """Find a slow rotation in a large map, whose first Ritz values are not clear."""
    noise = torch.Generator().manual_seed(0)
    spread = -torch.rand(200, generator=noise, dtype=torch.float64)
    spread[0] = spread[1] = -0.5
    matrix = torch.diag(spread)
    matrix[0, 1], matrix[1, 0] = 0.1, -0.1
    start = torch.randn(200, generator=noise, dtype=torch.float64)

    def times(vector: torch.Tensor) -> torch.Tensor:
        return matrix @ vector

    few = ritz(times, start, 8)
    assert not few.clear.any()
    enough = ritz(times, start, 96, lambda motion: bool(motion.clear.any()))
    assert enough.clear.any() and len(enough.values) < 96
    fastest = enough.values[np.where(enough.clear, np.imag(enough.values), -1).argmax()]
    exact = np.linalg.eigvals(matrix[:2, :2].numpy()).imag.max()
    assert fastest.imag == pytest.approx(exact, rel=0.2)
    assert enough.asymmetry > 0.01
    symmetric = ritz(lambda vector: spread * vector, start, 24)
    assert not symmetric.clear.any() and symmetric.asymmetry < 1e-6
