"""The trainer: networks and images in memory, advanced one step at a time.

It has no clock, files or output: ``loop.py`` decides when to measure and when to save.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ganzfeld.compute.batch_loader import Gather
from ganzfeld.compute.cuda_graphs import CudaGraphRecorder, GraphedWork
from ganzfeld.compute.distributed import ALONE, Ranks
from ganzfeld.compute.engine import Engine, computing_with
from ganzfeld.compute.fast_path import USUAL, FastPath
from ganzfeld.compute.seeding import Purpose, derived_seed, noise_at
from ganzfeld.compute.tracing import TracedWork
from ganzfeld.data import ImageDataset
from ganzfeld.data.order import batch_indices
from ganzfeld.latent import priors
from ganzfeld.model import ClassCard, calibrate
from ganzfeld.networks import Generator
from ganzfeld.networks.strided import (
    DIRECT,
    StridedConvolution,
    StridedTransposedConvolution,
    has_product,
)
from ganzfeld.recipes import Recipe
from ganzfeld.runs.metadata import Environment, circumstances
from ganzfeld.runs.schedule import Horizon, progress_of, rate_factor
from ganzfeld.stabilisers import SharedNoise
from ganzfeld.training.classes import Classes
from ganzfeld.training.recording import ReplayedUpdate, can_be_recorded
from ganzfeld.training.step import GANState, StepConfig, StepContext, StepOutput, Update, step

TRACES_FROM = 64
"""The first step that is traced: tracing takes as long as dozens of steps, and many runs of a test or of a
dry run make no more."""


@dataclass
class Trainer:
    """The state of training.

    - ``horizons``: for how many images the run was planned, and from which image on each plan holds;
    - ``rate_scale``: a factor on both learning rates;
    - ``rate``: the whole factor on the recipe's learning rates in the last step;
    - ``all_finite``: a scalar on the device, false once a number was not finite; see ``step``;
    - ``ranks``: every rank makes every step, on its share of the batch;
    - ``classes``: None if the recipe has none;
    - ``graphed_update``: makes the steps from CUDA graphs if route and device allow it; see ``recording.py``;
    - ``traces_from``: the index of the first step that is traced if the route says so. A function of the
      index alone, so that a resumed run makes the same steps;
    - ``speeds_key``: the cache key of the speeds to which the recipe was fitted, empty for any other. It is
      that of the recipe before, whose route may use other threads.
    """

    recipe: Recipe
    dataset: ImageDataset
    engine: Engine
    seed: int
    gan: GANState
    config: StepConfig
    gather: Gather
    all_finite: Tensor
    index: int = 0
    images_seen: int = 0
    route: FastPath = USUAL
    horizons: tuple[Horizon, ...] = ()
    rate_scale: float = 1.0
    rate: float = 1.0
    ranks: Ranks = ALONE
    classes: Classes | None = None
    graphed_update: ReplayedUpdate | None = None
    traces_from: int = TRACES_FROM
    speeds_key: str = ""
    _traced_updates: dict[str, ReplayedUpdate] = field(default_factory=dict)
    _shipped: tuple[tuple[int, int], Generator] | None = None

    @property
    def progress(self) -> float:
        """The share of the run that is done, from 0 to 1."""
        return progress_of(self.images_seen, self.horizons)

    def advance(self) -> StepOutput:
        """Make one step and return its output."""
        self._set_rates()
        noise = SharedNoise(self.ranks.rank, self.ranks.world_size)
        noise.manual_seed(derived_seed(self.seed, Purpose.STABILISERS, self.index))
        context = StepContext(self.index, self.progress, noise)
        with computing_with(self.route.threads):
            output = step(
                self.gan,
                self.config,
                self.real(),
                self._latents(),
                context,
                self.all_finite,
                self.labels(),
                self._update(),
            )
        self.all_finite = output.all_finite
        self.index += 1
        self.images_seen += self.recipe.batch
        return output

    def _update(self) -> Update | None:
        """Return the update that replays operations as the route says; None for the ordinary update."""
        if self.route.recorded and self.graphed_update:
            return self.graphed_update
        on_cpu = self.engine.device.type == "cpu" and self.ranks.world_size == 1
        is_traced = self.route.traced and self.index >= self.traces_from
        if not (is_traced and on_cpu and can_be_recorded(self.config)):
            return None
        # One per route: a trace holds the operations of the layers as they were computed then.
        route = self.route.model_dump_json(exclude={"threads"})
        return self._traced_updates.setdefault(route, ReplayedUpdate(TracedWork(self.route.lanes > 1)))

    def _set_rates(self) -> None:
        self.rate = self.rate_scale * rate_factor(self.recipe.schedule, self.images_seen, self.progress)
        for optimizer, choices in (
            (self.gan.generator_optimizer, self.recipe.generator.optimizer),
            (self.gan.discriminator_optimizer, self.recipe.discriminator.optimizer),
        ):
            for group in optimizer.param_groups:
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(choices.lr * self.rate)
                else:
                    group["lr"] = choices.lr * self.rate

    def set_horizons(self, horizons: tuple[Horizon, ...]) -> None:
        """Replace the plans of the run: for how many images, and from which image on."""
        self.horizons = horizons

    def stand_at(
        self, *, index: int, images_seen: int, horizons: tuple[Horizon, ...] = (), rate_scale: float = 1.0
    ) -> None:
        """Set the position in the run, the plans and the factor on the learning rates for the next step."""
        self.index, self.images_seen = index, images_seen
        self.horizons, self.rate_scale = horizons, rate_scale

    def assume_finite(self) -> None:
        """Reset ``all_finite`` to true, after the numbers were replaced."""
        self.all_finite = torch.ones_like(self.all_finite)

    def forget_graphs(self) -> None:
        """Drop the recorded and traced updates and the gradients, which keep their memory allocated."""
        self.graphed_update = None
        self._traced_updates = {}
        for network in (self.gan.generator, self.gan.discriminator):
            network.zero_grad(set_to_none=True)

    def with_batch(self, batch: int) -> "Trainer":
        """Return a trainer of the same networks with another batch, whose steps change no weights."""
        recipe, not_finite = (
            self.recipe.model_copy(update={"batch": batch}),
            torch.zeros_like(self.all_finite),
        )
        return replace(
            self, recipe=recipe, index=0, all_finite=not_finite, graphed_update=None, _traced_updates={}
        )

    def take(self, route: FastPath) -> None:
        """Use a route from the next step on; the memory layout stays as it was at the beginning."""
        self.config = replace(
            self.config,
            one_pass=route.one_pass,
            shared_backward=route.shared_backward,
            shared_penalties=route.shared_penalties,
        )
        on_gpu = self.engine.device.type == "cuda" and self.ranks.world_size == 1
        if route.recorded and on_gpu and can_be_recorded(self.config) and not self.graphed_update:
            self.graphed_update = ReplayedUpdate(GraphedWork(CudaGraphRecorder(self.engine.device)))
        self.route = route.model_copy(update={"channels_last": self.engine.channels_last})
        for name, layer in self.strided_layers.items():
            layer.ways = route.ways.get(name, DIRECT)

    @property
    def strided_layers(self) -> dict[str, StridedConvolution | StridedTransposedConvolution]:
        """The layers of both networks that can be computed in two ways, by name."""
        networks = {"generator": self.gan.generator, "discriminator": self.gan.discriminator}
        return {
            f"{side}.{name}": layer
            for side, network in networks.items()
            for name, layer in network.named_modules()
            if isinstance(layer, StridedConvolution | StridedTransposedConvolution)
            and has_product(layer.kernel_size, layer.stride)
        }

    @property
    def circumstances(self) -> Environment:
        """The environment: what the last bits depend on besides recipe, images and seed."""
        return circumstances(self.engine, self.route.threads, self.ranks.world_size)

    @property
    def is_between_steps(self) -> bool:
        """True if both networks have made all updates up to ``index``: false after an interrupted step."""
        gan = self.gan
        optimizers = (gan.generator_optimizer, gan.discriminator_optimizer)
        updates = [int(next(iter(optimizer.state.values()))["step"]) for optimizer in optimizers]
        return updates == [self.index // self.config.discriminator_steps, self.index]

    @property
    def class_cards(self) -> tuple[ClassCard, ...]:
        """The entries of the model card about the classes; empty without classes."""
        return self.classes.cards if self.classes else ()

    @property
    def classes_hash(self) -> str:
        """SHA-256 of the names and labels of the classes; empty without classes."""
        return self.classes.content_hash if self.classes else ""

    @property
    def images_by_class(self) -> list[int]:
        """Number of images of each class; empty without classes."""
        return self.classes.num_pictures if self.classes else []

    def shipped(self, generator_ema: Generator | None = None) -> Generator:
        """Return the current model: the averaged generator with its statistics fixed. Do not change it.

        ``generator_ema`` is a copy of the average that was taken before; by default the current one.
        """
        if generator_ema is not None:
            return calibrate(generator_ema, self.recipe.latent.prior, self.images_by_class)
        generator_ema = self.gan.generator_ema
        # Cached, since it is needed several times between two steps. The index is part of the key because
        # recorded steps change weights without a new version.
        version = self.index, sum(tensor._version for tensor in generator_ema.state_dict().values())
        if self._shipped is None or self._shipped[0] != version:
            self._shipped = version, calibrate(generator_ema, self.recipe.latent.prior, self.images_by_class)
        return self._shipped[1]

    def real(self) -> Tensor:
        """Load the images of the next step, (B, C, H, W) in [-1, 1]: a pure function of seed and position.

        Each of several ranks reads only the images of its share.
        """
        batch, ranks = self.recipe.batch, self.ranks
        mirrored = shifts = None
        if self.recipe.mirror:
            noise = noise_at(self.seed, Purpose.MIRROR, self.index)
            mirrored = ranks.shard(torch.rand(batch, generator=noise) < 0.5).numpy()
        if self.recipe.crop:
            noise = noise_at(self.seed, Purpose.CROP, self.index)
            largest_shifts = (round(self.recipe.crop * side) for side in self.recipe.size[::-1])
            drawn = [torch.randint(-most, most + 1, (batch,), generator=noise) for most in largest_shifts]
            shifts = ranks.shard(torch.stack(drawn, 1)).numpy()
        batch = self.gather(self._indices())
        return self.engine.images(batch, self.dataset.scale, mirrored, shifts)

    def labels(self) -> Tensor | None:
        """Return the labels (B,) of the real and generated images of the next step; None without classes.

        A generated image has the class of the real image at the same place. So classes are as frequent as in
        the data, and losses that compare pairs compare images of the same class.
        """
        if self.classes is None:
            return None
        return self.engine.carry(self.classes.labels[self._indices()])

    def _indices(self) -> np.ndarray:
        ranks, num_pictures = self.ranks, self.dataset.num_pictures
        return batch_indices(
            num_pictures, self.seed, self.images_seen, self.recipe.batch, ranks.rank, ranks.world_size
        )

    def _latents(self) -> Tensor:
        noise = noise_at(self.seed, Purpose.LATENTS, self.index)
        latent = self.recipe.latent
        latents = priors.load(latent.prior).sample(self.recipe.batch, latent.size, noise)
        return self.engine.carry(self.ranks.shard(latents).numpy())


@dataclass(frozen=True)
class StepScalars:
    """The scalars of a step as Python numbers; ``all_finite`` is false once a number was not finite."""

    all_finite: bool
    loss_generator: float
    loss_discriminator: float
    logit_real: float
    logit_fake: float

    @property
    def values(self) -> dict[str, float]:
        """Losses and mean logits by name, as in the journal."""
        return {name: value for name, value in vars(self).items() if name != "all_finite"}


def scalars_of(output: StepOutput, ranks: Ranks = ALONE) -> StepScalars:
    """Read the scalars of a step, with one synchronisation of the device.

    All ranks must call this at the same step: the numbers are those of the whole batch.
    """
    tensors = (
        output.all_finite,
        output.generator_loss,
        output.discriminator_loss,
        output.real_logits.mean(),
        output.fake_logits.mean(),
    )
    (means,) = ranks.all_reduce_mean([torch.stack([tensor.float() for tensor in tensors])])
    finite, *values = means.cpu().numpy().astype(np.float64).tolist()
    return StepScalars(finite == 1.0, *values)
