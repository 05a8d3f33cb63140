"""The linear probe: how well labels can be read from features by a linear classifier.

The classifier is multinomial logistic regression; its penalty is chosen on a part of the labels. It is
compared, on images that it was not fitted to, with the same classifier on raw pixels and on the features of a
discriminator with random weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganzfeld.errors import DataError, UsageError
from ganzfeld.free_memory import require_memory
from ganzfeld.inside.attributes import LEAST_IMAGES, is_better, values_of
from ganzfeld.inside.features import Extract, as_run, extractor, random_discriminator, require_layers
from ganzfeld.inside.image_sets import BATCH, ImageSet, image_set, is_table, labels_of
from ganzfeld.inside.success import Success, wilson
from ganzfeld.networks.feature_maps import layer_names
from ganzfeld.progress import CountCallback, counting
from ganzfeld.runs import Run
from ganzfeld.value_kinds import is_whole

MOST_LABELS = 10_000
"""The most labels that a classifier is fitted to, unless another number is asked for."""
MOST_TESTED = 10_000
TESTED = 5
"""At least one image in five is kept for the test."""
VALIDATION = 5
"""One label in five decides the penalty."""
PENALTIES = (1e-3, 1e-4, 1e-5, 1e-6)
"""Penalties that are tried, from the strictest on, for features of mean square 1 / F."""
MOST_STEPS = 200
TOLERANCE = 1e-6
"""The largest component of the gradient at which a fit ends."""
ROUGH = 1e-5
"""The same while penalties are compared."""
MOST_CELLS = 64
"""The most cells per axis over which raw pixels are averaged: larger images have too many of them."""
RANDOM = 0x9E0BE


@dataclass(frozen=True)
class Classifier:
    """A fitted linear classifier: ``logits = (features - centre) / scale @ weights[:-1] + weights[-1]``.

    ``penalty`` is the chosen one, in the sense of ``logistic``.
    """

    centre: Tensor
    scale: Tensor
    weights: Tensor
    penalty: float

    def codes(self, features: Tensor) -> np.ndarray:
        """Return the most likely label of features (B, F), int64 (B,)."""
        logits = ((features - self.centre) / self.scale) @ self.weights[:-1] + self.weights[-1]
        return logits.argmax(1).numpy()


@dataclass(frozen=True)
class LinearProbe:
    """What a linear classifier reads from the discriminator's features, beside two baselines.

    - ``attribute`` and its ``values``; ``num_labels`` were fitted, on ``num_tested`` other images it was
      tested; ``num_features`` is the length of the features;
    - ``discriminator``, ``random`` (a discriminator with random weights) and ``pixels``: the shares of right
      answers; ``usual`` is the share of the most frequent value;
    - ``over_random`` and ``over_pixels``: 1 if the discriminator is better beyond chance, -1 if it is worse,
      0 if the images do not tell (McNemar's test, 5 % on either side).
    """

    attribute: str
    values: tuple[str, ...]
    num_labels: int
    num_tested: int
    num_features: int
    discriminator: Success
    random: Success
    pixels: Success
    usual: float
    over_random: int
    over_pixels: int
    source: str = ""

    @property
    def sentence(self) -> str:
        """Whether the discriminator has learned something that these labels need, in words."""
        if self.over_pixels < 0:
            verdict = "raw pixels win"
        elif self.over_random > 0:
            verdict = "it worked" if self.over_pixels > 0 else "it is no better than raw pixels"
        else:
            verdict = "training did not help: random weights do as well"
        return (
            f"{verdict}: {self.attribute} is read from the discriminator's features of"
            f" {self.discriminator.precise} of {self.num_tested:,} other images, from raw pixels of"
            f" {self.pixels.precise}, and from a random discriminator's of {self.random.precise};"
            f" {self.num_labels:,} labels of {len(self.values)} kinds, the most frequent on {self.usual:.0%}"
        )


def linear_probe(
    run: Run | str | Path,
    labels: str | Path = "classes",
    images: Sequence[str | Path] = (),
    *,
    layers: Sequence[str] = (),
    num_labels: int = MOST_LABELS,
    fit: bool = False,
    progress: bool | CountCallback | None = None,
) -> LinearProbe:
    """Fit a linear classifier to the features of a run's discriminator, and test it on other images.

    ``labels`` is ``classes`` (of images in folders by class, or with labels in their file), an attribute of
    the built-in faces, or a table of file names and labels. ``images`` is one folder, archive or array; by
    default the images of the run. Up to ``num_labels`` labels are fitted, and at least a fifth of the images
    are kept for the test. Raises ``UsageError`` for unknown labels or layers, and ``DataError`` for fewer
    than 20 images with labels, labels that are all the same, and images that do not fit.
    """
    require_num_labels(num_labels)
    opened, report, word = as_run(run), counting(progress), str(labels)
    _ = opened.discriminator  # raises before images are read
    require_layers(layer_names(opened.discriminator), layers)
    table = Path(word) if is_table(word) else None
    chosen = image_set(opened, [Path(path) for path in images], report, labels=table, fit=fit)
    return probe_set(opened, chosen, word, layers, num_labels, report)


def probe_set(
    run: Run, images: ImageSet, labels: str, layers: Sequence[str], num_labels: int, progress: CountCallback
) -> LinearProbe:
    """Probe a set of images that was opened with its labels; see ``linear_probe``."""
    attribute, values, codes, indices = labels_of(images, labels)
    if len(indices) < LEAST_IMAGES:
        raise DataError(
            f"{len(indices)} images with labels are too few: at least {LEAST_IMAGES} are needed",
            "Label more images.",
        )
    order = np.random.default_rng(RANDOM).permutation(len(indices))
    num_fitted = min(num_labels, len(order) - len(order) // TESTED)
    fitted, tested = order[:num_fitted], order[num_fitted : num_fitted + MOST_TESTED]
    if len(np.unique(codes[fitted])) < 2:
        raise DataError(
            "nearly all images have the same label, so that there is nothing to tell apart",
            "Label more images of the rarer kinds.",
        )
    network = run.discriminator
    chosen = require_layers(layer_names(network), layers)
    random = random_discriminator(run, images.batch(indices[fitted[:BATCH]]))
    sides: dict[str, Extract] = {
        "discriminator": extractor(network, chosen),
        "random": extractor(random, chosen),
        "pixels": raw_pixels,
    }
    rights, num_features = {}, {}
    for name, extract in sides.items():
        inputs = _matrix(images, indices[fitted], extract, progress)
        num_features[name] = inputs.shape[1]
        classifier = fit_classifier(inputs, codes[fitted], len(values), progress)
        del inputs
        parts = images.batches(indices[tested], progress, "testing the classifier")
        answers = np.concatenate([classifier.codes(extract(part)) for part in parts])
        rights[name] = answers == codes[tested]
    shares = {name: wilson(float(right.mean()), len(right)) for name, right in rights.items()}
    return LinearProbe(
        attribute,
        values,
        len(fitted),
        len(tested),
        num_features["discriminator"],
        shares["discriminator"],
        shares["random"],
        shares["pixels"],
        float(np.bincount(codes[tested], minlength=len(values)).max() / len(tested)),
        _compared(rights["discriminator"], rights["random"]),
        _compared(rights["discriminator"], rights["pixels"]),
        run.discriminator_card.sentence,
    )


def require_num_labels(num_labels: int) -> None:
    """Raise ``UsageError`` unless a classifier can be fitted to this number of labels."""
    if not is_whole(num_labels) or num_labels < LEAST_IMAGES:
        raise UsageError(
            f"a classifier is fitted to at least {LEAST_IMAGES} labels, not {num_labels!r}",
            f"{MOST_LABELS:,} are usual.",
        )


def raw_pixels(pixels: np.ndarray) -> Tensor:
    """Return the values (B, F) of uint8 images, averaged over at most 64x64 cells."""
    images = values_of(pixels)
    height, width = images.shape[2:]
    cells = min(height, MOST_CELLS), min(width, MOST_CELLS)
    return functional.adaptive_avg_pool2d(images, cells).flatten(1)


def fit_classifier(
    features: Tensor, codes: np.ndarray, num_classes: int, progress: CountCallback
) -> Classifier:
    """Fit a classifier to features (n, F), which it overwrites, and labels (n,), in random order.

    Features are standardised; those that do not vary are left out. The penalty is the one of ``PENALTIES``
    with the most right answers on the last fifth, of equals the strictest; weaker ones are not tried once
    fewer answers are right. Then all labels are fitted.
    """
    labels = torch.from_numpy(codes)
    centre = features.mean(0)
    deviation = features.std(0)
    varies = deviation > 1e-6 * features.abs().amax(0)
    scale = torch.where(varies, deviation * max(1, int(varies.sum())) ** 0.5, torch.inf)
    features.sub_(centre).div_(scale)
    num = len(labels) - max(1, len(labels) // VALIDATION)
    weights: Tensor | None = None
    best, chosen, start = -1.0, PENALTIES[0], weights
    for index, penalty in enumerate(PENALTIES):
        progress(index, len(PENALTIES), "fitting a classifier")
        weights = logistic(features[:num], labels[:num], num_classes, penalty, weights, ROUGH)
        answers = (features[num:] @ weights[:-1] + weights[-1]).argmax(1)
        right = float((answers == labels[num:]).float().mean())
        if right < best:
            break
        if right > best:
            best, chosen, start = right, penalty, weights
    progress(len(PENALTIES), len(PENALTIES), "fitting a classifier")
    return Classifier(centre, scale, logistic(features, labels, num_classes, chosen, start), chosen)


@torch.enable_grad()
def logistic(
    features: Tensor,
    labels: Tensor,
    num_classes: int,
    penalty: float,
    start: Tensor | None = None,
    tolerance: float = TOLERANCE,
) -> Tensor:
    """Return the weights (F + 1, num_classes) of multinomial logistic regression, the last row the bias.

    They minimise the mean cross-entropy plus ``penalty`` / 2 times the sum of their squares without the bias,
    by L-BFGS from ``start`` (default: 0), until no component of the gradient exceeds ``tolerance``. In
    scikit-learn it is ``LogisticRegression(C=1 / (n * penalty))``.
    """
    if start is None:
        start = features.new_zeros(features.shape[1] + 1, num_classes)
    weights = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights],
        max_iter=MOST_STEPS,
        history_size=10,
        tolerance_grad=tolerance,
        tolerance_change=1e-10,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimizer.zero_grad()
        logits = features @ weights[:-1] + weights[-1]
        loss = functional.cross_entropy(logits, labels) + penalty / 2 * weights[:-1].square().sum()
        loss.backward()
        return float(loss.detach())

    optimizer.step(closure)
    return weights.detach()


def _matrix(images: ImageSet, indices: np.ndarray, extract: Extract, progress: CountCallback) -> Tensor:
    """Return the features (n, F) of images."""
    first = extract(images.batch(indices[:1]))
    require_memory(
        2 * 4 * len(indices) * first.shape[1],
        f"{first.shape[1]:,} features of {len(indices):,} images",
        "Use fewer labels, or fewer layers with --layer.",
    )
    features, done = torch.empty(len(indices), first.shape[1]), 0
    for part in images.batches(indices, progress, "computing features"):
        features[done : done + len(part)] = extract(part)
        done += len(part)
    return features


def _compared(first: np.ndarray, second: np.ndarray) -> int:
    """Return 1 or -1 if the first answers are better or worse than the second beyond chance, otherwise 0."""
    return int(is_better(first, second)) - int(is_better(second, first))
