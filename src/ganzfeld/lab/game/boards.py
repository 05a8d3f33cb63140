"""Networks for games that are played side by side, one a board.

A batch holds the same number of pictures of every board, board after board. Boards share no weight, and no
mean over pictures mixes them, so each game goes on as if it were alone: only the mean over a batch makes each
gradient smaller by the number of boards, which ``Rules.mean`` of such a game puts right.
"""

from collections.abc import Sequence
from itertools import chain, pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganzfeld.networks.normalisations.spectral import settle

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
        """(any number of times boards, 1) to logits of that many."""
        return (self.slope() * pictures.view(-1, self.slope.order.numel())).flatten()


class Perceptrons(nn.Module):
    """One multilayer perceptron a board, LeakyReLU 0.2 between layers; the last layer is linear.

    ``sizes`` are those of its layers from input to output. Layers are plain linear layers, one a board, so
    that whatever constrains a linear layer constrains these.
    """

    def __init__(self, boards: int, sizes: Sequence[int], seed: int) -> None:
        super().__init__()
        self.boards = boards
        self.layers = [[nn.Linear(inputs, outs) for _ in range(boards)] for inputs, outs in pairwise(sizes)]
        self.linears = nn.ModuleList(chain(*self.layers))
        noise = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for layer in self.layers:
                for linear in layer:
                    linear.weight.normal_(0, linear.in_features**-0.5, generator=noise)
                    linear.bias.zero_()

    def forward(self, points: Tensor) -> Tensor:
        """(boards * n, inputs), board after board, to (boards * n, outs)."""
        values = points.view(self.boards, -1, points.shape[1])
        for place, layer in enumerate(self.layers):
            if place:
                values = leaky_relu(values, 0.2)
            weight = torch.stack([linear.weight for linear in layer])
            bias = torch.stack([linear.bias for linear in layer])
            values = torch.baddbmm(bias.unsqueeze(1), values, weight.transpose(1, 2))
        return values.flatten(0, 1)

    def settle(self) -> None:
        """Let constraints on the weights find these weights."""
        settle(self)


class Judges(nn.Module):
    """A discriminator of points a board; a batch may hold several rounds of all boards, one after another."""

    def __init__(self, boards: int, num_points: int, sizes: Sequence[int], seed: int) -> None:
        super().__init__()
        self.num_points = num_points
        self.judge = Perceptrons(boards, (*sizes, 1), seed)

    def forward(self, points: Tensor) -> Tensor:
        """(k * boards * num_points, dims) to logits of that many."""
        boards = self.judge.boards
        rounds = points.view(-1, boards, self.num_points, points.shape[1])
        logits = self.judge(rounds.transpose(0, 1).reshape(-1, points.shape[1]))
        return logits.view(boards, -1, self.num_points).transpose(0, 1).flatten()
