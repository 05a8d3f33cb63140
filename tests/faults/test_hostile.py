"""FAULTS 24 and 25: files made to do harm in place of a checkpoint, a model, a recipe or a run's facts."""

import hashlib
import json
import os
import pickle
import resource
import struct
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ganzfeld as gz
from ganzfeld.errors import DamagedError, GanzfeldError
from tests.training.conftest import small


class Bomb:
    """Unpickling it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def run(array_file, tmp_path_factory) -> gz.Run:
    return gz.train(array_file, recipe=small(), images=16, out=tmp_path_factory.mktemp("hostile"))


def places(run: gz.Run) -> dict[str, Path]:
    """The files that are read again."""
    return {
        "checkpoint": run.history.path(16),
        "model": run.path / "model" / "last" / "generator.safetensors",
        "recipe": run.path / "recipe.json",
        "facts": run.path / "run.json",
    }


def read(run: gz.Run, kind: str) -> None:
    """Read that file as the program does."""
    fresh = gz.open_run(run.path)
    match kind:
        case "checkpoint":
            fresh.history.read(16)
        case "model":
            gz.load(run.path)
        case "recipe":
            _ = fresh.recipe
        case _:
            _ = fresh.metadata


@pytest.fixture
def put(run):
    """Puts content in place of a file (with a checksum that fits), and what was there back afterwards."""
    before = {
        path: path.read_bytes()
        for path in [*places(run).values(), run.history.path(16).with_suffix(".sha256")]
    }

    def replace(kind: str, content: bytes) -> None:
        path = places(run)[kind]
        path.write_bytes(content)
        if kind == "checkpoint":
            line = f"{hashlib.sha256(content).hexdigest()}  {path.name}\n"
            path.with_suffix(".sha256").write_text(line)

    yield replace
    for path, content in before.items():
        path.write_bytes(content)


def safetensors(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


KINDS = ["checkpoint", "model", "recipe", "facts"]

HEADERS = {
    "a header longer than the file": struct.pack("<Q", 2**62) + b"{}",
    "a header of 100 MB that is not there": struct.pack("<Q", 10**8) + b"{}",
    "no header": b"",
    "half a length": b"\x01\x02",
    "deep nesting": safetensors(b"[" * 100_000 + b"]" * 100_000),
    "deep nesting in the card": safetensors({"__metadata__": {"card": "[" * 100_000}}),
    "a card of another kind": safetensors({"__metadata__": {"card": "[1, 2]"}}),
    "an endless card": safetensors({"__metadata__": {"card": "x" * 2_000_000}}),
    "overlapping tensors": safetensors(
        {
            "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "b": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        },
        bytes(12),
    ),
    "offsets beyond the end": safetensors(
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"1234"
    ),
    "negative offsets": safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]}}),
    "a shape that overflows": safetensors(
        {"a": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 8]}}, bytes(8)
    ),
    "an unknown type": safetensors({"a": {"dtype": "PY", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_is_never_executed(run, put, tmp_path, kind, protocol):
    mark = tmp_path / "executed"
    put(kind, pickle.dumps(Bomb(mark), protocol))
    with pytest.raises(DamagedError):
        read(run, kind)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark), protocol))  # noqa: S301  the bomb works
    assert mark.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_neither_is_a_file_of_torch_save(run, put, tmp_path, kind):
    mark = tmp_path / "executed"
    torch.save({"generator": Bomb(mark)}, tmp_path / "saved.pt")
    put(kind, (tmp_path / "saved.pt").read_bytes())
    with pytest.raises(DamagedError):
        read(run, kind)
    assert not mark.exists()


@pytest.mark.parametrize("kind", ["checkpoint", "model"])
@pytest.mark.parametrize("what", HEADERS)
def test_a_hostile_header_is_refused_at_little_cost(run, put, kind, what):
    put(kind, HEADERS[what])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DamagedError):
        read(run, kind)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 300_000, "kB"


@pytest.mark.parametrize("kind", ["recipe", "facts"])
@pytest.mark.parametrize(
    "content",
    [
        b"[" * 10**6,
        b'{"a": ' * 10**5,
        b"{" + b'"a": 1, ' * 200_000 + b'"b": 2}',
        b'{"size": 1e999}',
        b"\xff\xfe\x00",
    ],
)
def test_hostile_json_is_refused(run, put, kind, content):
    put(kind, content)
    with pytest.raises(DamagedError):
        read(run, kind)


def test_a_card_that_asks_for_more_than_there_is(run, put):
    """Its generator would need terabytes; it is compared with the file before any memory is taken."""
    content = places(run)["model"].read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    card = json.loads(header["__metadata__"]["card"])
    card["generator"] |= {"width": 4096, "latent_size": 65_536, "channels": 4096}
    header["__metadata__"]["card"] = json.dumps(card)
    put("model", safetensors(header, content[8 + length :]))
    with pytest.raises(DamagedError):
        read(run, "model")


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_change_is_read_or_refused(run, put, kind, data):
    """Bytes changed, cut out and put in, at random places: an error of ours or a file that is still good."""
    content = bytearray(places(run)[kind].read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, min(len(content), 3000)))
        content[begin : begin + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    before = places(run)[kind].read_bytes(), run.history.path(16).with_suffix(".sha256").read_bytes()
    put(kind, bytes(content))
    try:
        read(run, kind)
    except GanzfeldError:
        pass
    finally:
        places(run)[kind].write_bytes(before[0])
        run.history.path(16).with_suffix(".sha256").write_bytes(before[1])
