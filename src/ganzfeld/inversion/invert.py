"""Inversion: find latents whose images are as near as possible to images that are given.

``fast`` starts from the ridge encoder and continues with Adam. ``best`` also starts from the generator's own
samples that look most like the image, and ends with Levenberg-Marquardt. A generator ignores many directions
of its latent space, so the latent that an image was made from is not recovered even where the image is: all
figures compare images.
"""

import functools
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.inversion.encoder import PIXELS, SAMPLES, Encoder, averaged, encoder_of, features_of
from ganzfeld.inversion.fit import Fit
from ganzfeld.inversion.images import as_targets, psnr_db
from ganzfeld.inversion.least_squares import levenberg_marquardt
from ganzfeld.model import Model, as_bytes, images_of_latents, require_room_for
from ganzfeld.networks import Discriminator
from ganzfeld.networks.arguments import Labels, labels_of
from ganzfeld.progress import CountCallback, silent

METHODS = ("fast", "best")
ADAM_STEPS = 200
CLASSES_KEPT = 3
"""The classes of an image that are followed beyond the start, if its class is searched."""
NEAREST = 2
"""The samples nearest to an image from which ``best`` also starts."""
NEAREST_STEPS = 50
"""Steps of Adam from these."""
FIRST_STEPS, LAST_STEPS = 2, 10
"""Steps of Levenberg-Marquardt from the two best starts, and then from the better end of these."""
LM_ROWS = 16
"""The number of candidates whose problems are solved together."""
GOOD_DB = 30.0
"""Above this, differences are hard to see."""


@dataclass(frozen=True)
class Candidates:
    """Latents (R, n), the images (R,) they stand for, their classes (R,) or None, their costs (R,)."""

    latents: Tensor
    rows: Tensor
    labels: Tensor | None
    costs: Tensor

    def __getitem__(self, which: Tensor) -> "Candidates":
        """Return the candidates with these indices."""
        labels = None if self.labels is None else self.labels[which]
        return Candidates(self.latents[which], self.rows[which], labels, self.costs[which])

    def best(self, num: int) -> "Candidates":
        """Return at most ``num`` candidates of every image, those of least cost, by image and cost."""
        by_cost = self.costs.argsort(stable=True)
        order = by_cost[self.rows[by_cost].argsort(stable=True)]
        rows = self.rows[order]
        first = torch.searchsorted(rows, rows)
        return self[order[torch.arange(len(rows)) - first < num]]

    def joined(self, other: "Candidates") -> "Candidates":
        """Return these and other candidates."""
        labels = None
        if self.labels is not None and other.labels is not None:
            labels = torch.cat((self.labels, other.labels))
        return Candidates(
            torch.cat((self.latents, other.latents)),
            torch.cat((self.rows, other.rows)),
            labels,
            torch.cat((self.costs, other.costs)),
        )


@dataclass(frozen=True)
class Inversion:
    """The result of an inversion of N images.

    - ``latents`` (N, n) and, with classes, ``labels`` (N,): ``generator(latents, labels)`` gives the
      reconstructions;
    - ``images`` and ``reconstructions``: uint8 (N, height, width, C);
    - ``psnr_db`` (N,): how near they are, over all pixels; 58.9 at most, for equal images;
    - ``seconds``: the time taken, without the fit of the encoder, which is kept in the cache.
    """

    latents: Tensor
    labels: Tensor | None
    images: np.ndarray
    reconstructions: np.ndarray
    psnr_db: np.ndarray
    method: str
    seconds: float

    @property
    def sentence(self) -> str:
        """Say in words whether it worked."""
        num, good = len(self.psnr_db), int((self.psnr_db >= GOOD_DB).sum())
        figures = f"mean {self.psnr_db.mean():.1f} dB, worst {self.psnr_db.min():.1f} dB"
        if good == num:
            return f"reproduced: {figures}; differences are hard to see from {GOOD_DB:.0f} dB"
        if self.psnr_db.mean() >= 20:
            return f"{good} of {num} reproduced to {GOOD_DB:.0f} dB, the others only roughly: {figures}"
        return f"not reproduced: {figures}; the generator makes no images like these"


def invert(
    model: Model,
    images: Any,
    *,
    discriminator: Discriminator | None = None,
    labels: Labels | None = None,
    method: str = "fast",
    progress: CountCallback = silent,
    num_samples: int = SAMPLES,
) -> Inversion:
    """Find latents whose images are near to ``images``; see ``as_targets`` for their form.

    With classes, ``labels`` are those of the images, or one for all; without labels the best class is
    searched. ``discriminator`` adds features to the encoder, which is fitted to ``num_samples`` images.

    Raises
    ``UsageError`` for an unknown method, unknown classes or labels for a model without classes, and
    ``DataError`` for images of another kind than the model's.
    """
    require_method(method)
    model.card.require_images()
    generator = model.generator
    targets = as_targets(images, generator)
    require_room_for(generator, len(targets))
    if labels is not None:
        model.card.require_classes(labels)
        labels = labels_of(labels, len(targets), generator.class_names, generator.num_classes)
    encoder = encoder_of(model, discriminator, progress, num_samples)
    begun = time.monotonic()
    kept = fitted_by(method, Fit.of(model, targets), encoder, discriminator, labels, progress)
    reconstructions = images_of_latents(generator, kept.latents, kept.labels)
    originals = as_bytes(targets)
    return Inversion(
        kept.latents.cpu(),
        None if kept.labels is None else kept.labels.cpu(),
        originals,
        reconstructions,
        psnr_db(originals, reconstructions),
        method,
        time.monotonic() - begun,
    )


