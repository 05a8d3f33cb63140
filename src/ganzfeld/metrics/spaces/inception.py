"""The Inception network of 2015, in whose features FID is defined: the input of its classifier, at 299 px.

Its weights (95 MB) are in no package. Users give the file ``weights-inception-2015-12-05-6726825d.pth``, from
the releases of torch-fidelity on GitHub, in place of the name of a space; it is recognised by its SHA-256.
Other weights of this network make a space of their own, in which no figure is called FID.

This is not torchvision's Inception: average pooling leaves out the padding, and the last block uses max
pooling, as in the graph of Heusel et al. 2017. The layers have the names of torchvision.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, max_pool2d
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ganzfeld.errors import ResourceError
from ganzfeld.metrics.weights import Features

NUM_FEATURES = 2048
SIZE_PX = 299
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
BATCH = 10

SOURCE = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
    "weights-inception-2015-12-05-6726825d.pth"
)

_EPSILON = 1e-3
"""Epsilon of the batch norms."""

_Layers = Sequence[str | Sequence[str]]
"""Layers in sequence; the outputs of several layers in one place are concatenated."""


def _numbered(name: str, last: int) -> list[str]:
    return [f"{name}_{number}" for number in range(1, last + 1)]


_DOUBLE = _numbered("branch3x3dbl", 3)
_A: Sequence[_Layers] = (["branch1x1"], _numbered("branch5x5", 2), _DOUBLE)
_B: Sequence[_Layers] = (["branch3x3"], _DOUBLE)
_C: Sequence[_Layers] = (["branch1x1"], _numbered("branch7x7", 3), _numbered("branch7x7dbl", 5))
_D: Sequence[_Layers] = (_numbered("branch3x3", 2), _numbered("branch7x7x3", 4))
_E: Sequence[_Layers] = (
    ["branch1x1"],
    ["branch3x3_1", ["branch3x3_2a", "branch3x3_2b"]],
    [*_DOUBLE[:2], ["branch3x3dbl_3a", "branch3x3dbl_3b"]],
)
_BLOCKS = {
    "Mixed_5b": _A,
    "Mixed_5c": _A,
    "Mixed_5d": _A,
    "Mixed_6a": _B,
    "Mixed_6b": _C,
    "Mixed_6c": _C,
    "Mixed_6d": _C,
    "Mixed_6e": _C,
    "Mixed_7a": _D,
    "Mixed_7b": _E,
    "Mixed_7c": _E,
}
"""The branches of each block by name, in order; every block has a pooling branch besides."""

_HALVING = {"Mixed_6a", "Mixed_7a"}
_OF_MAXIMA = "Mixed_7c"


def require() -> None:
    """Raise ``ResourceError``, since the weights must come from a file of the user."""
    raise ResourceError(
        "the weights of the Inception network are not part of ganzfeld",
        f"Give the file with its weights in place of the name. Download it from {SOURCE}",
    )


def of_weights(weights: Mapping[str, Tensor]) -> Features | None:
    """Return a function from uint8 images (N, height, width, 1 or 3) to float32 features (N, 2048).

    The result is None if the weights belong to another network. Grey images are repeated to three channels;
    all are resized to 299 px as in TensorFlow 1: bilinear, without half-pixel centres and without
    antialiasing.
    """
    ending = ".conv.weight"
    names = [name.removesuffix(ending) for name in weights if name.endswith(ending)]
    if "Conv2d_1a_3x3" not in names or "Mixed_7c.branch_pool" not in names:
        return None
    return partial(_features, {name: _folded(weights, name) for name in names})


_Folded = Mapping[str, tuple[Tensor, Tensor]]
"""Kernel and bias of each layer, with the following batch norm folded in."""


def _folded(weights: Mapping[str, Tensor], name: str) -> tuple[Tensor, Tensor]:
    norm = [weights[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    mean, variance, scale, shift = norm
    kernel, bias = fuse_conv_bn_weights(
        weights[f"{name}.conv.weight"], None, mean, variance, _EPSILON, scale, shift
    )
    return kernel.detach().contiguous(memory_format=torch.channels_last), bias.detach()


@torch.no_grad()
def _features(layers: _Folded, images: np.ndarray) -> Tensor:
    parts = []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(images[start : start + BATCH]).movedim(-1, 1).float()
        batch = (_resized(batch.expand(-1, 3, -1, -1)) - 128) / 128
        parts.append(_last_maps(layers, batch.contiguous(memory_format=torch.channels_last)).mean((2, 3)))
    return torch.cat(parts) if parts else torch.empty(0, NUM_FEATURES)


def _resized(batch: Tensor) -> Tensor:
    rows, columns = (_between_neighbours(size) for size in batch.shape[2:])
    return rows @ batch @ columns.T


def _between_neighbours(size: int) -> Tensor:
    """Return a matrix (299, size) whose rows interpolate between the two values on either side of a place."""
    places = torch.arange(SIZE_PX) * torch.tensor(size / SIZE_PX, dtype=torch.float32)
    before = places.long()
    matrix = torch.zeros(SIZE_PX, size)
    share = (places - before)[:, None]
    matrix.scatter_add_(1, before[:, None], 1 - share)
    return matrix.scatter_add_(1, (before + 1).clamp(max=size - 1)[:, None], share)


def _last_maps(layers: _Folded, x: Tensor) -> Tensor:
    """Return the last feature maps (B, 2048, 8, 8) of images (B, 3, 299, 299) in [-1, 1]."""
    x = _convolved(layers, "Conv2d_1a_3x3", x, stride=2, padded=False)
    x = _convolved(layers, "Conv2d_2a_3x3", x, padded=False)
    x = _convolved(layers, "Conv2d_2b_3x3", x)
    x = max_pool2d(x, 3, stride=2)
    x = _convolved(layers, "Conv2d_3b_1x1", x)
    x = _convolved(layers, "Conv2d_4a_3x3", x, padded=False)
    x = max_pool2d(x, 3, stride=2)
    for block, branches in _BLOCKS.items():
        maps = [_through(layers, block, branch, x) for branch in branches]
        x = torch.cat([*maps, _pooled(layers, block, x)], 1)
    return x


def _through(layers: _Folded, block: str, branch: _Layers, x: Tensor) -> Tensor:
    for place, names in enumerate(branch, start=1):
        halves = block in _HALVING and place == len(branch)
        side_by_side = [names] if isinstance(names, str) else names
        maps = [
            _convolved(layers, f"{block}.{name}", x, stride=1 + halves, padded=not halves)
            for name in side_by_side
        ]
        x = torch.cat(maps, 1)
    return x


def _pooled(layers: _Folded, block: str, x: Tensor) -> Tensor:
    if block in _HALVING:
        return max_pool2d(x, 3, stride=2)
    if block == _OF_MAXIMA:
        x = max_pool2d(x, 3, stride=1, padding=1)
    else:
        x = avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return _convolved(layers, f"{block}.branch_pool", x)


def _convolved(layers: _Folded, name: str, x: Tensor, *, stride: int = 1, padded: bool = True) -> Tensor:
    kernel, bias = layers[name]
    padding = [size // 2 if padded else 0 for size in kernel.shape[2:]]
    return conv2d(x, kernel, bias, stride, padding).relu_()
