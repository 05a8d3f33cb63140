"""Networks for games that are played side by side, one a board.

In a batch the boards take turns: the i-th picture is that of board i modulo their number, so that batches one
after another are a batch too. Boards share no weight, and no mean over pictures mixes them, so each game goes
on as if it were alone: only the mean over a batch makes each gradient smaller by the number of boards, which
``Rules.mean`` of such a game puts right.
"""

from collections.abc import Sequence
from itertools import chain, pairwise

import torch
from torch import Tensor, nn

Key = tuple[float, float]
"""Step size and weight decay of a number."""


class OnePerBoard(nn.Module):
    """One number a board, (boards,).

    Boards with the same key share a tensor, so that an optimizer can have a group of settings a key.
    """

    order: Tensor

    def __init__(self, keys: Sequence[Key], start: float) -> None:
        super().__init__()
        self.keys = list(dict.fromkeys(keys))
        members = [[place for place, key in enumerate(keys) if key == each] for each in self.keys]
        self.parts = nn.ParameterList(
            torch.full((len(each),), start, dtype=torch.float64) for each in members
        )
        self.register_buffer("order", torch.tensor([*chain(*members)]).argsort())

    def forward(self) -> Tensor:
        """(boards,), in the order of the keys that were given."""
        return torch.cat(list(self.parts))[self.order]


class Point(nn.Module):
    """A generator of one picture of one value a board, whatever the latent."""

    def __init__(self, keys: Sequence[Key], start: float) -> None:
        super().__init__()
        self.place = OnePerBoard(keys, start)

    def forward(self, latents: Tensor) -> Tensor:
        """(boards, any) to (boards, 1)."""
        return self.place().unsqueeze(1)


class Slope(nn.Module):
    """A discriminator that is a straight line through 0: the logit of p is slope times p."""

    def __init__(self, keys: Sequence[Key], start: float) -> None:
        super().__init__()
        self.slope = OnePerBoard(keys, start)

    def forward(self, pictures: Tensor) -> Tensor:
        """(n * boards, 1) to logits (n * boards)."""
        return (self.slope() * pictures.view(-1, self.slope.order.numel())).flatten()


class Perceptrons(nn.Module):
    """One multilayer perceptron a board, LeakyReLU 0.2 between layers; the last layer is linear.

    ``sizes`` are those of its layers from input to output. ``plain`` keeps the layers of the boards as linear
    layers of their own, for whatever constrains a linear layer; otherwise the boards of a layer share a
    tensor, which is several times as fast.
    """

    def __init__(self, boards: int, sizes: Sequence[int], seed: int, *, plain: bool = False) -> None:
        super().__init__()
        self.boards = boards
        noise = torch.Generator().manual_seed(seed)
        kind = _Plain if plain else _Stacked
        self.layers = nn.Sequential(
            *chain(*((kind(boards, *pair, noise), nn.LeakyReLU(0.2)) for pair in pairwise(sizes)))
        )[:-1]

    def forward(self, points: Tensor) -> Tensor:
        """(n * boards, inputs) to (n * boards, outs)."""
        values = points.view(-1, self.boards, points.shape[1]).transpose(0, 1)
        return self.layers(values).transpose(0, 1).flatten(0, 1)


class Judges(Perceptrons):
    """Perceptrons with one output, the logit."""

    def forward(self, points: Tensor) -> Tensor:
        """(n * boards, inputs) to logits (n * boards)."""
        return super().forward(points).squeeze(1)


class _Stacked(nn.Module):
    """A linear layer a board, (boards, n, inputs) to (boards, n, outs)."""

    def __init__(self, boards: int, inputs: int, outs: int, noise: torch.Generator) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(boards, inputs, outs, generator=noise) * inputs**-0.5)
        self.biases = nn.Parameter(torch.zeros(boards, 1, outs))

    def forward(self, values: Tensor) -> Tensor:
        return torch.baddbmm(self.biases, values, self.weights)


class _Plain(nn.Module):
    """The same, of layers that are found by who looks for linear layers."""

    def __init__(self, boards: int, inputs: int, outs: int, noise: torch.Generator) -> None:
        super().__init__()
        stacked = _Stacked(boards, inputs, outs, noise)
        self.linears = nn.ModuleList(nn.Linear(inputs, outs) for _ in range(boards))
        with torch.no_grad():
            for linear, weight in zip(self.linears, stacked.weights, strict=True):
                linear.weight.copy_(weight.T)  # pyright: ignore[reportCallIssue]
                linear.bias.zero_()  # pyright: ignore[reportCallIssue]

    def forward(self, values: Tensor) -> Tensor:
        return torch.stack([linear(part) for linear, part in zip(self.linears, values, strict=True)])
