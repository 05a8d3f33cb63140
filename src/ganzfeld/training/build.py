"""Build a trainer from a recipe: networks, optimizers and step configuration."""

import copy

import torch
from torch import nn

from ganzfeld.compute.batch_loader import gathering
from ganzfeld.compute.distributed import ALONE, Ranks, with_common_statistics
from ganzfeld.compute.engine import Engine
from ganzfeld.compute.seeding import Purpose, derived_seed
from ganzfeld.data import ImageDataset
from ganzfeld.model.card import GeneratorCard
from ganzfeld.networks import Discriminator, Generator, initialise
from ganzfeld.networks.initialisations import passed_by
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.recipes import Recipe
from ganzfeld.recipes.schema import Optimizer
from ganzfeld.runs.discriminator import build_discriminator
from ganzfeld.training.classes import classes_of
from ganzfeld.training.step import GANState, StepConfig
from ganzfeld.training.trainer import Trainer

CLASS_SIZE = 32
"""Size of the class embedding of the generator; the model card records it."""


def start(
    recipe: Recipe,
    dataset: ImageDataset,
    engine: Engine,
    seed: int,
    ranks: Ranks = ALONE,
    networks: tuple[Generator, Discriminator] | None = None,
) -> Trainer:
    """Build a trainer that has made no step yet; all weights are functions of the seed.

    ``networks`` replaces the networks of the recipe (see ``build_networks``). Raises ``DataError`` if the
    recipe needs classes and the images have none, or none that can be used.
    """
    classes = None if recipe.classes == "none" else classes_of(dataset)
    num_classes = len(classes.names) if classes else 0
    generator, discriminator = networks or build_networks(recipe, dataset.channels, seed, num_classes)
    generator, discriminator = engine.place(generator), engine.place(discriminator)
    # Copied before the norms become synchronised ones: rank 0 must be able to use it alone.
    generator_ema = copy.deepcopy(generator).requires_grad_(False)
    for network in (generator, discriminator):
        with_common_statistics(network, ranks)
    gan = GANState(
        generator,
        discriminator,
        _adam(generator, recipe.generator.optimizer),
        _adam(discriminator, recipe.discriminator.optimizer),
        generator_ema,
    )
    across_images = normalisations.load(recipe.discriminator.normalisation).ACROSS_IMAGES
    config = StepConfig(
        recipe.loss.build(),
        recipe.build_stabilisers(),
        recipe.ema,
        simultaneous=recipe.updates == "simultaneous",
        discriminator_steps=recipe.discriminator_steps,
        per_sample=not across_images,
        forward=engine.autocast,
        mean=ranks.all_reduce_mean,
    )
    all_finite = torch.tensor(True, device=engine.device)
    gather = gathering(dataset, engine, ranks)
    return Trainer(
        recipe, dataset, engine, seed, gan, config, gather, all_finite, ranks=ranks, classes=classes
    )


def build_networks(
    recipe: Recipe, channels: int, seed: int = 0, num_classes: int = 0
) -> tuple[Generator, Discriminator]:
    """Build both networks of a recipe on the CPU, initialised from the seed.

    ``num_classes`` is 0 unless ``recipe.classes`` makes the networks conditional on classes. Under
    ``torch.device("meta")`` the weights have shapes but no values.
    """
    with torch.random.fork_rng(devices=[]):  # spectral normalisation draws from the global state
        torch.manual_seed(derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS))
        generator = generator_card(recipe, channels, num_classes).build()
        discriminator = build_discriminator(recipe, channels, num_classes)
    if not next(generator.parameters()).is_meta:
        initialise_networks(recipe, generator, discriminator, seed)
    return generator, discriminator


def initialise_networks(
    recipe: Recipe, generator: Generator, discriminator: Discriminator, seed: int
) -> None:
    """Draw the weights of both networks as a recipe asks for."""
    sides = (
        (generator, recipe.generator, Purpose.GENERATOR_WEIGHTS),
        (discriminator, recipe.discriminator, Purpose.DISCRIMINATOR_WEIGHTS),
    )
    for network, choices, purpose in sides:
        passed = passed_by(choices.activation, choices.slope)
        initialise(network, derived_seed(seed, purpose), recipe.gain_deviation, recipe.initialisation, passed)


def generator_card(recipe: Recipe, channels: int, num_classes: int = 0) -> GeneratorCard:
    """Return the card of the generator that a recipe specifies."""
    return GeneratorCard.of(
        recipe.plan(),
        channels=channels,
        latent_size=recipe.latent.size,
        architecture=recipe.generator.architecture,
        num_classes=num_classes,
        class_size=CLASS_SIZE if num_classes else 0,
    )


def num_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def _adam(network: nn.Module, choices: Optimizer) -> torch.optim.Adam:
    """Return Adam with its moments already allocated, so that every checkpoint has the same tensors.

    On a CPU or a GPU the learning rate is a tensor on the device, which a replayed step reads each time.
    """
    device = next(network.parameters()).device
    on_gpu = device.type == "cuda"
    # On a CPU in float64, as Python's numbers are: the fused update then gives the same bits for both.
    rates = {"cuda": torch.float32, "cpu": torch.float64}
    rate = (
        torch.tensor(choices.lr, dtype=rates[device.type], device=device)
        if device.type in rates
        else choices.lr
    )
    adam = torch.optim.Adam(network.parameters(), lr=rate, betas=choices.betas, fused=True, capturable=on_gpu)
    for parameter in network.parameters():
        adam.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return adam
