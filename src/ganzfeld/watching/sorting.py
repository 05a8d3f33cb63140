"""Which images a loop gives to its discriminator: real ones, generated ones, or points of a penalty."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Kind = Literal["real", "fake", "both", "penalty"]

Form = tuple[int, int, bool, bool]
"""Place in the update, size of the batch, whether it needs a gradient, whether it has a graph."""

_CERTAIN = 3
"""The number of equal results after which images of the same form are no longer compared."""

_NUM_COMPARED = 64
"""Values of each image that are compared for equality."""

_LEAST_SHARE = 0.5
_LEAST_SIMILARITY, _LEAST_SIMILARITY_OF_LEAVES = 0.5, 0.3
"""The share of images that must be most similar to their own source, and the least mean cosine similarity to
it, for the batch to come from it. A leaf of the graph is a point of a penalty, which lies between two
images."""


class Batch(NamedTuple):
    """Images (B, C, H, W), and the address of their memory, which views of the same images share."""

    images: Tensor
    address: int

    @classmethod
    def of(cls, images: Tensor) -> "Batch":
        """Return a batch of these images."""
        return cls(images, images.untyped_storage().data_ptr())


class Sorted(NamedTuple):
    """The kind of a batch. For ``both``, ``fake_rows`` (B,) marks the generated images.

    ``form`` is the form of a batch that had to be compared; None if its memory shows where it comes from.
    """

    kind: Kind
    fake_rows: Tensor | None = None
    form: Form | None = None


class Sorter:
    """Sorts batches by comparing them with the generated images and with the last real ones.

    The comparison reads numbers, for which a GPU must be waited for. So batches of the same form (place in
    the update, size, gradient) are compared only until ``_CERTAIN`` results agree, and again after
    ``forget``.
    """

    def __init__(self) -> None:
        self._results: dict[Form, Counter[Kind]] = {}
        self._rows: dict[Form, Tensor | None] = {}
        self._learned: dict[Form, Kind] = {}

    def forget(self) -> None:
        """Compare batches of all forms again."""
        self._results.clear()
        self._rows.clear()

    def sort(self, batch: Batch, generated: Sequence[Batch], last_real: Batch | None, place: int) -> Sorted:
        """Return the kind of a batch; ``place`` is the number of earlier batches in the same update.

        ``generated`` are the last outputs of the generator, ``last_real`` the real images of the same update.
        """
        images, address = batch
        if any(address == other.address for other in generated):
            return Sorted("fake")
        has_graph = images.grad_fn is not None
        if last_real is not None and address == last_real.address:
            return Sorted("penalty" if images.requires_grad else "real")
        form = (place, len(images), images.requires_grad, has_graph)
        if form in self._learned:
            return Sorted(self._learned[form], form=form)
        results = self._results.setdefault(form, Counter())
        if results and max(results.values()) >= _CERTAIN:
            return Sorted(results.most_common(1)[0][0], self._rows.get(form), form)
        result = _compare(images, [other.images for other in generated], last_real and last_real.images)
        results[result.kind] += 1
        self._rows[form] = result.fake_rows
        return result._replace(form=form)

    def learn(self, form: Form, kind: Kind) -> None:
        """Take the kind of all batches of a form as known."""
        self._learned[form] = kind


def _compare(images: Tensor, generated: Sequence[Tensor], last_real: Tensor | None) -> Sorted:
    of_shape = [other for other in generated if other.shape[1:] == images.shape[1:]]
    plain = images.detach()
    for other in reversed(of_shape):
        rows = _equal_rows(plain, other)
        if bool(rows.all()):
            return Sorted("fake")
        if bool(rows.any()):
            return Sorted("both", rows)
    is_leaf = images.requires_grad and images.grad_fn is None
    least = _LEAST_SIMILARITY_OF_LEAVES if is_leaf else _LEAST_SIMILARITY
    from_fake = any(_comes_from(plain, other, least) for other in of_shape)
    from_real = last_real is not None and _comes_from(plain, last_real, least)
    if (from_real and (from_fake or is_leaf)) or (from_fake and is_leaf):
        return Sorted("penalty")
    if from_fake or images.grad_fn is not None:
        return Sorted("fake")
    return Sorted("real")


def _equal_rows(images: Tensor, other: Tensor) -> Tensor:
    """Return which images (B,) are equal to one of the others."""
    few, few_others = (_few_values(batch) for batch in (images, other))
    candidates = (few[:, None] == few_others[None]).all(2)
    partners = other[candidates.int().argmax(1)]
    return candidates.any(1) & (images == partners).flatten(1).all(1)


def _few_values(images: Tensor) -> Tensor:
    values = images.flatten(1)
    return values[:, :: max(1, values.shape[1] // _NUM_COMPARED)].float()


def _comes_from(images: Tensor, source: Tensor, least: float) -> bool:
    """Check whether each image is more similar to its own source than to the others of the batch."""
    if images.shape != source.shape or len(images) < 2:
        return False
    parts, sources = (_centred(batch) for batch in (images, source))
    similarity = parts @ sources.t()
    own = similarity.argmax(1) == torch.arange(len(images), device=images.device)
    if float(own.float().mean()) <= max(_LEAST_SHARE, 1.5 / len(images)):
        return False
    return float(similarity.diagonal().mean()) > least


def _centred(images: Tensor) -> Tensor:
    values = images.flatten(1).float()
    values = values - values.mean(0)
    return values / values.norm(dim=1, keepdim=True).clamp_min(1e-12)
