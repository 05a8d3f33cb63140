"""Untrained generators, and the latents that they are measured on."""

from torch import Tensor

from ganzfeld.compute.seeding import Purpose, derived_seed, noise_at
from ganzfeld.geometry import plan
from ganzfeld.lab.experiments.latent_prior import Settings
from ganzfeld.latent import priors
from ganzfeld.networks import Generator, initialise

SIZE_PX = 32
"""Size of the images of untrained generators."""


def untrained(normalisation: str, settings: Settings, seed: int, number: int) -> Generator:
    """Build one untrained generator."""
    generator = Generator(
        plan(SIZE_PX), latent_size=settings.latent_size, width=settings.width, normalisation=normalisation
    )
    initialise(generator, derived_seed(seed, Purpose.GENERATOR_WEIGHTS, number))
    return generator


def latents_of(prior: str, settings: Settings, seed: int, number: int) -> Tensor:
    """Draw the latents that one generator is measured on, (latents, latent_size)."""
    noise = noise_at(seed, Purpose.LATENTS, number)
    return priors.load(prior).sample(settings.latents, settings.latent_size, noise)
