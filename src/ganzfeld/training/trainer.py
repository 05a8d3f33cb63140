"""A training in memory: networks and pictures, advanced one step at a time.

Knows nothing of clocks, files and people: ``loop.py`` decides when to look at it and when to save it.
"""

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ganzfeld.compute.batch_loader import Gather, gathering
from ganzfeld.compute.cuda_graphs import CardTape
from ganzfeld.compute.distributed import ALONE, Ranks, with_common_statistics
from ganzfeld.compute.engine import Engine, computing_with
from ganzfeld.compute.fast_path import USUAL, Route
from ganzfeld.compute.seeding import Purpose, derived_seed, noise_at
from ganzfeld.data import Pictures
from ganzfeld.data.order import batch_indices
from ganzfeld.latent import priors
from ganzfeld.model import ClassCard, calibrate
from ganzfeld.model.card import GeneratorCard
from ganzfeld.networks import Discriminator, Generator, initialise
from ganzfeld.networks.normalisations import normalisations
from ganzfeld.networks.strided import (
    DIRECT,
    StridedConvolution,
    StridedTransposedConvolution,
    has_product,
)
from ganzfeld.recipes import Recipe
from ganzfeld.recipes.schema import Optimizer
from ganzfeld.runs.metadata import Circumstances, circumstances
from ganzfeld.runs.schedule import Horizon, progress_of, rate_factor
from ganzfeld.stabilisers import SharedNoise
from ganzfeld.training.classes import Classes, classes_of
from ganzfeld.training.recording import RecordedUpdate, can_be_recorded
from ganzfeld.training.step import Moment, Outcome, Players, Rules, step

CLASS_SIZE = 32
"""Numbers that tell the generator of a class, beside the latent ones; the card of a model keeps it."""


