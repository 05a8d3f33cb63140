"""Runs that version 0.1.0 made before the rooms were redrawn are read, diagnosed, sampled and resumed.

``older/`` holds three, with the images they were trained on: one trained by class and judged at its end; one
forked; one with ``--auto``, stopped by a signal. They are as they were written, except that the page is left
out and their folder is called ``/data``. They are not made again: that is their point.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

import ganzfeld as gz

pytestmark = pytest.mark.machine

OLDER = Path(__file__).parent / "older"
IMAGES = OLDER / "shapes.npz"
NAMES = {"judged-by-class": 400, "forked": 320, "attended-interrupted": None}
"""Each with the images seen at its end."""


@pytest.fixture(params=NAMES)
def older(request, tmp_path) -> gz.Run:
    """A run of each kind, in a folder of its own."""
    with tarfile.open(OLDER / f"{request.param}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return gz.open_run(tmp_path / request.param)


def test_it_is_read(older):
    expected = NAMES[older.path.name]
    assert expected is None or older.position.images_seen == expected
    assert older.journal[-1]["images_seen"] == older.position.images_seen
    assert older.history.all()[-1] == older.position.images_seen
    assert older.metadata.preparation.max_bad == older.metadata.max_bad == 0.5


def test_its_diagnosis_is_what_it_was(older):
    said = json.loads((older.path / "verdict.json").read_bytes())
    diagnosis = older.diagnose()
    assert diagnosis.verdict == said["verdict"]
    # Their networks are very narrow, which is named since.
    found = [each.name for each in diagnosis.findings if each.name != "unusual-settings"]
    assert found == [each["name"] for each in said["findings"]]


def test_its_samples_are_what_they_were(older):
    """The grid of fixed seeds, to within what other processors round otherwise."""
    from PIL import Image

    stored = np.asarray(Image.open(older.sample_files[-1])).astype(int)
    images = older.sample(2).astype(int)
    assert np.abs(stored[:16, :16] - images[0]).max() <= 2


def test_it_is_resumed(older):
    """Exactly where it stood: on another processor this needs ``inexact``, and is written down."""
    at = older.position.images_seen
    resumed = gz.resume(older.path, data=IMAGES, images=at + 80, inexact=True, progress=False)
    assert resumed.journal[-1]["images_seen"] >= at + 80
    assert resumed.metadata.data == str(IMAGES)
    assert resumed.diagnose().verdict


def test_it_is_forked_from_its_beginning(older):
    fork = gz.resume(older.path, from_images=0, images=40, data=IMAGES, inexact=True, progress=False)
    assert fork.path.parent == older.path.parent
    assert fork.recipe == older.recipe
