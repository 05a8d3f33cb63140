"""The real images of a loop, compared with the data that ``gz.watch`` was given.

The loop may scale, mirror or crop its images; so distributions are compared, and single images are recognised
by their appearance.
"""

from collections import Counter, defaultdict
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganzfeld.data import ImageDataset
from ganzfeld.data.order import evenly_spaced

NUM_COMPARED, LEAST_COMPARED = 1024, 64
MOST_PIXELS = 2**24
"""Images of the data whose values are compared; fewer of large ones."""

NUM_KNOWN, MOST_KNOWN_VALUES = 2**14, 2**28
"""Images of the data that can be recognised; fewer of large ones, since all of them are read."""

SIDE_PX = 16

_EDGES = (0.01, 0.99)
"""Quantiles that stand for the ends of a range, which noise or interpolation exceed."""

_CLOSER = 0.3
"""An image is recognised if its distance to one image of the data is at most this share of its distance to
the nearest image of another class."""

_ALIKE = 0.1
"""The most squared distance, from 0 (equal) to 4 (inverted), between an image and itself in another form."""

_NOISE = 3.0
"""Standard errors that are not counted as a difference."""

_LEAST_LABELLED = 24
"""Fewest recognised images from which a share of wrong labels is computed."""


class DataComparison:
    """What is known of the data: distribution of values, differences between channels, images by class."""

    def __init__(self, dataset: ImageDataset) -> None:
        width, height = dataset.size
        num = max(LEAST_COMPARED, min(NUM_COMPARED, MOST_PIXELS // (width * height)))
        images = _floats(dataset.batch(evenly_spaced(dataset.num_pictures, num)))
        self._edges = _quantiles(images)
        self._contrasts = _contrasts(images)
        self._loop_contrasts: list[Tensor] = []
        self._dataset = dataset
        self._votes: dict[int, Counter[int]] = defaultdict(Counter)

    def levels(self, reals: Tensor) -> tuple[float, float] | None:
        """Return the values that black and white have in real images (n, C, H, W); None if unknown."""
        (low, high), (loop_low, loop_high) = self._edges, _quantiles(reals)
        if high - low < 0.02 or loop_high <= loop_low:
            return None
        scale = (loop_high - loop_low) / (high - low)
        black = loop_low - scale * low
        return black, black + scale

    def channel_order(self, reals: Tensor) -> dict[str, float]:
        """Return how badly the channels fit those of the data, in their order and in the reverse order.

        The misfits are in standard errors of all images so far. ``channel_order`` is their ratio: far above 1
        the channels are reversed. Empty for grey images.
        """
        if reals.shape[1] != 3:
            return {}
        self._loop_contrasts.append(_contrasts(reals))
        loop = torch.cat(self._loop_contrasts)[-NUM_COMPARED:]
        self._loop_contrasts = [loop]
        given, reverse = _misfit(loop, self._contrasts), _misfit(loop.flip(1), self._contrasts)
        order = given / max(reverse, _NOISE)
        return {"channels_as_given": given, "channels_reversed": reverse, "channel_order": order}

    @cached_property
    def _known(self) -> tuple[Tensor, Tensor] | None:
        """Signatures (n, values) and classes (n,) of images of the data; None if it has no classes."""
        dataset = self._dataset
        if dataset.labels is None:
            return None
        num_values = dataset.channels * dataset.size[0] * dataset.size[1]
        indices = evenly_spaced(dataset.num_pictures, min(NUM_KNOWN, MOST_KNOWN_VALUES // num_values))
        indices = indices[dataset.labels[indices] >= 0]
        parts = [part for part in np.array_split(indices, 64) if len(part)]
        if not parts:
            return None
        signatures = torch.cat([_signatures(_floats(dataset.batch(part))) for part in parts])
        return signatures, torch.from_numpy(dataset.labels[indices])

    def note_labels(self, reals: Tensor, numbers: Tensor) -> None:
        """Compare the class numbers (n,) of real images (n, C, H, W) with the classes of the data."""
        if self._known is None:
            return
        known, classes = self._known
        signatures = _signatures(reals)
        for variant in (signatures, _signatures(reals.flip(-1))):
            distances = 2 - 2 * variant @ known.t()
            nearest = distances.argmin(1)
            others = distances.masked_fill(classes[None] == classes[nearest][:, None], torch.inf).amin(1)
            best = distances.gather(1, nearest[:, None])[:, 0]
            is_known = (best < _ALIKE) & (best.sqrt() <= _CLOSER * others.sqrt())
            for row in is_known.nonzero()[:, 0].tolist():
                self._votes[int(numbers[row])][int(classes[nearest[row]])] += 1

    @property
    def wrong_labels(self) -> dict[str, float]:
        """Share of recognised images whose label differs from the class in the data, and their number.

        The loop may number its classes in another order, so each of its labels stands for the class that it
        was given to most often.
        """
        num = sum(votes.total() for votes in self._votes.values())
        if num < _LEAST_LABELLED:
            return {}
        right = sum(votes.most_common(1)[0][1] for votes in self._votes.values())
        return {"wrong_labels": 1 - right / num, "labels_compared": float(num)}


def _floats(images: np.ndarray) -> Tensor:
    """Return uint8 images (n, H, W, C) as float32 (n, C, H, W) from 0 to 1."""
    return torch.from_numpy(images).movedim(-1, 1).float() / 255


def _quantiles(images: Tensor) -> tuple[float, float]:
    values = images.flatten().float().cpu().numpy()
    low, high = np.quantile(values[:: max(1, len(values) // 2**18)], _EDGES)
    return float(low), float(high)


def _contrasts(images: Tensor) -> Tensor:
    """Return the means of the first and last channel less that of the second (n, 2), on a common scale."""
    if images.shape[1] != 3:
        return torch.zeros(len(images), 2)
    means = images.float().mean((2, 3)).cpu() / images.float().std().clamp_min(1e-12).cpu()
    return means[:, [0, 2]] - means[:, [1]]


def _misfit(ours: Tensor, theirs: Tensor) -> float:
    """Return the largest difference between the means of two samples (n, 2), in its standard errors."""
    errors = (ours.var(0) / len(ours) + theirs.var(0) / len(theirs)).sqrt()
    return float(((ours.mean(0) - theirs.mean(0)).abs() / errors.clamp_min(1e-6)).max())


def _signatures(images: Tensor) -> Tensor:
    """Return images as vectors (n, values) of length 1 that brightness and contrast do not change."""
    height, width = (min(SIDE_PX, side) for side in images.shape[2:])
    values = functional.adaptive_avg_pool2d(images.float(), (height, width)).flatten(1).cpu()
    return functional.normalize(values - values.mean(1, keepdim=True))