@dataclass
class Trainer:
    """Where a training stands.

    ``horizons`` says for how many pictures it was planned, and since when. ``rate_scale`` is a factor on both
    learning rates, ``rate`` all that those of the recipe were multiplied by in the last step. ``sound`` is a
    scalar on the device, false once a number was not finite; see ``step``. Of ``ranks`` each makes every step
    on its share of the batch. ``classes`` are None where the recipe has none. ``recorded_update`` makes
    the steps where route and device want it; see ``recording.py``.
    """

    recipe: Recipe
    pictures: Pictures
    engine: Engine
    seed: int
    players: Players
    rules: Rules
    gather: Gather
    sound: Tensor
    index: int = 0
    images_seen: int = 0
    route: Route = USUAL
    horizons: tuple[Horizon, ...] = ()
    rate_scale: float = 1.0
    rate: float = 1.0
    ranks: Ranks = ALONE
    classes: Classes | None = None
    recorded_update: RecordedUpdate | None = None
    _shipped: tuple[tuple[int, int], Generator] | None = None

    @property
    def progress(self) -> float:
        """The share of the run that is done, from 0 to 1."""
        return progress_of(self.images_seen, self.horizons)

    def advance(self) -> Outcome:
        """Make one step."""
        self._set_rates()
        noise = SharedNoise(self.ranks.rank, self.ranks.number)
        noise.manual_seed(derived_seed(self.seed, Purpose.STABILISERS, self.index))
        moment = Moment(self.index, self.progress, noise)
        update = self.recorded_update if self.route.recorded else None
        with computing_with(self.route.threads):
            outcome = step(
                self.players,
                self.rules,
                self.real(),
                self._latents(),
                moment,
                self.sound,
                self.labels(),
                update,
            )
        self.sound = outcome.sound
        self.index += 1
        self.images_seen += self.recipe.batch
        return outcome

    def _set_rates(self) -> None:
        self.rate = self.rate_scale * rate_factor(self.recipe.schedule, self.images_seen, self.progress)
        for optimizer, choices in (
            (self.players.generator_optimizer, self.recipe.generator.optimizer),
            (self.players.discriminator_optimizer, self.recipe.discriminator.optimizer),
        ):
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(choices.lr * self.rate)
                else:
                    group["lr"] = choices.lr * self.rate

    def take(self, route: Route) -> None:
        """Take a route from the next step on. The layout stays as it was at the beginning."""
        self.rules = replace(self.rules, one_pass=route.one_pass, shared_backward=route.shared_backward)
        on_card = self.engine.device.type == "cuda" and self.ranks.number == 1
        if route.recorded and on_card and can_be_recorded(self.rules) and not self.recorded_update:
            self.recorded_update = RecordedUpdate(CardTape(self.engine.device))
        self.route = route.model_copy(update={"channels_last": self.engine.channels_last})
        for name, layer in self.strided_layers.items():
            layer.ways = route.ways.get(name, DIRECT)

    @property
    def strided_layers(self) -> dict[str, StridedConvolution | StridedTransposedConvolution]:
        """The layers of both networks that can be computed in two ways, by name."""
        networks = {"generator": self.players.generator, "discriminator": self.players.discriminator}
        return {
            f"{side}.{name}": layer
            for side, network in networks.items()
            for name, layer in network.named_modules()
            if isinstance(layer, StridedConvolution | StridedTransposedConvolution)
            and has_product(layer.kernel_size, layer.stride)
        }

    @property
    def circumstances(self) -> Circumstances:
        """What its last bits depend on beside recipe, pictures and seed."""
        return circumstances(self.engine, self.route.threads, self.ranks.number)

    @property
    def is_between_steps(self) -> bool:
        """Whether both networks have made the same number of steps: false after a step was broken off."""
        players = self.players
        optimizers = (players.generator_optimizer, players.discriminator_optimizer)
        steps = {int(next(iter(optimizer.state.values()))["step"]) for optimizer in optimizers}
        return steps == {self.index}

    @property
    def class_cards(self) -> tuple[ClassCard, ...]:
        """What the card of its model says of the classes; nothing without them."""
        return self.classes.cards if self.classes else ()

    @property
    def classes_hash(self) -> str:
        """SHA-256 of the classes of the pictures, their names and labels; empty without."""
        return self.classes.content_hash if self.classes else ""

    @property
    def pictures_by_class(self) -> list[int]:
        """How many pictures each class has; nothing without them."""
        return self.classes.num_pictures if self.classes else []

    def shipped(self, average: Generator | None = None) -> Generator:
        """The model as it would be shipped now: the averaged generator with its statistics fixed. To be read.

        ``average``: a copy of it that was taken before.
        """
        if average is not None:
            return calibrate(average, self.recipe.latent.prior, self.pictures_by_class)
        average = self.players.average
        # Of one moment it is wanted several times. Recorded steps change weights without a new version.
        moment = self.index, sum(tensor._version for tensor in average.state_dict().values())
        if self._shipped is None or self._shipped[0] != moment:
            self._shipped = moment, calibrate(average, self.recipe.latent.prior, self.pictures_by_class)
        return self._shipped[1]

    def real(self) -> Tensor:
        """The pictures of the next step, (B, C, H, W) in [-1, 1]: a pure function of where it stands.

        Of several ranks, each reads the pictures of its share and no others.
        """
        batch, ranks = self.recipe.batch, self.ranks
        mirrored = shifts = None
        if self.recipe.mirror:
            noise = noise_at(self.seed, Purpose.MIRROR, self.index)
            mirrored = ranks.share(torch.rand(batch, generator=noise) < 0.5).numpy()
        if self.recipe.crop:
            noise = noise_at(self.seed, Purpose.CROP, self.index)
            reach = (round(self.recipe.crop * side) for side in self.recipe.size[::-1])
            along = [torch.randint(-most, most + 1, (batch,), generator=noise) for most in reach]
            shifts = ranks.share(torch.stack(along, 1)).numpy()
        return self.engine.pictures(self.gather(self._indices()), mirrored, shifts)

    def labels(self) -> Tensor | None:
        """The classes (B,) of the pictures of the next step, real ones as generated ones; None without them.

        A generated picture has the class of the real one at its place. So its class is drawn from those of
        the data, and whatever compares the two of a pair compares pictures of one class.
        """
        if self.classes is None:
            return None
        return self.engine.carry(self.classes.labels[self._indices()])

    def _indices(self) -> np.ndarray:
        ranks, num_pictures = self.ranks, self.pictures.num_pictures
        return batch_indices(
            num_pictures, self.seed, self.images_seen, self.recipe.batch, ranks.rank, ranks.number
        )

    def _latents(self) -> Tensor:
        noise = noise_at(self.seed, Purpose.LATENTS, self.index)
        latent = self.recipe.latent
        whole = priors.load(latent.prior).sample(self.recipe.batch, latent.size, noise)
        return self.engine.carry(self.ranks.share(whole).numpy())


