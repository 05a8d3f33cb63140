"""Files of a run with contents that do harm, whose outer form is right: checksums, headers and lengths agree.

Each function gives damages by name; see ``damage.py``.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from tests.faults.damage import Damage, changed_fields, put

Tensors = dict[str, Tensor]


def fields_of_json(path: Path) -> dict[str, Damage]:
    """One field after the other of a JSON file is another or missing."""
    changes = changed_fields(json.loads(path.read_text()), path.name)
    return {name: _written(json.dumps(value).encode()) for name, value in changes}


def fields_of_journal(path: Path) -> dict[str, Damage]:
    """The same for the last line of a journal, and for one in its middle."""
    found: dict[str, Damage] = {}
    lines = path.read_text().splitlines()
    for number in (len(lines) // 2, len(lines) - 1):
        for name, value in changed_fields(json.loads(lines[number]), f"{path.name}{number}"):
            changed = [*lines[:number], json.dumps(value), *lines[number + 1 :]]
            found[f"line {number}: {name}"] = _written(("\n".join(changed) + "\n").encode())
    return found


def _written(content: bytes) -> Damage:
    def damage(path: Path, outside: Path) -> None:
        path.write_bytes(content)

    return damage


def hostile_checkpoints(path: Path) -> dict[str, Damage]:
    """Tensors and cards of a checkpoint that no training of this run has written, with a right checksum."""
    card, tensors = _opened(path)
    names = {side: next(name for name in tensors if name.startswith(f"{side}.")) for side in SIDES}
    moment = next(name for name in tensors if name.endswith(".exp_avg_sq"))
    step = next(name for name in tensors if name.endswith(".step"))
    changes = {
        f"{side}: {what}": (name, change)
        for side, name in names.items()
        for what, change in OF_TENSORS.items()
    }
    changes |= {
        "a moment: not finite": (moment, OF_TENSORS["not finite"]),
        "a moment: negative": (moment, lambda value: -torch.ones_like(value)),
        "a step: negative": (step, lambda value: value - 10_000),
        "a step: huge": (step, lambda value: value + 1e30),
    }
    found = {what: _checkpoint(card, _with(tensors, *change)) for what, change in changes.items()}
    found |= {
        "no tensors": _checkpoint(card, {}),
        "one tensor less": _checkpoint(card, {name: tensors[name] for name in list(tensors)[1:]}),
        "one tensor more": _checkpoint(card, tensors | {"generator.more": torch.ones(3)}),
        "a huge tensor of nothing": _checkpoint(card, tensors | {names["generator"]: torch.zeros(2**33, 0)}),
        "a card of 900 kB": _checkpoint(put(card, ("content_hash",), "x" * 900_000), tensors),
        "a card of 2 MB": _checkpoint(put(card, ("content_hash",), "x" * 2_000_000), tensors),
        "no card": _checkpoint(None, tensors),
    }
    for name, value in POSITIONS.items():
        changed = put(card, ("position",), {**card["position"], **value})
        found[f"position: {name}"] = _checkpoint(changed, tensors)
    return found


def fields_of_checkpoint(path: Path) -> dict[str, Damage]:
    """One field after the other of the card of a checkpoint is another or missing."""
    card, tensors = _opened(path)
    return {f"card: {name}": _checkpoint(value, tensors) for name, value in changed_fields(card, path.name)}


POSITIONS = {
    "index of another step": {"index": 7},
    "index 0": {"index": 0},
    "huge index": {"index": 2**62},
    "seen less": {"images_seen": 8},
    "seen more": {"images_seen": 2**62},
    "no seconds": {"seconds": 0.0},
    "seconds below 0": {"seconds": -1e9},
    "ages of seconds": {"seconds": 1e300},
    "a rate of 0": {"rate_scale": 0.0},
    "a rate below 0": {"rate_scale": -3.0},
    "a huge rate": {"rate_scale": 1e300},
    "a horizon of 0": {"horizons": [[0, 0]]},
    "a horizon below 0": {"horizons": [[-5, -5]]},
    "a huge horizon": {"horizons": [[0, 10**30]]},
    "horizons in no order": {"horizons": [[2**40, 10], [0, 20], [0, 0]]},
    "many horizons": {"horizons": [[0, 320]] * 20_000},
}
"""Where no training ever stands: fields of ``Position``."""


def hostile_models(path: Path) -> dict[str, Damage]:
    """Tensors and cards of a model that was never shipped, with a right checksum."""
    card, tensors = _opened(path)
    first = next(name for name, tensor in tensors.items() if tensor.ndim > 1)
    found = {what: _model(card, _with(tensors, first, change)) for what, change in OF_TENSORS.items()}
    found |= {
        "all in half precision": _model(card, {name: each.half() for name, each in tensors.items()}),
        "all integers": _model(card, {name: each.to(torch.int32) for name, each in tensors.items()}),
        "no tensors": _model(card, {}),
        "no card": _model(None, tensors),
        "ladder of huge images": _model(_huge_ladder(card), tensors),
    }
    return found


def fields_of_model(path: Path) -> dict[str, Damage]:
    """One field after the other of the card of a model is another or missing."""
    card, tensors = _opened(path)
    return {f"card: {name}": _model(value, tensors) for name, value in changed_fields(card, path.name)}


def _huge_ladder(card: dict) -> dict:
    """The last layer makes images of 65,536 px with as many weights as before."""
    layers = card["generator"]["layers"]
    last = dict(layers[-1])
    small, kernel, padding = last["small"][0], last["kernel"][0], last["padding"][0]
    stride = 65_536 // small
    large = stride * (small - 1) + kernel - 2 * padding
    last |= {"stride": [stride, stride], "large": [large, large]}
    return put(card, ("generator", "layers"), [*layers[:-1], last])


SIDES = ("generator", "discriminator", "average")

OF_TENSORS: dict[str, Callable[[Tensor], Tensor]] = {
    "not finite": lambda value: torch.full_like(value, torch.nan),
    "infinite": lambda value: torch.full_like(value, torch.inf),
    "huge": lambda value: torch.full_like(value, 3e38),
    "another shape": lambda value: value.flatten(),
    "one row less": lambda value: value[1:] if value.ndim else value[None],
    "of doubles": lambda value: value.double(),
    "of whole numbers": lambda value: value.to(torch.int64),
    "of truths": lambda value: value > 0,
    "of complex numbers": lambda value: value.to(torch.complex64),
    "of bytes": lambda value: value.to(torch.float8_e4m3fn),
    "empty": lambda value: value.new_zeros(0),
}


def _opened(path: Path) -> tuple[dict, Tensors]:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()["card"]), tensors


def _with(tensors: Tensors, name: str, change: Callable[[Tensor], Tensor]) -> Tensors:
    return tensors | {name: change(tensors[name]).contiguous()}


def _header(card: object) -> dict[str, str] | None:
    return None if card is None else {"card": json.dumps(card)}


def _checkpoint(card: object, tensors: Tensors) -> Damage:
    def damage(path: Path, outside: Path) -> None:
        content = safetensors.torch.save(tensors, _header(card))
        path.write_bytes(content)
        path.with_suffix(".sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")

    return damage


def _model(card: object, tensors: Tensors) -> Damage:
    """A model whose card has the digest of these tensors."""

    def damage(path: Path, outside: Path) -> None:
        from ganzfeld.model.files import _digest

        known = card
        if isinstance(card, dict) and "weights_sha256" in card:
            known = card | {"weights_sha256": _digest(tensors)}
        path.write_bytes(safetensors.torch.save(tensors, _header(known)))

    return damage


def _add(name: str, content: bytes | None) -> Damage:
    """Something more in a folder: a file, or a folder where ``content`` is None."""

    def damage(path: Path, outside: Path) -> None:
        if content is None:
            (path / name).mkdir()
            (path / name / "inner").write_bytes(b"something of the user's")
        else:
            (path / name).write_bytes(content)

    return damage


STRANGE_SHEETS: dict[str, Damage] = {
    "one more of no content": _add("340.png", b""),
    "one more of text": _add("12.png", b"no image"),
    "a folder as a sheet": _add("12.png", None),
    "a number of 200 digits": _add("9" * 200 + ".png", b"no image"),
    "digits of another script": _add("\u0663.png", b"no image"),
    "a name of bytes": lambda path, outside: Path(str(path) + "/\udcff.png").write_bytes(b""),  # type: ignore[func-returns-value]
    "a temporary that is a folder": _add(".0.png.x.part", None),
}

STRANGE_CHECKPOINTS: dict[str, Damage] = {
    "one more of no content": _add("000000000340.safetensors", b""),
    "a folder as a checkpoint": _add("000000000340.safetensors", None),
    "a folder as a checksum": _add("000000000007.sha256", None),
    "a checksum of no checkpoint": _add("000000000007.sha256", b"x"),
    "a number of 200 digits": _add("9" * 200 + ".safetensors", b"x"),
    "a number of more than 64 bits": _add("9" * 30 + ".safetensors", b"x"),
    "digits of another script": _add("\u0663.safetensors", b"x"),
    "a temporary that is a folder": _add(".x.part", None),
}
