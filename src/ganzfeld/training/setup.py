"""Build a trainer from options, and collect the notes before the first step."""

import contextlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganzfeld.compute.distributed import ALONE, Ranks
from ganzfeld.compute.engine import Engine, choose_engine
from ganzfeld.compute.fast_path import FastPath, chosen_route
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.advice import notes_beside_advice
from ganzfeld.data.check.survey import Survey
from ganzfeld.data.images import kind_of
from ganzfeld.data.kinds import IMAGE, kind_of_data
from ganzfeld.durable import free_bytes
from ganzfeld.errors import GanzfeldError, ResourceError, UsageError
from ganzfeld.networks.outputs import covering
from ganzfeld.options import PreparationOptions, TrainOptions
from ganzfeld.printable import by_axis, counted, listed
from ganzfeld.recipes import Recipe, changes, left_out_stabilisers, parsed, recipes_of, resolve
from ganzfeld.recipes.scaling import FAMILY
from ganzfeld.recipes.unusual import unusual_settings
from ganzfeld.runs.budget import Budget
from ganzfeld.runs.report.quality_words import require_space
from ganzfeld.training.build import num_parameters, start
from ganzfeld.training.callbacks import TrainCallback
from ganzfeld.training.snapshot import live_tensors
from ganzfeld.training.trainer import Trainer
from ganzfeld.training.tuning.batches import fitted_recipe
from ganzfeld.training.tuning.routes import cache_key, route_of

MOST_LEFT_OUT_NOTES = 3


@dataclass(frozen=True)
class ResolvedOptions:
    """Options after checking, before any image is read. ``route``: parts of the fast path, or a whole one."""

    options: TrainOptions
    recipe: Recipe
    budget: Budget
    engine: Engine
    route: frozenset[str] | FastPath

    def build(
        self,
        data: str | Path | None = None,
        preparation: PreparationOptions = PreparationOptions(),
        callback: TrainCallback = TrainCallback(),
        ranks: Ranks = ALONE,
    ) -> Trainer:
        """Read the images and build the networks. Raises ``DataError`` for images that cannot be used."""
        options = asdict(preparation)
        _require_kind(self.recipe, kind_of(data, preparation))
        dataset = open_images(data, size=self.recipe.size, **options, progress=callback.preparing)
        _require_output(self.recipe, dataset)
        trainer = self._started(self.recipe, dataset, callback, ranks)
        if not self.is_fitted:
            return trainer
        recipe = fitted_recipe(trainer, self.budget, self.overrides, callback.preparing)
        if recipe == self.recipe:
            return trainer
        callback.noted(recipe.notes[-1])
        return replace(self._started(recipe, dataset, callback, ranks), speeds_key=cache_key(trainer))

    def _started(
        self, recipe: Recipe, dataset: ImageDataset, callback: TrainCallback, ranks: Ranks
    ) -> Trainer:
        trainer = start(recipe, dataset, self.engine, self.options.seed, ranks)
        trainer.take(route_of(self.route, trainer, callback.preparing))
        return trainer

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings that the options give, which override those of the recipe."""
        return overrides_of(self.options)

    @property
    def is_fitted(self) -> bool:
        """Check whether the recipe is to be fitted to budget and machine: asked for by name, any batch."""
        return (self.options.recipe or self.recipe.name) == FAMILY and "batch" not in self.overrides


def _require_kind(recipe: Recipe, kind: str) -> None:
    """Raise ``UsageError`` if a recipe is for another kind of data."""
    if recipe.kind != kind:
        raise UsageError(
            f"the recipe {recipe.name} is for the kind {recipe.kind}, and these data are of the kind {kind}",
            f"Leave --recipe out, or name one of {listed(recipes_of(kind))}.",
        )


def _require_kernel_distance(options: TrainOptions, kind: str) -> None:
    """Raise ``UsageError`` for options that need the kernel distance or the doctor's ranges of images."""
    asked = [
        name for name, is_asked in (("stop", options.stop != "never"), ("auto", options.auto)) if is_asked
    ]
    if kind != IMAGE and asked:
        raise UsageError(
            f"{' and '.join(asked)} cannot be used for {kind}s: only images have a quality while training",
            "Leave it out, and compare runs with ganzfeld eval.",
        )


def _require_output(recipe: Recipe, dataset: ImageDataset) -> None:
    """Raise ``UsageError`` if the output of the generator cannot reach all values that the scale gives."""
    output, scale = recipe.generator.output, dataset.scale
    fitting = covering(scale.INTERVAL, scale.SUMS_TO_ONE)
    if output not in fitting:
        raise UsageError(
            f"the output {output} of the generator does not reach all values of the scale {scale.name}",
            f"Use --set generator.output={' or '.join(fitting)}, or another --scale.",
        )