def start(
    recipe: Recipe,
    pictures: Pictures,
    engine: Engine,
    seed: int,
    ranks: Ranks = ALONE,
    networks: tuple[Generator, Discriminator] | None = None,
) -> Trainer:
    """A training at its beginning; all weights are functions of the seed.

    ``networks`` are those to be trained, if they are not the recipe's own (see ``build_networks``). Raises
    ``DataError`` if the recipe wants classes of pictures that have none, or none that can be used.
    """
    classes = None if recipe.classes == "none" else classes_of(pictures)
    num_classes = len(classes.names) if classes else 0
    generator, discriminator = networks or build_networks(recipe, pictures.channels, seed, num_classes)
    generator, discriminator = engine.place(generator), engine.place(discriminator)
    average = copy.deepcopy(generator).requires_grad_(False)  # with norms that rank 0 can use alone
    for network in (generator, discriminator):
        with_common_statistics(network, ranks)
    players = Players(
        generator,
        discriminator,
        _adam(generator, recipe.generator.optimizer),
        _adam(discriminator, recipe.discriminator.optimizer),
        average,
    )
    across_pictures = normalisations.load(recipe.discriminator.normalisation).ACROSS_PICTURES
    rules = Rules(
        recipe.loss.build(),
        recipe.build_stabilisers(),
        recipe.ema,
        simultaneous=recipe.updates == "simultaneous",
        apart=not across_pictures,
        forward=engine.autocast,
        mean=ranks.mean_of,
    )
    sound = torch.tensor(True, device=engine.device)
    gather = gathering(pictures, engine, ranks)
    return Trainer(
        recipe, pictures, engine, seed, players, rules, gather, sound, ranks=ranks, classes=classes
    )


def build_networks(
    recipe: Recipe, channels: int, seed: int = 0, num_classes: int = 0
) -> tuple[Generator, Discriminator]:
    """Both networks of a recipe on the processor, initialised from the seed.

    ``num_classes`` is 0 unless ``recipe.classes`` lets them enter. Under ``torch.device("meta")`` they have
    shapes but no numbers.
    """
    with torch.random.fork_rng(devices=[]):  # spectral normalisation draws from the global state
        torch.manual_seed(derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS))
        generator = generator_card(recipe, channels, num_classes).build()
        discriminator = Discriminator(
            recipe.plan(),
            channels=channels,
            **recipe.discriminator.architecture,
            classes=recipe.classes,
            num_classes=num_classes,
        )
        for stabiliser in recipe.build_stabilisers():
            stabiliser.prepare(discriminator)
    if not next(generator.parameters()).is_meta:
        initialise(generator, derived_seed(seed, Purpose.GENERATOR_WEIGHTS))
        initialise(discriminator, derived_seed(seed, Purpose.DISCRIMINATOR_WEIGHTS))
    return generator, discriminator


def generator_card(recipe: Recipe, channels: int, num_classes: int = 0) -> GeneratorCard:
    """The card of the generator that a recipe asks for."""
    return GeneratorCard.of(
        recipe.plan(),
        channels=channels,
        latent_size=recipe.latent.size,
        architecture=recipe.generator.architecture,
        num_classes=num_classes,
        class_size=CLASS_SIZE if num_classes else 0,
    )


def num_parameters(network: nn.Module) -> int:
    """Numbers that training changes."""
    return sum(parameter.numel() for parameter in network.parameters())


def _adam(network: nn.Module, choices: Optimizer) -> torch.optim.Adam:
    """Adam with its moments there from the beginning, so that a training has all its tensors at any time.

    On a graphics card its learning rate is a tensor there, which a recorded step reads anew.
    """
    device = next(network.parameters()).device
    on_card = device.type == "cuda"
    rate = torch.tensor(choices.lr, device=device) if on_card else choices.lr
    adam = torch.optim.Adam(
        network.parameters(), lr=rate, betas=choices.betas, fused=True, capturable=on_card
    )
    for parameter in network.parameters():
        adam.state[parameter] = {
            "step": torch.zeros((), device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return adam


def readings(outcome: Outcome, ranks: Ranks = ALONE) -> dict[str, float]:
    """An outcome in plain numbers, with one synchronisation of the device; ``sound`` is 1 or 0.

    Of several ranks, all have to read at once: the numbers are those of the whole batch.
    """
    tensors = (
        outcome.sound,
        outcome.generator_loss,
        outcome.discriminator_loss,
        outcome.real_logits.mean(),
        outcome.fake_logits.mean(),
    )
    (means,) = ranks.mean_of([torch.stack([tensor.float() for tensor in tensors])])
    values = means.cpu().numpy().astype(np.float64)
    names = ("sound", "loss_generator", "loss_discriminator", "logit_real", "logit_fake")
    return dict(zip(names, map(float, values), strict=True))
