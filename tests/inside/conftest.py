"""Short runs to look into: seconds of training suffice for what these tests ask."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import ganzfeld as gz
from ganzfeld.cli import main
from ganzfeld.model import Model, as_bytes
from tests.inside.toys import LATENT, toy, two_attributes
from tests.training.conftest import small

IMAGES = 256

Command = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="session")
def run(array_file: Path, tmp_path_factory: pytest.TempPathFactory) -> gz.Run:
    """A run on 16 px blobs."""
    out = tmp_path_factory.mktemp("inside")
    return gz.train(str(array_file), recipe=small(), images=IMAGES, out=out, progress=False)


@pytest.fixture(scope="session")
def conditional_run(by_class: Path, tmp_path_factory: pytest.TempPathFactory) -> gz.Run:
    """A run on blobs of three classes, with a discriminator whose weights are constrained."""
    out = tmp_path_factory.mktemp("inside by class")
    recipe = small(classes="projection", stabilisers="spectral")
    return gz.train(str(by_class), recipe=recipe, images=IMAGES, out=out, progress=False)


@pytest.fixture(scope="session")
def class_folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 images of a toy in folders by class, ``red`` and ``blue``, and all in ``flat`` with a table."""
    root, latents = tmp_path_factory.mktemp("folders"), torch.randn(60, LATENT)
    rows = ["file,label"]
    for number, (image, latent) in enumerate(zip(as_bytes(two_attributes(latents)), latents, strict=True)):
        name, label = f"{number:03d}.png", "red" if latent[0] > 0 else "blue"
        for folder in (root / "by class" / label, root / "flat"):
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / name)
        rows.append(f"{name},{label}")
    (root / "labels.csv").write_text("\n".join(rows))
    return root


@pytest.fixture(scope="session")
def known_run(class_folders: Path, tmp_path_factory: pytest.TempPathFactory) -> gz.Run:
    """A run on the images of a toy in folders by class, whose generator is the toy: it learned perfectly."""
    data, out = class_folders / "by class", tmp_path_factory.mktemp("known")
    run = gz.train(str(data), recipe=small(), images=32, out=out, progress=False)
    vars(run)["model"] = Model(toy(two_attributes).generator, run.model.card)
    return run


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command line in a new folder, and returns its exit code and its JSON."""
    monkeypatch.chdir(tmp_path)

    def run_it(*words: object) -> tuple[int, dict[str, Any]]:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*map(str, words), "--json"])
        return int(ended.value.code or 0), json.loads(capfd.readouterr().out)

    return run_it