def fitted_by(
    method: str,
    fit: Fit,
    encoder: Encoder,
    discriminator: Discriminator | None,
    labels: Tensor | None,
    progress: CountCallback,
    num_steps: int = ADAM_STEPS,
) -> Candidates:
    """Return the best latent of each image by a method, after ``num_steps`` of Adam from the encoder's."""
    kept = started(fit, encoder, discriminator, labels)
    kept = minimised(fit, kept, num_steps, progress)
    if method == "best":
        like = minimised(fit, nearest_samples(fit, encoder, labels, NEAREST), NEAREST_STEPS, progress)
        kept = refined(fit, kept.joined(like), progress)
    return kept.best(1)


def require_method(method: str) -> None:
    """Raise ``UsageError`` unless there is such a method."""
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}", did_you_mean(str(method), METHODS))


@torch.no_grad()
def started(
    fit: Fit, encoder: Encoder, discriminator: Discriminator | None, labels: Tensor | None
) -> Candidates:
    """Return where the encoder starts: one candidate per image, or of the best classes one each."""
    num, num_classes = len(fit.targets), fit.generator.num_classes
    rows = torch.arange(num)
    if num_classes and labels is None:
        rows = rows.repeat_interleave(num_classes)
        labels = torch.arange(num_classes).repeat(num)
    parts = []
    for part in torch.arange(len(rows)).split(fit.rows_at_once):
        chosen = None if labels is None else labels[part]
        features = features_of(fit.targets[rows[part]], discriminator, chosen, num_classes)
        latents = fit.project(fit.shortened(encoder(features)))
        parts.append(Candidates(latents, rows[part], chosen, fit.costs(latents, rows[part], chosen)))
    candidates = parts[0]
    for part in parts[1:]:
        candidates = candidates.joined(part).best(CLASSES_KEPT)
    return candidates.best(CLASSES_KEPT)


@torch.no_grad()
def nearest_samples(fit: Fit, encoder: Encoder, labels: Tensor | None, num: int) -> Candidates:
    """Return of the encoder's samples the ``num`` most like each image where it is visible.

    Samples are compared by their averaged pixels, and only with images of their own class if ``labels`` are
    known.
    """
    share = averaged(fit.visible, PIXELS).flatten(1)
    channels = fit.targets.shape[1]
    means = averaged(fit.targets * fit.visible, PIXELS).flatten(2)
    means = (means / share[:, None].clamp_min(1e-6)).flatten(1).cpu()
    weights = share.repeat(1, channels).cpu()
    samples = encoder.pixels.float()
    # |x - s|^2 weighted, for all pairs, without a tensor of all differences.
    squares = weights @ samples.square().T - 2 * (weights * means) @ samples.T
    squares += (weights * means.square()).sum(1, keepdim=True)
    if labels is not None:
        squares = squares.masked_fill(labels[:, None].cpu() != encoder.labels[None], torch.inf)
    chosen = squares.topk(min(num, len(samples)), largest=False).indices
    rows = torch.arange(len(chosen)).repeat_interleave(chosen.shape[1])
    latents = encoder.latents[chosen.flatten()].to(fit.targets)
    classes = encoder.labels[chosen.flatten()] if fit.generator.num_classes else None
    return Candidates(latents, rows, classes, fit.costs(latents, rows, classes))


def minimised(fit: Fit, candidates: Candidates, num_steps: int, progress: CountCallback) -> Candidates:
    """Return the candidates after steps of Adam; one that became worse stays where it was."""
    rows, labels = candidates.rows, candidates.labels
    latents = fit.minimise(candidates.latents, rows, labels, num_steps, progress)
    return better_of(candidates, latents, fit.costs(latents, rows, labels))


def refined(fit: Fit, candidates: Candidates, progress: CountCallback) -> Candidates:
    """Return the best candidate of each image after Levenberg-Marquardt from the best two."""
    two = solved(fit, candidates.best(2), FIRST_STEPS, progress)
    return solved(fit, two.best(1), LAST_STEPS, progress)


def solved(fit: Fit, candidates: Candidates, num_steps: int, progress: CountCallback) -> Candidates:
    """Return the candidates after steps of Levenberg-Marquardt."""
    parts, num = [], len(candidates.rows)
    for part in torch.arange(num).split(LM_ROWS):
        progress(int(part[0]), num, "solving")
        before = candidates[part]
        numbers = torch.arange(len(part))

        def residuals(latents: Tensor, which: Tensor, before: Candidates = before) -> Tensor:
            labels = None if before.labels is None else before.labels[which]
            return fit.residuals(latents, before.rows[which], labels)

        solution = levenberg_marquardt(
            residuals,
            before.latents,
            numbers,
            num_steps=num_steps,
            project=fit.project,
            tangents=2 * fit.rows_at_once,
        )
        parts.append(better_of(before, solution.points, solution.costs))
    progress(num, num, "solving")
    return functools.reduce(Candidates.joined, parts)


def better_of(before: Candidates, latents: Tensor, costs: Tensor) -> Candidates:
    """Return the candidates, moved to ``latents`` where the cost is lower there."""
    is_lower = costs < before.costs
    moved = torch.where(is_lower[:, None], latents, before.latents)
    return replace(before, latents=moved, costs=torch.where(is_lower, costs, before.costs))
