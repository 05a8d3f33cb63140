"""The model format: a folder with ``generator.safetensors`` and ``card.json``.

The card is stored twice. The program reads the one in the header of the weights, since a single file can be
replaced atomically; ``card.json`` is a copy for people. If they differ, the header is used and the user is
warned. Nothing is ever unpickled.
"""

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ganzfeld.catalogue import did_you_mean
from ganzfeld.durable import make_folder
from ganzfeld.errors import DamagedError, GanzfeldError, GanzfeldWarning, UsageError
from ganzfeld.kinds import check_arguments
from ganzfeld.model.card import Card
from ganzfeld.networks import Generator
from ganzfeld.networks.layout import for_making_images
from ganzfeld.networks.normalisations.spectral import fold
from ganzfeld.own_folder import OwnFolder
from ganzfeld.printable import printable
from ganzfeld.regular import open_regular, read_regular
from ganzfeld.run_layout import is_watched, no_model_in
from ganzfeld.strict_json import strict_json
from ganzfeld.system import in_words

WEIGHTS = "generator.safetensors"
CARD = "card.json"
LARGEST_CARD = 1_000_000
"""Bytes; a card takes about two thousand."""
DTYPES = {torch.float32: "F32", torch.int64: "I64"}
"""The types of a generator's tensors, by their names in safetensors."""


@dataclass(frozen=True)
class Model:
    """A generator in eval mode and its card."""

    generator: Generator
    card: Card


def save(folder: Path | OwnFolder, generator: Generator, card: Card) -> None:
    """Write a model; an earlier model in the folder is replaced completely or not at all.

    Raises ``ResourceError`` if the disk is full or the folder cannot be written.
    """
    if not isinstance(folder, OwnFolder):
        make_folder(folder)
        folder = OwnFolder(folder)
    tensors = {name: value.detach().cpu().contiguous() for name, value in generator.state_dict().items()}
    card = card.model_copy(update={"weights_sha256": _digest(tensors)})
    header = {"card": card.model_dump_json()}
    folder.write_bytes(WEIGHTS, safetensors.torch.save(tensors, header))
    folder.write_json(CARD, card.model_dump(mode="json"))


@in_words()
def load(path: str | Path) -> Generator:
    """Load the generator of a run or model folder: a ``torch.nn.Module`` in eval mode, with the EMA weights.

    It maps latents (B, ``latent_size``) to images (B, channels, height, width) in [-1, 1]; with classes, it
    also takes labels (B,), whole numbers below its ``num_classes``. Raises ``UsageError`` if there is no
    model, and ``DamagedError`` if its file was changed or cut short.
    """
    return load_model(path).generator


@check_arguments
def load_model(path: str | Path, contradicted: Callable[[str], object] | None = None) -> Model:
    """Load the generator of a run or model folder with its card; see ``load``.

    If ``card.json`` contradicts the weights, ``contradicted`` is called with a message; by default, a Python
    warning is issued.
    """
    weights = find_weights(Path(path))
    require_openable(weights)
    try:
        with safe_open(weights, framework="pt") as file:
            card = _read_card((file.metadata() or {}).get("card", ""), weights)
            generator = _empty_generator(card, weights)
            _compare_shapes(file, generator, weights)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
    except SafetensorError as error:
        raise _damaged(weights, str(error)) from None
    except OSError as error:
        raise _damaged(weights, error.strerror or str(error)) from None
    _read_card_copy(weights)
    if _digest(tensors) != card.weights_sha256:
        raise _damaged(weights, "its tensors do not match their checksum")
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise _damaged(weights, f"tensor {name} contains NaN or infinity")
    generator.load_state_dict(tensors, assign=True)
    generator.class_names = card.class_names
    if text := _contradiction(weights, card):
        (contradicted or _warn)(text)
    return Model(_prepare_for_use(generator), card)


def _prepare_for_use(generator: Generator) -> Generator:
    """Make the generator an ordinary module that makes images, without the parts for training."""
    # The layout decides the rounding of sums, so it is set before the constraints are folded.
    for_making_images(generator)
    fold(generator)
    return for_making_images(generator.requires_grad_(False))


def find_weights(path: Path) -> Path:
    """Return the weights file of a model folder, or of a run folder (of its best model if it has one).

    Raises ``UsageError`` if there is none, and ``DamagedError`` if something else has its name.
    """
    for candidate in (path / WEIGHTS, path / "model" / "best" / WEIGHTS, path / "model" / "last" / WEIGHTS):
        if candidate.is_file():
            return candidate
        if candidate.exists():
            _refuse_irregular(candidate)
    if is_watched(path):
        raise no_model_in(path)
    raise no_run(path, f"{path} holds no model", "a run folder with model/last/, or a model folder")


