"""Methods of play: rules by which two networks each descend their own gradient.

A method is an optimizer and an order of updates; ``ganzfeld.training.step`` does the rest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer

Groups = Iterable[dict[str, Any]]

BETAS = (0.5, 0.99)
"""Betas of Adam, as in the recipe ``modern``."""


class _Descent(Optimizer):
    """Base of optimizers that make plain gradient steps, with the weight decay of torch's SGD."""

    found_inf: Tensor | None = None
    """Set by the trainer's step: not 0 if a number is not finite."""

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups, {"lr": 1.0, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move every weight, unless the trainer's step has found a number that is not finite."""
        if self.found_inf is not None and bool(self.found_inf):
            return
        for group in self.param_groups:
            for weight in group["params"]:
                gradient = weight.grad + group["weight_decay"] * weight
                self.move(weight, group["lr"], gradient)

    def move(self, weight: Tensor, lr: float, gradient: Tensor) -> None:
        """Move one weight."""
        raise NotImplementedError


class Optimistic(_Descent):
    """w <- w - h (2 g_t - g_(t-1)): repeats the last change of the gradient (Daskalakis et al. 2018)."""

    def move(self, weight: Tensor, lr: float, gradient: Tensor) -> None:
        """Move by twice this gradient minus the previous one; the first round is a plain step."""
        before = self.state[weight].get("before", gradient)
        weight -= lr * (2 * gradient - before)
        self.state[weight]["before"] = gradient


class Extragradient(_Descent):
    """w <- w - h g(w - h g(w)) (Korpelevich 1976): one call looks ahead, the next moves from the start."""

    def move(self, weight: Tensor, lr: float, gradient: Tensor) -> None:
        """Look ahead at the first call of a round, move at the second."""
        state = self.state[weight]
        if "here" in state:
            weight.copy_(state.pop("here"))
        else:
            state["here"] = weight.clone()
        weight -= lr * gradient


@dataclass(frozen=True)
class Method:
    """A method of play.

    ``looks``: how many times per round gradients are computed. ``consensus``: whether each network also
    descends the squared length of all gradients, times the strength of the game (Mescheder et al. 2017).
    """

    optimizer: Callable[[Groups], Optimizer]
    simultaneous: bool = True
    looks: int = 1
    consensus: bool = False


# Only fused optimizers stand still when a number is not finite.
METHODS: dict[str, Method] = {
    "simultaneous": Method(lambda groups: SGD(groups, fused=True)),
    "alternating": Method(lambda groups: SGD(groups, fused=True), simultaneous=False),
    "extragradient": Method(Extragradient, looks=2),
    "optimistic": Method(Optimistic),
    "consensus": Method(lambda groups: SGD(groups, fused=True), consensus=True),
    "adam": Method(lambda groups: Adam(groups, betas=BETAS, fused=True), simultaneous=False),
}
"""Methods by name. Adam alternates the updates, as the trainer does."""
