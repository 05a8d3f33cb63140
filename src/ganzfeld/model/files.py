"""The one model format: a folder with ``generator.safetensors`` and ``card.json``.

The card stands twice: in the header of the weights, which is what the program reads, since one file can be
replaced at once; and beside it, for people. Where they differ, the header counts, which is said. Nothing is
ever unpickled.
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
from ganzfeld.strict_json import strict_json
from ganzfeld.system import in_words

WEIGHTS = "generator.safetensors"
CARD = "card.json"
LARGEST_CARD = 1_000_000
"""Bytes; a card has about two thousand."""
DTYPES = {torch.float32: "F32", torch.int64: "I64"}
"""Of the tensors of a generator, as safetensors calls them."""


@dataclass(frozen=True)
class Model:
    """A generator in eval mode and its card."""

    generator: Generator
    card: Card


def save(folder: Path | OwnFolder, generator: Generator, card: Card) -> None:
    """Write a model; an earlier one of that folder is replaced at once or not at all.

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
    """The generator of a run or model folder: a ``torch.nn.Module`` in eval mode, with the EMA weights.

    It maps latents (B, ``latent_size``) to images (B, channels, height, width) in [-1, 1]; where it knows
    classes, latents and labels (B,), whole numbers below its ``num_classes``. Raises
    ``UsageError`` where there is no model, ``DamagedError`` where it is not what was once written.
    """
    return load_model(path).generator


@check_arguments
def load_model(path: str | Path, contradicted: Callable[[str], object] | None = None) -> Model:
    """The generator of a run or model folder with its card; see ``load``.

    A ``card.json`` that contradicts the weights is told to ``contradicted``, by default as a warning of
    Python's.
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
    _copy_of_card(weights)
    if _digest(tensors) != card.weights_sha256:
        raise _damaged(weights, "its numbers do not match their checksum")
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise _damaged(weights, f"tensor {name} has numbers that are not finite")
    generator.load_state_dict(tensors, assign=True)
    generator.class_names = card.class_names
    if text := _contradiction(weights, card):
        (contradicted or _warn)(text)
    return Model(_as_it_stays(generator), card)


def _as_it_stays(generator: Generator) -> Generator:
    """The generator as an ordinary module that makes images, without what only training needs."""
    for_making_images(generator)  # a sum depends on where its numbers lie: before constraints are folded
    fold(generator)
    return for_making_images(generator.requires_grad_(False))


def find_weights(path: Path) -> Path:
    """The weights file of a model folder, or of a run folder (the best model where there is one).

    Raises ``UsageError`` where there is none, ``DamagedError`` where something else is in its place.
    """
    for candidate in (path / WEIGHTS, path / "model" / "best" / WEIGHTS, path / "model" / "last" / WEIGHTS):
        if candidate.is_file():
            return candidate
        if candidate.exists():
            _refuse_irregular(candidate)
    raise no_run(path, f"{path} holds no model", "a run folder with model/last/, or a model folder itself")


def _refuse_irregular(weights: Path) -> None:
    try:
        with open_regular(weights):
            pass
    except OSError as error:
        raise _damaged(weights, error.strerror or str(error)) from None


def require_openable(path: Path) -> None:
    """Raise ``UsageError`` for a path that is not UTF-8: safetensors opens no file there."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{path} is not a path in UTF-8, and files of models can be opened nowhere else",
            "Rename the folder, or name another one.",
        ) from None


def no_run(path: Path, what: str, expected: str) -> UsageError:
    """The error of somebody who gave a path that is ``what`` instead of what was ``expected``."""
    if path.is_dir():
        inside = [f"{path / name}" for name in _runs_in(path)]
        return UsageError(
            what, f"Give one of those in it: {', '.join(inside)}." if inside else f"Expected {expected}."
        )
    if path.exists():
        return UsageError(f"there is no run at {path}: it is a file", f"Expected {expected}.")
    siblings = _runs_in(path.parent)
    return UsageError(
        f"there is no run at {path}",
        did_you_mean(path.name, siblings) if siblings else "Train one first: ganzfeld train.",
    )


def _runs_in(folder: Path) -> list[str]:
    """The names of what looks like a run or a model in a folder, sorted; it may have no model yet."""
    marks = ("recipe.json", "model", WEIGHTS)
    return sorted({found.parent.name for mark in marks for found in folder.glob(f"*/{mark}")})


def _read_card(text: str, weights: Path) -> Card:
    if not 0 < len(text) <= LARGEST_CARD:
        raise _damaged(weights, "it carries no card")
    try:
        return Card.model_validate(strict_json(text))
    except (ValueError, GanzfeldError) as error:
        raise _damaged(weights, f"its card cannot be read ({str(error).splitlines()[0]})") from None


def _empty_generator(card: Card, weights: Path) -> Generator:
    """The generator without memory for its weights: a hostile card costs nothing."""
    try:
        with torch.device("meta"):
            return card.generator.build()
    except (GanzfeldError, RuntimeError, ValueError) as error:
        raise _damaged(weights, f"its card describes no generator ({error})") from None


def _compare_shapes(file: Any, generator: Generator, weights: Path) -> None:
    expected = {name: (list(tensor.shape), tensor.dtype) for name, tensor in generator.state_dict().items()}
    names = set(file.keys())
    if names != set(expected):
        raise _damaged(weights, f"its tensors are not those of its card: {sorted(names ^ set(expected))[:3]}")
    for name, (shape, dtype) in expected.items():
        found = file.get_slice(name)
        if found.get_shape() != shape:
            raise _damaged(weights, f"tensor {name} has shape {found.get_shape()} instead of {shape}")
        if found.get_dtype() != DTYPES.get(dtype):
            raise _damaged(weights, f"tensor {name} holds {found.get_dtype()} instead of {DTYPES[dtype]}")


def _copy_of_card(weights: Path) -> dict[str, Any]:
    """The copy for people, empty where there is none. Not used, but whoever damaged it should hear of it."""
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
    """What the copy for people says otherwise than the header of the weights, in words; empty if nothing.

    No reason to refuse the model: a process that is killed between the two files leaves the copy as it was.
    """
    if not (fields := _fields_that_differ(weights, card)):
        return ""
    with safe_open(weights, framework="pt") as file:  # both may have been replaced by a training meanwhile
        now = _read_card((file.metadata() or {}).get("card", ""), weights)
    if now != card and not _fields_that_differ(weights, now):
        return ""
    copy = printable(str(weights.with_name(CARD)))
    return f"{copy} contradicts {weights.name} beside it ({', '.join(fields)}); what the weights say is used"


def _fields_that_differ(weights: Path, card: Card) -> list[str]:
    """The names of what both cards say, and say otherwise."""
    copy = _copy_of_card(weights)
    return [name for name, value in card.model_dump(mode="json").items() if copy.get(name, value) != value]


def _warn(text: str) -> None:
    warnings.warn(text, GanzfeldWarning, stacklevel=4)


def _digest(tensors: dict[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and numbers, whatever order and padding the file gives them."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}:{tensor.dtype}:{list(tensor.shape)};".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _damaged(path: Path, why: str) -> DamagedError:
    return DamagedError(f"{path} is damaged: {why}", "Use another model of the run, or train again.")
