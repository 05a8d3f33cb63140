"""Feature spaces: networks that turn images into vectors whose distances are meaningful.

An entry is one file that defines

- ``SHA256``: the digest of its weights; other weights are rejected;
- ``SIZE_PX``: height and width to which images are resized;
- ``NUM_FEATURES``: the length of a feature vector;
- ``require()``: raises ``ResourceError`` if its weights are not installed;
- ``features(images) -> Tensor``: float32 features (N, NUM_FEATURES) of uint8 images (N, height, width, 1 or
  3), without changing any random state. It is left out if no weights ship with the entry;
- ``of_weights(weights) -> Features | None``, if users may give other weights: the same function with weights
  from a file, given by name, or None if they belong to another network.

Figures of different spaces cannot be compared, so every figure names its space and the digest.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganzfeld.catalogue import Catalogue
from ganzfeld.errors import UsageError
from ganzfeld.metrics.weights import ENDINGS, Features, is_file_of_weights, read_weights
from ganzfeld.printable import printable

spaces = Catalogue("ganzfeld.metrics.spaces", "feature space")

DEFAULT = "efficientnet-lite0"
NONE = "none"
VARIABLE = "GANZFELD_FEATURES"

_loaded: dict[Path, tuple[int | None, "Space"]] = {}
"""Spaces from files that were read, with the modification times of the files."""


@dataclass(frozen=True, slots=True)
class Space:
    """A feature space that can be used; see the docstring of the folder."""

    name: str
    sha256: str
    size_px: int
    num_features: int
    features: Features


def space(name_or_file: str | Path | None = None) -> Space:
    """Load a feature space by its name or by a file of weights; by default that of the kernel distance.

    The name of a space with other weights than the default ones contains the name of their file. Raises
    ``UsageError`` for an unknown name and for a file that does not exist or belongs to no known network,
    ``DamagedError`` for a file that cannot be read, ``ResourceError`` if the space is not installed.
    """
    name = canonical(name_or_file or DEFAULT)
    if is_file_of_weights(name):
        return _space_of_file(Path(name))
    entry = spaces.load(name)
    entry.require()
    return Space(name, entry.SHA256, entry.SIZE_PX, entry.NUM_FEATURES, entry.features)


def canonical(name_or_file: str | Path) -> str:
    """Return the canonical name of a feature space, or the path of a file of weights unchanged.

    Raises ``UsageError`` for anything else.
    """
    text = str(name_or_file)
    if is_file_of_weights(text):
        return text
    try:
        return spaces.canonical(text)
    except UsageError as error:
        about_files = f"A file of weights ends in {', '.join(ENDINGS)}."
        raise UsageError(error.message, f"{error.hint} {about_files}") from None


def usual_name() -> str | None:
    """Return the space in which quality is measured while training: GANZFELD_FEATURES or the default.

    The result is a name or a file, or None if the variable is ``none``: then quality is not measured. Raises
    ``UsageError`` if the variable names no feature space.
    """
    text = os.environ.get(VARIABLE) or DEFAULT
    return None if text.casefold() == NONE else canonical(text)


def _space_of_file(path: Path) -> Space:
    """Return the space of a file; it is read again if the file has changed, and kept if the file is gone."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:  # reading the file raises the right error
        changed = None
    if path not in _loaded or changed not in (None, _loaded[path][0]):
        _loaded[path] = changed, _load_space(path)
    return _loaded[path][1]


def _load_space(path: Path) -> Space:
    weights, sha256 = read_weights(path)
    shown = printable(str(path))
    with_weights = {
        name: entry for name in spaces.names() if getattr(entry := spaces.load(name), "of_weights", None)
    }
    for name, entry in with_weights.items():
        try:
            features = entry.of_weights(weights)
            if features is None:
                continue
            test_features = features(np.zeros((1, 8, 8, 3), np.uint8))
        except (KeyError, RuntimeError) as error:
            why = f"the weights in {shown} look like those of {name} but do not fit it: {error}"
            raise UsageError(why, "Every layer must be present, with its usual name and shape.") from error
        if test_features.shape != (1, entry.NUM_FEATURES) or not test_features.isfinite().all():
            raise UsageError(
                f"the weights in {shown} give no valid features", "All weights must be finite numbers."
            )
        own_name = name if sha256 == entry.SHA256 else f"{name} with {printable(path.name)}"
        return Space(own_name, sha256, entry.SIZE_PX, entry.NUM_FEATURES, features)
    raise UsageError(
        f"the weights in {shown} belong to no known network",
        f"Known networks: {', '.join(with_weights)}, with their original layer names.",
    )
