"""Completion: fill a hole of an image with what the generator makes there (Yeh et al. 2017).

The latent is fitted outside the hole, from several starts, and the hole of its image is blended into the
original. A baseline shows whether this is worth it: the hole of the training image that is nearest
outside the hole, blended in the same way.
"""

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganzfeld.data import ImageDataset
from ganzfeld.errors import DataError, UsageError
from ganzfeld.inside.poisson import blended
from ganzfeld.inversion.encoder import Encoder, encoder_of, features_of
from ganzfeld.inversion.fit import Fit
from ganzfeld.inversion.images import as_targets, psnr_db
from ganzfeld.inversion.invert import Candidates, minimised, nearest_samples, solved
from ganzfeld.model import Model, images_of_latents
from ganzfeld.networks import Discriminator
from ganzfeld.progress import CountCallback, silent
from ganzfeld.value_kinds import is_whole

PULL = 1e-3
"""The weight of the latent's own size, without which the hole, which nothing else holds, drifts off."""
REACH = 1 / 8
"""The distance from the hole over which pixels lose weight, as a share of the longer side."""
FAR = 0.1
"""The weight that pixels far from the hole keep, where those beside it have 1 more."""
STARTS = 5
ADAM_STEPS = 100
LM_STEPS = 4
MOST_COMPLETIONS = 16
SLICE = 256
"""The number of training images that are compared at once."""


@dataclass(frozen=True)
class Completion:
    """Completions of one image, the best outside the hole first.

    - ``images`` uint8 (K, H, W, C) and ``latents`` (K, n); with classes ``labels`` (K,);
    - ``outside_db`` (K,): how near the generator's image is outside the hole, before blending;
    - ``hole_db`` (K,): how near each completion is to the original over the hole; None if that is unknown;
    - ``nearest`` uint8 (H, W, C): the baseline, and ``nearest_db`` its figure; None without training images.
    """

    original: np.ndarray
    hole: np.ndarray
    images: np.ndarray
    latents: Tensor
    labels: Tensor | None
    outside_db: np.ndarray
    hole_db: np.ndarray | None
    nearest: np.ndarray | None
    nearest_db: float | None
    notes: tuple[str, ...]
    seconds: float

    @property
    def beats_nearest(self) -> bool | None:
        """Whether the first completion is nearer over the hole than the baseline; None if that is unknown."""
        if self.hole_db is None or self.nearest_db is None:
            return None
        return bool(self.hole_db[0] > self.nearest_db)

    @property
    def sentence(self) -> str:
        """Say in words whether it worked."""
        if self.hole_db is None:
            return (
                f"filled; what was there is unknown, so only the fit outside the hole says how good it is:"
                f" {self.outside_db[0]:.1f} dB"
            )
        ours = f"{self.hole_db[0]:.1f} dB over the hole"
        if self.nearest_db is None:
            return f"filled: {ours}; there is no baseline"
        if not self.beats_nearest:
            return (
                f"the nearest training image is better: {self.nearest_db:.1f} dB over the hole against {ours}"
                " of the generator"
            )
        return f"filled better than by the nearest training image: {ours} against {self.nearest_db:.1f} dB"


def complete(
    model: Model,
    image: np.ndarray,
    hole: np.ndarray,
    *,
    discriminator: Discriminator | None = None,
    training_set: ImageDataset | None = None,
    num: int = 4,
    blend: bool = True,
    progress: CountCallback = silent,
) -> Completion:
    """Fill the hole (H, W), true where pixels are missing, of a uint8 image (H, W, C) in ``num`` ways.

    If all pixels of the hole are alike, what was there is taken as unknown. Raises ``DataError`` for an image
    of another kind than the model's and for a hole of another size, and ``UsageError`` for a hole that is
    empty or all of the image, and unless ``num`` is from 1 to 16.
    """
    require_num(num)
    targets = as_targets(image[None], model.generator)
    require_hole(hole, image.shape[:2])
    encoder = encoder_of(model, discriminator, progress)
    begun = time.monotonic()
    weights = torch.from_numpy(importance(hole))[None, None].to(targets)
    fit = Fit.of(model, targets, weights, PULL)
    best = fitted_outside(fit, encoder, discriminator, num, progress)
    made = images_of_latents(model.generator, best.latents, best.labels)
    filled = np.stack([fill(image, other, hole, blend) for other in made])
    outside = psnr_db(np.broadcast_to(image, made.shape), made, ~hole)
    is_known = bool((image[hole] != image[hole][0]).any())
    nearest, notes = nearest_training_image(image, hole, training_set, progress)
    baseline = None if nearest is None else fill(image, nearest, hole, blend)
    return Completion(
        image,
        hole,
        filled,
        best.latents.cpu(),
        None if best.labels is None else best.labels.cpu(),
        outside,
        psnr_db(np.broadcast_to(image, filled.shape), filled, hole) if is_known else None,
        baseline,
        float(psnr_db(image[None], baseline[None], hole)[0]) if is_known and baseline is not None else None,
        tuple(notes),
        time.monotonic() - begun,
    )


