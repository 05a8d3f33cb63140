"""Feature spaces: what turns images into vectors whose distances mean something.

An entry is one file that defines

- ``SHA256``: the digest of its weights, which no other weights pass;
- ``SIZE_PX``: what images are resized to, on both sides;
- ``NUM_FEATURES``: the length of a vector;
- ``require()``: raises ``ResourceError`` where its weights are not there;
- ``features(images) -> Tensor``: float32 (N, NUM_FEATURES) of uint8 (N, height, width, 1 or 3), drawing
  nothing from any random state;
- ``of_weights(weights) -> Features | None``, if its network may have other weights: the same with those of
  a file, by name; None if they are of another network. Where none are pinned, ``features`` is left out.

Figures of two spaces cannot be compared, so every figure names its space and the digest.
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

_read: dict[Path, tuple[int | None, "Space"]] = {}
"""Spaces of files that were read, with when these were last changed."""


@dataclass(frozen=True, slots=True)
class Space:
    """A feature space that is installed; see the folder's docstring."""

    name: str
    sha256: str
    size_px: int
    num_features: int
    features: Features


def space(given: str | Path | None = None) -> Space:
    """A feature space by its name or by a file of weights; by default what every kernel distance means.

    A space with other weights than the pinned ones has them in its name. Raises ``UsageError`` for an unknown
    name and for a file that is not there or of no known network, ``DamagedError`` for one that cannot be
    read, ``ResourceError`` where the space is not installed.
    """
    name = canonical(given or DEFAULT)
    if is_file_of_weights(name):
        return _of_file(Path(name))
    entry = spaces.load(name)
    entry.require()
    return Space(name, entry.SHA256, entry.SIZE_PX, entry.NUM_FEATURES, entry.features)


def canonical(given: str | Path) -> str:
    """The name of a feature space as we write it, or the file of weights that is given instead.

    Raises ``UsageError`` for what is neither.
    """
    if is_file_of_weights(str(given)):
        return str(given)
    try:
        return spaces.canonical(str(given))
    except UsageError as error:
        also = f"A file of weights ends in {', '.join(ENDINGS)}."
        raise UsageError(error.message, f"{error.hint} {also}") from None


def usual_name() -> str | None:
    """The space in which trainings are judged, by name or file: GANZFELD_FEATURES, or the default.

    None if that variable says ``none``: then trainings are not judged. Raises ``UsageError`` for what is no
    feature space.
    """
    given = os.environ.get(VARIABLE) or DEFAULT
    return None if given.casefold() == NONE else canonical(given)


def _of_file(path: Path) -> Space:
    """The space of a file, read again when it has changed; one that has gone since is still known."""
    try:
        changed = path.stat().st_mtime_ns
    except OSError:  # reading it says what is wrong
        changed = None
    if path not in _read or changed not in (None, _read[path][0]):
        _read[path] = changed, _space_of(path)
    return _read[path][1]


def _space_of(path: Path) -> Space:
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
            found = features(np.zeros((1, 8, 8, 3), np.uint8))
        except (KeyError, RuntimeError) as error:
            why = f"{shown} holds weights of {name} that do not fit it: {error}"
            raise UsageError(why, "Every layer must be there, with its usual name and shape.") from error
        if found.shape != (1, entry.NUM_FEATURES) or not found.isfinite().all():
            raise UsageError(
                f"the weights in {shown} give no features of an image", "Numbers must be finite."
            )
        own = name if sha256 == entry.SHA256 else f"{name} with {printable(path.name)}"
        return Space(own, sha256, entry.SIZE_PX, entry.NUM_FEATURES, features)
    raise UsageError(
        f"{shown} holds the weights of no network known here",
        f"Known: {', '.join(with_weights)}, with the names that their layers have there.",
    )
