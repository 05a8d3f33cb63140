"""Weights of the user's for a network that a feature space knows: a file that is read and never run."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from ganzfeld.errors import DamagedError, ResourceError, UsageError
from ganzfeld.printable import printable

ENDINGS = (".pth", ".pt", ".safetensors")

Features = Callable[[np.ndarray], Tensor]
"""What gives float32 features (N, d) of uint8 images (N, height, width, 1 or 3)."""


def is_file_of_weights(given: str) -> bool:
    """Whether this is meant as a file, and not as the name of a feature space."""
    return given.casefold().endswith(ENDINGS)


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Tensors by name, as float32 on the processor, and the SHA-256 of the file.

    Nothing but tensors and plain values is read. Raises ``UsageError`` where there is no such file or it
    holds something else, ``DamagedError`` where it cannot be read, ``ResourceError`` where it may not be.
    """
    shown = printable(str(path))
    try:
        if not path.is_file():
            raise UsageError(f"there is no file {shown}", "Give the weights of a feature network.")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ResourceError(f"{shown} cannot be opened: {error.strerror}", "Check the path.") from error
    try:
        if path.suffix.casefold() == ".safetensors":
            content = safetensors.torch.load(path.read_bytes())  # whatever its name is
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever is in a file, and not only what torch foresees
        hint = "It is cut short, or more than torch.save(network.state_dict(), FILE) writes."
        raise DamagedError(f"{shown} cannot be read as weights", hint) from error
    if not isinstance(content, dict) or not all(isinstance(each, Tensor) for each in content.values()):
        raise UsageError(
            f"{shown} holds something else than weights by name",
            "Save the weights alone: torch.save(network.state_dict(), FILE).",
        )
    return {
        str(name): each.float() if each.is_floating_point() else each for name, each in content.items()
    }, sha256
