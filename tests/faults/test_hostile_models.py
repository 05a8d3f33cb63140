"""Models with a right checksum that are not what their card says, ask for too much, or make no images."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import ganzfeld as gz
from ganzfeld.errors import DamagedError, ResourceError, TrainingFailed
from ganzfeld.model import Card, images_of_seeds, save
from ganzfeld.model.card import GeneratorCard, LayerCard
from ganzfeld.model.files import _digest
from ganzfeld.networks import Generator
from tests.training.conftest import small


@pytest.fixture(scope="module")
def run(array_file, tmp_path_factory) -> gz.Run:
    out = tmp_path_factory.mktemp("models")
    return gz.train(array_file, recipe=small(), images=16, out=out, progress=False)


def changed(run: gz.Run, folder: Path, change) -> Path:
    """The model of a run with changed tensors and a checksum that is right for them."""
    with safe_open(run.path / "model" / "last" / "generator.safetensors", framework="pt") as file:
        card = json.loads(file.metadata()["card"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors = {name: change(name, tensor) for name, tensor in tensors.items()}
    card["weights_sha256"] = _digest(tensors)
    folder.mkdir()
    save_file(tensors, folder / "generator.safetensors", metadata={"card": json.dumps(card)})
    return folder


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.int32, torch.bool]
)
def test_numbers_of_another_type_are_refused(run, tmp_path, dtype):
    model = changed(run, tmp_path / "m", lambda name, tensor: tensor.to(dtype))
    with pytest.raises(DamagedError, match="instead of"):
        gz.load(model)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_numbers_that_are_not_finite_are_refused(run, tmp_path, value):
    def spoil(name, tensor):
        return tensor.index_fill(0, torch.tensor([0]), value) if name.endswith("linear.weight") else tensor

    model = changed(run, tmp_path / "m", spoil)
    with pytest.raises(DamagedError, match="NaN or infinity"):
        gz.load(model)
    done = subprocess.run(
        [sys.executable, "-m", "ganzfeld", "sample", str(model), "--out", str(tmp_path / "x.png")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 5 and "NaN or infinity" in done.stderr
    assert not (tmp_path / "x.png").exists()


def test_images_that_are_not_finite_are_refused(run, tmp_path):
    """Every weight is finite, and their sums are not."""
    model = changed(run, tmp_path / "m", lambda name, t: t if t.dtype == torch.int64 else t.sign() * 3e38)
    generator = gz.load(model)
    with pytest.raises(TrainingFailed, match="NaN or infinity"):
        images_of_seeds(generator, [0])


def vast() -> tuple[Generator, Card]:
    """A small file whose images are 16384 x 16384 pixels."""
    large = 16_384
    layers = [
        LayerCard(small=(1, 1), large=(128, 128), kernel=(128, 128), stride=(1, 1), padding=(0, 0)),
        LayerCard(
            small=(128, 128), large=(large, large), kernel=(128, 128), stride=(128, 128), padding=(0, 0)
        ),
    ]
    card = GeneratorCard(
        layers=tuple(layers),
        channels=1,
        latent_size=1,
        width=1,
        normalisation="none",
        activation="relu",
        slope=0.2,
        output="clip",
        bias=False,
    )
    generator = card.build()
    whole = Card(ganzfeld="0", generator=card, prior="normal", recipe="x", data="x", images_seen=1, seed=0)
    return generator, whole


LIMITED = """
import resource, sys
import ganzfeld as gz
from ganzfeld.errors import ResourceError
from ganzfeld.model import images_of_seeds
generator = gz.load(sys.argv[1])
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 2**30, taken + 2**30))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    images_of_seeds(generator, [0])
except ResourceError as error:
    print(error.message)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what memory is free is asked of Linux")
def test_an_image_that_no_memory_holds_is_refused_before_any_is_taken(tmp_path):
    generator, card = vast()
    save(tmp_path / "m", generator, card)
    size = sum(path.stat().st_size for path in (tmp_path / "m").iterdir())
    assert size < 200_000
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "m")], capture_output=True, text=True, timeout=120
    )
    assert "an image of 16384x16384 px would take" in done.stdout, done.stderr
    assert int(done.stdout.splitlines()[1]) < 100_000, "kB"


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
@pytest.mark.parametrize("name", ["card.json", "generator.safetensors"])
def test_what_is_no_file(run, tmp_path, name, kind):
    model = changed(run, tmp_path / "m", lambda name, tensor: tensor)
    (model / name).unlink(missing_ok=True)
    match kind:
        case "pipe":
            os.mkfifo(model / name)
        case "folder":
            (model / name).mkdir()
        case _:
            (model / name).symlink_to("/dev/zero")
    with pytest.raises(gz.GanzfeldError):
        gz.load(model)


def test_memory_is_asked_for_by_how_much_there_is(run, monkeypatch):
    monkeypatch.setattr("ganzfeld.free_memory.free_bytes_of_memory", lambda: 10**6)
    with pytest.raises(ResourceError, match="are free"):
        run.sample(5_000)
    monkeypatch.setattr("ganzfeld.free_memory.free_bytes_of_memory", lambda: None)
    assert len(run.sample(3)) == 3
