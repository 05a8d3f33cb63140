"""Weight files that users give for the network of a feature space; they are read and never executed."""

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
"""A function from uint8 images (N, height, width, 1 or 3) to float32 features (N, d)."""


def is_file_of_weights(text: str) -> bool:
    """Return whether ``text`` names a file, and not a feature space."""
    return text.casefold().endswith(ENDINGS)


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Read the tensors of a file by name, as float32 on the CPU, and the SHA-256 of the file.

    Only tensors and plain values are loaded. Raises ``UsageError`` if the file does not exist or holds
    something else, ``DamagedError`` if its content cannot be read, ``ResourceError`` if it cannot be opened.
    """
    shown = printable(str(path))
    try:
        if not path.is_file():
            raise UsageError(f"{shown} does not exist", "Give a file with the weights of a feature network.")
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ResourceError(f"{shown} cannot be opened: {error.strerror}", "Check the path.") from error
    try:
        if path.suffix.casefold() == ".safetensors":
            content = safetensors.torch.load(path.read_bytes())  # from bytes, so that any name works
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file may hold anything, and torch raises many kinds of error
        hint = "It is truncated, or not a file that torch.save(network.state_dict(), FILE) wrote."
        raise DamagedError(f"{shown} cannot be read as weights", hint) from error
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UsageError(
            f"{shown} does not hold a dictionary of weights",
            "Save the weights alone: torch.save(network.state_dict(), FILE).",
        )
    return {
        str(name): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in content.items()
    }, sha256