def require_num(num: int) -> None:
    """Raise ``UsageError`` unless ``num`` completions can be made."""
    if not is_whole(num) or not 1 <= num <= MOST_COMPLETIONS:
        raise UsageError(f"there are from 1 to {MOST_COMPLETIONS} completions, not {num}", "4 are usual.")


def require_hole(hole: np.ndarray, size: tuple[int, ...]) -> None:
    """Raise ``DataError`` for a hole of another size, ``UsageError`` for one that hides all or nothing."""
    if hole.shape != size:
        raise DataError(
            f"the mask is {hole.shape[1]}x{hole.shape[0]} px, and the image {size[1]}x{size[0]} px",
            "Give a mask of the size of the image, white where pixels are missing.",
        )
    if not hole.any():
        raise UsageError(
            "the mask hides nothing",
            "Give a mask that is white where pixels are to be filled, black elsewhere.",
        )
    if hole.all():
        raise UsageError(
            "the mask hides all of the image, so nothing says what to fill in",
            "Leave some pixels black; for any image of the generator: ganzfeld sample.",
        )


def importance(hole: np.ndarray) -> np.ndarray:
    """Return how much each pixel counts in the fit, float64 (H, W): 0 in the hole, and less far from it.

    Beside the hole a pixel counts 1.1, at ``REACH`` times the side of the image 0.1 + 1/e. The distance is
    that of a taxicab, which needs no library.
    """
    distance = np.where(hole, 0.0, np.inf)
    for _ in range(2):  # down and right, then up and left
        for axis in (0, 1):
            lines = np.moveaxis(distance, axis, 0)
            for index in range(1, len(lines)):
                np.minimum(lines[index], lines[index - 1] + 1, out=lines[index])
        distance = distance[::-1, ::-1]
    reach = max(1.0, REACH * max(hole.shape))
    return np.where(hole, 0.0, FAR + np.exp(-(distance - 1) / reach))


def fitted_outside(
    fit: Fit, encoder: Encoder, discriminator: Discriminator | None, num: int, progress: CountCallback
) -> Candidates:
    """Return the ``num`` best fits of every image outside its hole, from as many starts as that needs."""
    like = nearest_samples(fit, encoder, None, max(STARTS, num))
    guess = like.best(1)
    with torch.no_grad():
        whole = filled_in(fit, fit.generator(guess.latents, guess.labels))
        features = features_of(whole, discriminator, guess.labels, fit.generator.num_classes)
        latents = fit.project(encoder(features))
    encoded = Candidates(latents, guess.rows, guess.labels, fit.costs(latents, guess.rows, guess.labels))
    best = minimised(fit, like.joined(encoded), ADAM_STEPS, progress).best(num)
    return solved(fit, best, LM_STEPS, progress).best(num)


def filled_in(fit: Fit, generated: Tensor) -> Tensor:
    """Return the targets (N, C, H, W) with other images in the place of all pixels that do not count."""
    return torch.where(fit.visible > 0, fit.targets, generated)


def fill(image: np.ndarray, patch: np.ndarray, hole: np.ndarray, blend: bool = True) -> np.ndarray:
    """Return a uint8 image (H, W, C) with its hole filled by a patch of the same size, blended or copied."""
    if not blend:
        return np.where(hole[..., None], patch, image)
    return blended(image, patch, hole).round().clip(0, 255).astype(np.uint8)


def nearest_training_image(
    image: np.ndarray, hole: np.ndarray, training_set: ImageDataset | None, progress: CountCallback
) -> tuple[np.ndarray | None, list[str]]:
    """Return the training image (H, W, C) nearest to an image outside its hole, and notes on it.

    The image itself, if it is one of them, is left out: it would fill the hole with what was there.
    """
    if training_set is None:
        return None, ["the training images cannot be read, so there is no baseline"]
    visible = ~hole
    target = image[visible].astype(np.float32)
    best: tuple[float, int] | None = None
    num_same = 0
    for start in range(0, training_set.num_pictures, SLICE):
        progress(start, training_set.num_pictures, "comparing with training images")
        indices = np.arange(start, min(start + SLICE, training_set.num_pictures))
        others = training_set.batch(indices)[:, visible].astype(np.float32)
        errors = np.abs(others - target)
        is_same = errors.reshape(len(indices), -1).max(1) <= 1
        num_same += int(is_same.sum())
        distances = np.where(is_same, np.inf, (errors**2).reshape(len(indices), -1).mean(1))
        index = int(distances.argmin())
        if best is None or distances[index] < best[0]:
            best = float(distances[index]), int(indices[index])
    progress(training_set.num_pictures, training_set.num_pictures, "comparing with training images")
    notes = ["the image is one of the training images, which is left out of the baseline"] if num_same else []
    if best is None or not np.isfinite(best[0]):
        return None, [*notes, "there is no other training image, so there is no baseline"]
    return training_set.batch(np.array([best[1]]))[0], notes
