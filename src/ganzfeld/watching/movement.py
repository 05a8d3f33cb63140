"""Whether the weights of a network change at all."""

from collections.abc import Sequence

import torch
from torch import Tensor

VALUES_PER_WEIGHT = 16
PATIENCE = 50
"""Updates of the other network after which weights that have not moved count as still."""


class Movement:
    """Compares a few values of every weight of a network with those of the last time."""

    def __init__(self, weights: Sequence[Tensor]) -> None:
        self._weights = weights
        self._before = self._values()
        self._others_before = 0

    def share(self, others_updates: int) -> float | None:
        """Return the share of weight tensors that have changed since the last result.

        ``others_updates`` is the number of updates that the other network has made. The result is None if
        nothing has changed, but too few of these have been made to tell, and without weights.
        """
        if not self._weights:
            return None
        now = self._values()
        pairs = zip(now, self._before, strict=True)
        share = sum(bool((value != before).any()) for value, before in pairs) / len(now)
        if share == 0 and others_updates - self._others_before < PATIENCE:
            return None
        self._before, self._others_before = now, others_updates
        return share

    def _values(self) -> list[Tensor]:
        return [_few_values(weight) for weight in self._weights]


def _few_values(weight: Tensor) -> Tensor:
    values = weight.detach().flatten()
    steps = torch.linspace(0, len(values) - 1, VALUES_PER_WEIGHT, device=values.device)
    return values[steps.long()]