def with_recipe(
    options: TrainOptions, data: str | Path | None, preparation: PreparationOptions
) -> TrainOptions:
    """Return options that name the recipe for the kind of the data, if they name none.

    Data that cannot be opened are reported later, once all options have been checked.
    """
    if options.recipe is not None:
        return options
    with contextlib.suppress(GanzfeldError):
        return replace(options, recipe=kind_of_data(kind_of(data, preparation)).RECIPE)
    return options


def resolve_options(options: TrainOptions) -> ResolvedOptions:
    """Check options before any work is done, and resolve the recipe.

    Size and batch override the recipe, and the settings override both. Raises ``UsageError`` for invalid
    options, and ``ResourceError`` for a device or feature space that is not available.
    """
    recipe = resolve(FAMILY if options.recipe is None else options.recipe, overrides_of(options))
    _require_kernel_distance(options, recipe.kind)
    budget = Budget(options.minutes, options.images)
    # An invalid feature space is refused now. One that is not installed matters only to ``--stop``; other
    # runs train without measuring quality.
    with contextlib.nullcontext() if options.stop != "never" else contextlib.suppress(ResourceError):
        require_space()
    route = chosen_route(options.route)
    layout = route.channels_last if isinstance(route, FastPath) else "channels-last" in route
    engine = replace(choose_engine(options.device, options.precision), channels_last=layout)
    return ResolvedOptions(options, recipe, budget, engine, route)


def overrides_of(options: TrainOptions) -> dict[str, Any]:
    """Return the settings that options give: size and batch, and above them ``settings``."""
    named = {"size": options.size, "batch": options.batch}
    return {name: value for name, value in named.items() if value is not None} | parsed(options.settings)


def changed_name(recipe: Recipe) -> str:
    """Return the name of a recipe, followed by the settings that were changed."""
    changed = changes(recipe)
    return f"{recipe.name} with {' '.join(changed)}" if changed else recipe.name


def summary(trainer: Trainer) -> str:
    """Describe dataset, recipe, networks and device in one sentence."""
    dataset, recipe = trainer.dataset, trainer.recipe
    kind = "grey images" if dataset.channels == 1 else "colour images"
    if recipe.kind != IMAGE:
        kind = (
            f"{dataset.kind.WORD}s with {counted(dataset.channels, 'channel')} (scale {dataset.scale.name})"
        )
    classes = f" of {len(trainer.class_cards):,} classes" if trainer.classes else ""
    numbers = [num_parameters(net) / 1e6 for net in (trainer.gan.generator, trainer.gan.discriminator)]
    return (
        f"{dataset.num_pictures:,} {kind}{classes} at {by_axis(dataset.size)},"
        f" recipe {changed_name(recipe)}, batch {recipe.batch},"
        f" {numbers[0]:.2f} + {numbers[1]:.2f} million parameters (G + D),"
        f" {trainer.engine.precision} on {trainer.engine.device}"
    )


def startup_notes(trainer: Trainer, surveyed: Survey) -> list[str]:
    """Return the notes on the images and the recipe that the user should see before training."""
    dataset = trainer.dataset
    left_out = [f"left out {image.path}: {image.reason}" for image in dataset.unusable]
    more = len(left_out) - MOST_LEFT_OUT_NOTES
    if more > 0:
        left_out[MOST_LEFT_OUT_NOTES:] = [f"... and {more:,} more; ganzfeld check lists them"]
    warnings = [warning.text for warning in surveyed.warnings]
    values = [f"stored values {dataset.range} become black and white"] if dataset.range else []
    notes = notes_beside_advice(dataset)
    unusual = [f"unusual: {setting.sentence}" for setting in unusual_settings(trainer.recipe)]
    return [*_replaced_stabilisers(trainer.recipe), *unusual, *values, *notes, *warnings, *left_out]


def _replaced_stabilisers(recipe: Recipe) -> list[str]:
    """Return a note if a setting of stabilisers, which replaces the list, dropped some of the recipe."""
    dropped = ", ".join(left_out_stabilisers(recipe))
    return (
        [f"the stabilisers given replace those of the recipe {recipe.name}: {dropped} left out"]
        if dropped
        else []
    )


def require_room(folder: Path, trainer: Trainer) -> None:
    """Raise ``ResourceError`` if the disk has no room for two checkpoints, the least that a run keeps."""
    needed = 2 * sum(tensor.nbytes for tensor in live_tensors(trainer).values())
    free = free_bytes(folder)
    if free < needed:
        raise ResourceError(
            f"{folder} has {free / 2**20:,.1f} MiB free, and two checkpoints need {needed / 2**20:,.1f} MiB",
            "Free some space, or name a folder elsewhere with --out.",
        )
