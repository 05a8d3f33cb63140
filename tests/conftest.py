"""What all tests share: a cache of their own, and small sets of real image files."""

import importlib
import itertools
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

# Tests work on small tensors, where threads only wait for each other; processes they start inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir
from PIL import Image
from safetensors.torch import save_file

from tests.metrics.inception_reference import drawn_weights

TOOLS = Path(__file__).parents[1] / "tools"

# A machine under load is no reason to fail: no example has a deadline, and none is generated too slowly.
settings.register_profile(
    "ganzfeld", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("ganzfeld")
# What hypothesis keeps beside its database would go into the current directory.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "ganzfeld-hypothesis")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    """No test reads or writes the user's cache."""
    from ganzfeld.training.dry_run import measured_speed

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANZFELD_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("COLUMNS", "120")
        # Trainings of tests are not judged: that takes longer than they do. Tests of judging say how.
        patch.setenv("GANZFELD_FEATURES", "none")
        # A dry run times steps for three seconds, which say nothing more to a test than its least steps.
        patch.setattr("ganzfeld.training.dry_run.measured_speed", partial(measured_speed, least_s=0.0))
        yield


@pytest.fixture(autouse=True)
def same_noise():
    """Tests that draw from torch's global state draw the same every time, with denormals as usual.

    A training switches denormals off in its process, where hypothesis would miss them.
    """
    torch.manual_seed(0)
    torch.set_flush_denormal(False)


def blobs(num: int, size: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Simple images, uint8 (num, size, size, channels): one soft blob each, of random place and colour."""
    random = np.random.default_rng(seed)
    grid = np.arange(size)
    centre = random.uniform(0.25 * size, 0.75 * size, (num, 2, 1))
    along_y, along_x = (np.exp(-(((grid - centre[:, axis]) / (0.2 * size)) ** 2)) for axis in (0, 1))
    colour = random.uniform(80, 255, (num, 1, 1, channels))
    return (along_y[:, :, None, None] * along_x[:, None, :, None] * colour).astype(np.uint8)


@pytest.fixture(scope="session")
def array_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 colour images of 16 px in one array file."""
    path = tmp_path_factory.mktemp("arrays") / "blobs.npy"
    np.save(path, blobs(200, 16))
    return path


def draw_few_faces(patch: pytest.MonkeyPatch, num: int) -> None:
    """Let the built-in faces be the first ``num`` of them: to draw all 5,000 takes longer than most tests."""
    from ganzfeld.data.sources.faces import FacesSource

    entries = FacesSource.entries
    patch.setattr(FacesSource, "entries", lambda source: itertools.islice(entries(source), num))


def coloured(num: int = 150, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Blobs, each of one channel alone, and which (0, 1 or 2), the first more often than the last."""
    labels = np.random.default_rng(1).choice(3, num, p=[0.6, 0.3, 0.1])
    return blobs(num, size) * np.eye(3, dtype=np.uint8)[labels][:, None, None], labels


@pytest.fixture(scope="session")
def by_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 images of 16 px in one array file, of three classes: their colours."""
    path = tmp_path_factory.mktemp("coloured") / "coloured.npz"
    images, labels = coloured()
    np.savez(path, images=images, labels=labels)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 colour PNG files of 20 px, some in a folder below, whose name needs care."""
    root = tmp_path_factory.mktemp("with a space") / "mes photos é"
    (root / "inner").mkdir(parents=True)
    for number, image in enumerate(blobs(30, 20)):
        Image.fromarray(image).save(root / ("inner" if number % 3 else ".") / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of an Inception network that were drawn, and not learned."""
    path = tmp_path_factory.mktemp("weights") / "drawn.safetensors"
    save_file(drawn_weights(), path)
    return path


@pytest.fixture(scope="session")
def short_training(array_file: Path):
    """The lab's training made shorter: 16 px blobs, width 8, 512 of them seen. Kept for all tests."""
    from ganzfeld.lab import Training
    from ganzfeld.recipes import resolve

    narrow = {"size": 16, "batch": 8, "latent.size": 16, "generator.width": 8, "discriminator.width": 8}
    rates = {"generator.optimizer.lr": 1e-3, "discriminator.optimizer.lr": 1e-3, "ema": 0.99}
    return Training(resolve("seed", narrow | rates), str(array_file), images=512)


@pytest.fixture(scope="session")
def strangers() -> Iterator[ModuleType]:
    """The tool with the loops and their mistakes."""
    sys.path.insert(0, str(TOOLS))
    yield importlib.import_module("doctor_strangers")
    sys.path.remove(str(TOOLS))


@pytest.fixture(scope="session")
def blobs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 colour blobs of 32 px on a background, mostly red, with labels by their brightness."""
    pixels = 0.7 * blobs(400, 32).astype(float) * [1.0, 0.6, 0.3] + np.array([70, 40, 20])
    labels = pixels.mean((1, 2, 3)).argsort().argsort() * 4 // len(pixels)
    path = tmp_path_factory.mktemp("blobs") / "blobs.npz"
    np.savez(path, images=pixels.astype(np.uint8), labels=labels)
    return path


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI, where everything can be installed, a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("CI") and skipped and exitstatus == pytest.ExitCode.OK:
        for report in skipped:
            print(f"\nskipped in CI: {report.nodeid}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--thorough``: the long form of the tests that have one. ``--gpu``: also those that need a GPU."""
    parser.addoption("--thorough", action="store_true", help="try everything where a test takes a sample")
    parser.addoption("--gpu", action="store_true", help="also run the tests that need a GPU")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests marked ``thorough`` and ``gpu`` unless their option is given."""
    for marker in ("thorough", "gpu"):
        if not config.getoption(f"--{marker}"):
            others = [item for item in items if item.get_closest_marker(marker)]
            items[:] = [item for item in items if item not in others]
            config.hook.pytest_deselected(items=others)
