"""Methods of play: by which rule two networks move that both move down their own gradients.

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
"""Of Adam here: those of the recipe ``modern``."""


class _Descent(Optimizer):
    """Base of optimizers made of plain gradient steps, with weight decay as torch's SGD has it."""

    found_inf: Tensor | None = None
    """Written by the step of the trainer: not 0 where a number is not finite."""

    def __init__(self, groups: Groups) -> None:
        super().__init__(groups, {"lr": 1.0, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Move every weight, unless the step of the trainer has marked a number that is not finite."""
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
    """w <- w - h (2 g_t - g_(t-1)): the last change of the gradient once more (Daskalakis et al. 2018)."""

    def move(self, weight: Tensor, lr: float, gradient: Tensor) -> None:
        """Move by the last gradient twice, less the one before; the first round is a plain step."""
        before = self.state[weight].get("before", gradient)
        weight -= lr * (2 * gradient - before)
        self.state[weight]["before"] = gradient


class Extragradient(_Descent):
    """w <- w - h g(w - h g(w)) (Korpelevich 1976): a call looks ahead, the next moves from where it was."""

    def move(self, weight: Tensor, lr: float, gradient: Tensor) -> None:
        """Look ahead and move in turn."""
        state = self.state[weight]
        if "here" in state:
            weight.copy_(state.pop("here"))
        else:
            state["here"] = weight.clone()
        weight -= lr * gradient


@dataclass(frozen=True)
class Method:
    """``looks``: how many times the gradients are taken a round. ``consensus``: whether each player also
    moves down the squared length of both gradients, as far as the strength of the game says (Mescheder et al.
    2017).
    """

    optimizer: Callable[[Groups], Optimizer]
    simultaneous: bool = True
    looks: int = 1
    consensus: bool = False


# Fused, since only these hold still at a number that is not finite.
METHODS: dict[str, Method] = {
    "simultaneous": Method(lambda groups: SGD(groups, fused=True)),
    "alternating": Method(lambda groups: SGD(groups, fused=True), simultaneous=False),
    "extragradient": Method(Extragradient, looks=2),
    "optimistic": Method(Optimistic),
    "consensus": Method(lambda groups: SGD(groups, fused=True), consensus=True),
    "adam": Method(lambda groups: Adam(groups, betas=BETAS, fused=True), simultaneous=False),
}
"""By name. Adam alternates, as the trainer does."""
