"""Latents of seeds, and the shapes of the priors that their moments do not show."""

import pytest
import torch

from ganzfeld.errors import UsageError
from ganzfeld.latent import latents_of_seeds, lerp, priors, slerp, truncate

pytestmark = pytest.mark.machine


def draws(name: str, size: int = 64) -> torch.Tensor:
    return priors.load(name).sample(4000, size, torch.Generator().manual_seed(0))


def test_a_seed_means_one_vector():
    together = latents_of_seeds([5, 3, 9], 10)
    assert torch.equal(together[1:2], latents_of_seeds([3], 10))
    assert torch.unique(together, dim=0).shape == (3, 10)
    assert latents_of_seeds([], 10).shape == (0, 10)


def test_no_two_seeds_share_a_vector():
    """Torch's generator takes 32 bits of a seed, and seeds go up to 2^63 - 1."""
    seeds = [7, 2**32 + 7, 2**33 + 7, 2**40 + 7, 2**62 + 7, 2**32, 2**63 - 1, 0]
    for prior in priors.names():
        latents = latents_of_seeds(seeds, 16, prior)
        assert torch.unique(latents, dim=0).shape == (8, 16)


def test_seeds_below_2_to_the_32_stay_what_they_were():
    """Images of all models made so far have these seeds."""
    for seed in (0, 7, 2**31, 2**32 - 1):
        assert torch.equal(
            latents_of_seeds([seed], 16), torch.randn(1, 16, generator=torch.Generator().manual_seed(seed))
        )


def test_large_seeds_have_the_prior_as_well():
    latents = latents_of_seeds(range(2**40, 2**40 + 2000), 16)
    assert abs(float(latents.mean())) < 0.034, "six standard errors"
    assert abs(float(latents.var()) - 1) < 0.048
    correlation = torch.corrcoef(latents.T) - torch.eye(16)
    assert float(correlation.abs().max()) < 0.13


def test_the_vector_of_a_large_seed_is_fixed():
    """A stream that depended on the version of torch or numpy would change images of earlier runs."""
    expected = torch.tensor([1.27746, -0.95139, 0.96214, 0.48319])
    torch.testing.assert_close(latents_of_seeds([2**40 + 7], 4)[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_out_of_range(seed):
    with pytest.raises(UsageError, match="seed"):
        latents_of_seeds([seed], 4)


def test_bounds():
    assert float(draws("uniform").abs().max()) <= 1
    assert 1.99 < float(draws("truncated").abs().max()) <= 2
    assert float(draws("normal").abs().max()) > 3.5


def test_sphere_has_one_radius():
    torch.testing.assert_close(draws("sphere").norm(dim=1), torch.full((4000,), 8.0))


def test_truncation():
    latents = draws("normal")
    assert torch.equal(truncate(latents, 1), latents)
    assert float(truncate(latents, 0).abs().max()) == 0
    for psi in (-0.1, 2.1, float("nan")):
        with pytest.raises(UsageError, match="truncation"):
            truncate(latents, psi)


@pytest.mark.parametrize("way", [lerp, slerp])
def test_ways_begin_and_end_where_they_should(way):
    start, end = torch.randn(2, 5, 10, dtype=torch.float64)
    assert torch.allclose(way(start, end, 0.0), start)
    assert torch.allclose(way(start, end, 1.0), end)
    assert torch.allclose(way(start, start, 0.3), start), "no direction: the straight way"
    assert torch.isfinite(way(start, -start, 0.5)).all(), "no single arc: the straight way"


def test_the_arc_is_even_and_stays_on_its_sphere():
    start, end = (3 * vector / vector.norm(dim=1, keepdim=True) for vector in torch.randn(2, 4, 8).double())
    along = torch.stack([slerp(start, end, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)])
    assert torch.allclose(along.norm(dim=2), torch.tensor(3.0).double())
    steps = torch.nn.functional.cosine_similarity(along[1:], along[:-1], dim=2)
    assert torch.allclose(steps, steps[0].expand_as(steps)), "equal angles"
    assert float(lerp(start, end, 0.5).norm(dim=1).max()) < 3
