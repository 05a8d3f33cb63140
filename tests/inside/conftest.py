"""Short runs to look into: seconds of training suffice for what these tests ask."""

from pathlib import Path

import pytest

import ganzfeld as gz
from tests.training.conftest import small

IMAGES = 256


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
