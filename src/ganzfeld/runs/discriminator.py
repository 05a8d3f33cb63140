"""The discriminator of a run, from its checkpoints: models hold the generator only."""

from dataclasses import dataclass

import torch

from ganzfeld.errors import DamagedError
from ganzfeld.networks import Discriminator
from ganzfeld.networks.layout import lay_out
from ganzfeld.networks.normalisations.spectral import fold
from ganzfeld.recipes import Recipe
from ganzfeld.runs.checkpoint import Checkpoint
from ganzfeld.runs.checkpoint_store import CheckpointStore

_SIDE = "discriminator."
"""The beginning of the names of its tensors in a checkpoint."""

WITHOUT = (
    "Without it you can still use ganzfeld sample, eval, latent walk, latent add and latent directions;"
    " train again to get one."
)


@dataclass(frozen=True)
class DiscriminatorCard:
    """Where a discriminator comes from, and what it takes.

    - ``images_seen``: the number of images seen at its checkpoint;
    - ``model_images_seen``: the number of images seen when the run's model (``run.generator``) was saved;
    - ``class_names``: the classes by label, empty for a run without classes.
    """

    images_seen: int
    model_images_seen: int
    class_names: tuple[str, ...]

    @property
    def is_partner(self) -> bool:
        """True if it was trained exactly as long as the model."""
        return self.images_seen == self.model_images_seen

    @property
    def sentence(self) -> str:
        """Where it comes from, in words."""
        where = f"the discriminator is from the checkpoint at {self.images_seen:,} images"
        if self.is_partner:
            return f"{where}, as the model is"
        return f"{where}, and the model from {self.model_images_seen:,}; they did not train together"


@dataclass(frozen=True)
class SavedDiscriminator:
    """A discriminator in eval mode and its card."""

    discriminator: Discriminator
    card: DiscriminatorCard


def build_discriminator(recipe: Recipe, channels: int, num_classes: int = 0) -> Discriminator:
    """Build the discriminator of a recipe on torch's default device, with torch's own initial weights.

    Draws from torch's global random state. Stabilisers that constrain its weights are in place.
    """
    discriminator = Discriminator(
        recipe.plan(),
        channels=channels,
        **recipe.discriminator.architecture,
        classes=recipe.classes,
        num_classes=num_classes,
    )
    for stabiliser in recipe.build_stabilisers():
        stabiliser.prepare(discriminator)
    return discriminator


def load_discriminator(
    history: CheckpointStore, model_images_seen: int, channels: int, class_names: tuple[str, ...]
) -> SavedDiscriminator:
    """Load the discriminator of the readable checkpoint nearest to the model, for images of ``channels``.

    Raises ``DamagedError`` if there is no checkpoint, or none that can be read.
    """
    checkpoint = _nearest(history, model_images_seen)
    recipe = checkpoint.card.recipe
    class_names = () if recipe.classes == "none" else class_names
    with torch.device("meta"):  # no memory for initial weights, and no random numbers
        discriminator = build_discriminator(recipe, channels, len(class_names))
    weights = {
        name.removeprefix(_SIDE): tensor
        for name, tensor in checkpoint.tensors.items()
        if name.startswith(_SIDE)
    }
    try:
        discriminator.load_state_dict(weights, assign=True)
    except RuntimeError:
        raise DamagedError(
            f"the checkpoint at {checkpoint.images_seen:,} images in {history.folder} is of another network"
            " than the one its recipe describes",
            WITHOUT,
        ) from None
    discriminator.eval().requires_grad_(False)
    fold(discriminator)
    card = DiscriminatorCard(checkpoint.images_seen, model_images_seen, class_names)
    return SavedDiscriminator(lay_out(discriminator), card)


def _nearest(history: CheckpointStore, images_seen: int) -> Checkpoint:
    """Read the checkpoint nearest to a number of images; a damaged one is passed over."""
    damage = ""
    for number in sorted(history.all(), key=lambda number: (abs(number - images_seen), number)):
        try:
            return history.read(number)
        except DamagedError as error:
            damage = damage or error.message
    if damage:
        raise DamagedError(f"no checkpoint with a discriminator can be read: {damage}", WITHOUT)
    raise DamagedError(
        f"{history.folder.parent} has no checkpoint, and only checkpoints hold the discriminator", WITHOUT
    )
