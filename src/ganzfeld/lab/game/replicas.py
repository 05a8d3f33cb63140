"""Networks for games that are played side by side, one per replica.

In a batch the replicas take turns: the i-th image belongs to replica i modulo their number, so that batches
can be joined. Replicas share no weights, and no mean over images mixes them, so each game goes as if it were
alone. Only the mean over a batch makes each gradient smaller by the number of replicas, which
``StepConfig.mean`` of such a game corrects.
"""

from collections.abc import Sequence
from itertools import chain, pairwise

import torch
from torch import Tensor, nn

Key = tuple[float, float]
"""Step size and weight decay."""


class OnePerReplica(nn.Module):
    """One number per replica, (replicas,).

    Replicas with the same key share a tensor, so that an optimizer can have one group of settings per key.
    """

    order: Tensor

    def __init__(self, keys: Sequence[Key], start: float) -> None:
        super().__init__()
        self.keys = list(dict.fromkeys(keys))
        members = [[place for place, key in enumerate(keys) if key == chosen] for chosen in self.keys]
        self.parts = nn.ParameterList(
            torch.full((len(chosen),), start, dtype=torch.float64) for chosen in members
        )
        self.register_buffer("order", torch.tensor([*chain(*members)]).argsort())

    def forward(self) -> Tensor:
        """Return the numbers, (replicas,), in the order of the keys that were given."""
        return torch.cat(list(self.parts))[self.order]


class Point(nn.Module):
    """A generator of one value per replica, which ignores the latent."""

    def __init__(self, keys: Sequence[Key], start: float) -> None:
        super().__init__()
        self.place = OnePerReplica(keys, start)

    def forward(self, latents: Tensor) -> Tensor:
        """Map (replicas, any) to (replicas, 1)."""
        return self.place().unsqueeze(1)


class Slope(nn.Module):
    """A discriminator that is a straight line: the logit of x is the slope times x, plus a bias.

    The bias is fixed, unless the discriminator ``learns`` it: then it is where its own bias begins.
    """

    def __init__(self, keys: Sequence[Key], start: float, bias: float = 0.0, learns: bool = False) -> None:
        super().__init__()
        self.slope, self.bias = OnePerReplica(keys, start), bias
        self.learned = OnePerReplica(keys, bias) if learns else None

    def forward(self, images: Tensor) -> Tensor:
        """Map (n * replicas, 1) to logits (n * replicas)."""
        logits = self.slope() * images.view(-1, self.slope.order.numel())
        return (logits + (self.bias if self.learned is None else self.learned())).flatten()


class Perceptrons(nn.Module):
    """One multilayer perceptron per replica, LeakyReLU 0.2 between layers; the last layer is linear.

    ``sizes`` are the sizes of its layers from input to output. With ``plain``, each replica has linear layers
    of its own, as stabilisers that constrain linear layers need; otherwise the replicas of a layer share a
    tensor, which is several times as fast.
    """

    def __init__(self, replicas: int, sizes: Sequence[int], seed: int, *, plain: bool = False) -> None:
        super().__init__()
        self.replicas = replicas
        noise = torch.Generator().manual_seed(seed)
        kind = _Plain if plain else _Stacked
        self.layers = nn.Sequential(
            *chain(*((kind(replicas, *pair, noise), nn.LeakyReLU(0.2)) for pair in pairwise(sizes)))
        )[:-1]

    def forward(self, points: Tensor) -> Tensor:
        """Map (n * replicas, inputs) to (n * replicas, outs)."""
        values = points.view(-1, self.replicas, points.shape[1]).transpose(0, 1)
        return self.layers(values).transpose(0, 1).flatten(0, 1)


class Discriminators(Perceptrons):
    """Perceptrons with one output, the logit."""

    def forward(self, points: Tensor) -> Tensor:
        """Map (n * replicas, inputs) to logits (n * replicas)."""
        return super().forward(points).squeeze(1)


class _Stacked(nn.Module):
    """One linear layer per replica, (replicas, n, inputs) to (replicas, n, outs)."""

    def __init__(self, replicas: int, inputs: int, outs: int, noise: torch.Generator) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(replicas, inputs, outs, generator=noise) * inputs**-0.5)
        self.biases = nn.Parameter(torch.zeros(replicas, 1, outs))

    def forward(self, values: Tensor) -> Tensor:
        return torch.baddbmm(self.biases, values, self.weights)


class _Plain(nn.Module):
    """One linear layer per replica, as modules that a search for linear layers finds."""

    def __init__(self, replicas: int, inputs: int, outs: int, noise: torch.Generator) -> None:
        super().__init__()
        stacked = _Stacked(replicas, inputs, outs, noise)
        self.linears = nn.ModuleList(nn.Linear(inputs, outs) for _ in range(replicas))
        with torch.no_grad():
            for linear, weight in zip(self.linears, stacked.weights, strict=True):
                linear.weight.copy_(weight.T)  # pyright: ignore[reportCallIssue]
                linear.bias.zero_()  # pyright: ignore[reportCallIssue]

    def forward(self, values: Tensor) -> Tensor:
        return torch.stack([linear(part) for linear, part in zip(self.linears, values, strict=True)])
