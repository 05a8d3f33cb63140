"""A generator as a map from latents to images, with the prior of its latents."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganzfeld.errors import DataError, GanzfeldError, UsageError
from ganzfeld.latent import latents_of_seeds, priors
from ganzfeld.model import Model, images_of_latents, load_model
from ganzfeld.model.sampling import labels_in_turn
from ganzfeld.networks import Generator
from ganzfeld.networks.arguments import number_of
from ganzfeld.regular import open_regular
from ganzfeld.runs import Run, open_run
from ganzfeld.value_kinds import is_whole

CHUNK = 64
"""Images computed at once where nothing is shown, so that they need not equal samples bit for bit."""

Subject = Run | Model | str | Path
"""What can be looked into: a run, a loaded model, or the folder of either."""


@dataclass(frozen=True)
class LatentModel:
    """A generator in eval mode, its prior, and the run that it is from (None for a model folder).

    All images of one call have one class, by its ``label``; None for a model without classes.
    """

    generator: Generator
    prior: str
    class_names: tuple[str, ...] = ()
    run: Run | None = None

    @property
    def latent_size(self) -> int:
        """The number of components of a latent vector."""
        return self.generator.latent_size

    @property
    def images_seen(self) -> int | None:
        """How many images the model of the run had been trained on; None for a model folder."""
        return None if self.run is None else self.run.model.card.images_seen

    def latents(self, seeds: Sequence[int]) -> Tensor:
        """Return the latents (len(seeds), latent_size) of seeds, as ``ganzfeld sample`` draws them."""
        return latents_of_seeds(seeds, self.latent_size, self.prior)

    def path(self, start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
        """Return latents (n, latent_size) at the fractions (n,) of the prior's path between two latents."""
        return priors.load(self.prior).path(start[None], end[None], shares[:, None].to(start))

    def onto(self, latents: Tensor) -> Tensor:
        """Return the nearest latents that the prior can draw."""
        return priors.load(self.prior).onto(latents)

    def label(self, of: str | int | None, seed: int = 0) -> int | None:
        """Return the label of a class; without one, that of a seed. None for a model without classes.

        Raises ``UsageError`` for an unknown class, and for any class of a model that has none.
        """
        if not self.generator.num_classes:
            if of is not None:
                raise UsageError(
                    f"this model has no classes, so there is no class {of!r}",
                    "Leave out --class, or train with --set classes=projection on images with classes.",
                )
            return None
        if of is None:
            return labels_in_turn([seed], self.generator.num_classes)[0]
        if isinstance(of, str):
            return number_of(of, self.class_names)
        if not is_whole(of) or not 0 <= of < self.generator.num_classes:
            raise UsageError(f"there are {self.generator.num_classes} classes, so there is no class {of!r}")
        return int(of)

    def pixels(self, latents: Tensor, label: int | None = None) -> np.ndarray:
        """Make images to be shown, uint8 (n, height, width, C): those that ``ganzfeld sample`` makes."""
        labels = None if label is None else [label] * len(latents)
        return images_of_latents(self.generator, latents.float(), labels)

    @torch.no_grad()
    def values(self, latents: Tensor, label: int | None = None) -> Tensor:
        """Make images to be measured, (n, C, height, width) in [-1, 1]; they may differ by rounding."""
        weight = next(self.generator.parameters())
        parts = [self._outputs(part.to(weight), label).cpu() for part in latents.split(CHUNK)]
        return torch.cat(parts)

    def _outputs(self, latents: Tensor, label: int | None) -> Tensor:
        return self.generator(latents, None if label is None else torch.full((len(latents),), label))


def latent_model(subject: Subject) -> LatentModel:
    """Load what is to be looked into. Raises what ``load_model`` raises."""
    run = subject if isinstance(subject, Run) else None
    if isinstance(subject, str | Path):
        run = _run_at(Path(subject))
    model = subject if isinstance(subject, Model) else run.model if run else load_model(Path(str(subject)))
    model.card.require_images()
    return LatentModel(model.generator, model.card.prior, model.card.class_names, run)


def _run_at(path: Path) -> Run | None:
    """Open the run at a path; None if it is a model folder, or nothing that a run can be read from."""
    try:
        return open_run(path)
    except GanzfeldError:
        return None


def require_run(model: LatentModel, what: str) -> Run:
    """Return the run of a model. Raises ``UsageError`` for a model folder, which lacks what is needed."""
    if model.run is None:
        raise UsageError(
            f"this is a model folder, and {what} needs its run", "Name the run folder that contains it."
        )
    return model.run


def read_latents(path: Path, size: int) -> Tensor:
    """Read latents (n, size) from a ``.npy`` file of shape (n, size) or (size,).

    Raises ``UsageError`` if there is no such file, and ``DataError`` if it holds something else, another
    number of components, or NaN or infinity.
    """
    expected = f"Expected a .npy file of shape (n, {size}), as ganzfeld latent writes it."
    try:
        with open_regular(path) as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except FileNotFoundError:
        raise UsageError(f"there is no file of latents {path}", expected) from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as latents: {error}", expected) from None
    if array.ndim not in (1, 2) or array.dtype.kind not in "fiu" or array.size == 0:
        raise DataError(f"{path} holds an array of {array.dtype} of shape {array.shape}", expected)
    latents = torch.from_numpy(np.atleast_2d(array).astype(np.float32))
    if latents.shape[1] != size:
        raise DataError(
            f"the latents in {path} have {latents.shape[1]:,} components, and the model takes {size:,}",
            "They are of another model.",
        )
    if not torch.isfinite(latents).all():
        raise DataError(f"the latents in {path} contain NaN or infinity", expected)
    return latents