def _refuse_irregular(weights: Path) -> None:
    try:
        with open_regular(weights):
            pass
    except OSError as error:
        raise _damaged(weights, error.strerror or str(error)) from None


def require_openable(path: Path) -> None:
    """Raise ``UsageError`` for a path that is not UTF-8, where safetensors cannot open files."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{path} is not a path in UTF-8, and model files can be opened only at UTF-8 paths",
            "Rename the folder, or give another one.",
        ) from None


def no_run(path: Path, message: str, expected: str) -> UsageError:
    """Return the error for a path without a run or model; a folder gets ``message``, see ``expected``."""
    if path.is_dir():
        inside = [f"{path / name}" for name in _runs_in(path)]
        hint = f"Give one of the folders in it: {', '.join(inside)}." if inside else f"Expected {expected}."
        return UsageError(message, hint)
    if path.exists():
        return UsageError(f"there is no run at {path}: it is a file", f"Expected {expected}.")
    siblings = _runs_in(path.parent)
    return UsageError(
        f"there is no run at {path}",
        did_you_mean(path.name, siblings) if siblings else "Train one first: ganzfeld train.",
    )


def _runs_in(folder: Path) -> list[str]:
    """Return the sorted names of the folders inside that look like a run, or like a model folder."""
    marks = ("recipe.json", "model", WEIGHTS)
    return sorted({path.parent.name for mark in marks for path in folder.glob(f"*/{mark}")})


def _read_card(text: str, weights: Path) -> Card:
    if not 0 < len(text) <= LARGEST_CARD:
        raise _damaged(weights, "it has no card")
    try:
        return Card.model_validate(strict_json(text))
    except (ValueError, GanzfeldError) as error:
        raise _damaged(weights, f"its card cannot be read ({str(error).splitlines()[0]})") from None


def _empty_generator(card: Card, weights: Path) -> Generator:
    """Build the generator without memory for its weights, so that a hostile card takes no memory."""
    try:
        with torch.device("meta"):
            return card.generator.build()
    except (GanzfeldError, RuntimeError, ValueError) as error:
        raise _damaged(weights, f"its card does not describe a generator ({error})") from None


def _compare_shapes(file: Any, generator: Generator, weights: Path) -> None:
    expected = {name: (list(tensor.shape), tensor.dtype) for name, tensor in generator.state_dict().items()}
    names = set(file.keys())
    if names != set(expected):
        raise _damaged(weights, f"its tensors do not fit its card: {sorted(names ^ set(expected))[:3]}")
    for name, (shape, dtype) in expected.items():
        tensor = file.get_slice(name)
        if tensor.get_shape() != shape:
            raise _damaged(weights, f"tensor {name} has shape {tensor.get_shape()} instead of {shape}")
        if tensor.get_dtype() != DTYPES.get(dtype):
            raise _damaged(weights, f"tensor {name} has type {tensor.get_dtype()} instead of {DTYPES[dtype]}")


def _read_card_copy(weights: Path) -> dict[str, Any]:
    """Read ``card.json``, the copy for people; empty if missing. It is read only to report damage."""
    card = weights.with_name(CARD)
    try:
        copy = strict_json(read_regular(card, LARGEST_CARD))
        if not isinstance(copy, dict):
            raise _damaged(card, "it is not a card")
        return copy
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _damaged(card, error.strerror or str(error)) from None
    except ValueError as error:
        raise _damaged(card, str(error)) from None


def _contradiction(weights: Path, card: Card) -> str:
    """Describe how ``card.json`` differs from the header of the weights; empty if it does not.

    This is no reason to refuse the model: a process killed between writing the two files leaves an old copy.
    """
    if not (fields := _differing_fields(weights, card)):
        return ""
    with safe_open(weights, framework="pt") as file:  # a run may have replaced both files in the meantime
        now = _read_card((file.metadata() or {}).get("card", ""), weights)
    if now != card and not _differing_fields(weights, now):
        return ""
    copy = printable(str(weights.with_name(CARD)))
    return (
        f"{copy} contradicts {weights.name} beside it ({', '.join(fields)}); the card in the weights is used"
    )


def _differing_fields(weights: Path, card: Card) -> list[str]:
    """Return the names of the fields that both cards have with different values."""
    copy = _read_card_copy(weights)
    return [name for name, value in card.model_dump(mode="json").items() if copy.get(name, value) != value]


def _warn(text: str) -> None:
    warnings.warn(text, GanzfeldWarning, stacklevel=4)


def _digest(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and values, independent of their order in the file."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}:{tensor.dtype}:{list(tensor.shape)};".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"{path} is damaged: {why}", "Use another model of the run, or train again.")
