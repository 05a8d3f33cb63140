"""FAULTS 39: ``cache prune`` beside whatever reads or builds the cache; and sets that are read elsewhere."""

import json
import multiprocessing
import shutil
import subprocess
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from ganzfeld.data import open_images
from ganzfeld.data.cache.prune import prune
from ganzfeld.data.cache.store import claimed, read_manifest
from ganzfeld.data.cache.verify import verify
from ganzfeld.data.check.survey import survey
from tests.conftest import blobs

ROUNDS = 12


@pytest.fixture
def photos(tmp_path) -> Path:
    np.save(tmp_path / "photos.npy", blobs(40, 16))
    return tmp_path / "photos.npy"


def use(photos: Path, cache: Path, said: Connection) -> None:
    """Open, look at everything, and open again; send what went wrong, or nothing."""
    try:
        for number in range(ROUNDS):
            size = (16, 16) if number % 2 else (24, 24)  # of two sizes, one is a relative of nothing
            dataset = open_images(photos, size, cache_dir=cache, progress=False, workers=0)
            found = survey(dataset)
            assert found.usable == 40 and dataset.batch(np.arange(40)).shape == (40, *size, 3)
            assert not dataset.unusable and len(dataset.listing) == 40 and dataset.disk_bytes > 0
            verify(photos, cache_dir=cache)
        said.send("")
    except BaseException:  # noqa: BLE001  told to the parent, in whose test it fails
        said.send(traceback.format_exc())


def test_neither_fails(photos, tmp_path):
    forks = multiprocessing.get_context("fork")
    heard, users = [], []
    for _ in range(3):
        hearing, saying = forks.Pipe(duplex=False)
        users.append(forks.Process(target=use, args=(photos, tmp_path / "cache", saying)))
        users[-1].start()
        heard.append(hearing)
    removed = 0
    while any(user.is_alive() for user in users):
        removed += len(prune(tmp_path / "cache", keep_bytes=0))
    assert [hearing.recv() for hearing in heard] == [""] * 3
    assert removed > 0
    assert list((tmp_path / "cache" / "new").iterdir()) == []


def test_the_commands(photos, tmp_path, monkeypatch):
    monkeypatch.setenv("GANZFELD_CACHE", str(tmp_path / "cache"))
    command = [sys.executable, "-m", "ganzfeld"]
    checks = [
        subprocess.Popen([*command, "check", photos, "--size", "16", "--json"], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    while any(check.poll() is None for check in checks):
        prune(tmp_path / "cache", keep_bytes=0)
    for check in checks:
        assert json.loads(check.communicate()[0])["usable"] == 40
        assert check.returncode == 0
    assert subprocess.run([*command, "cache", "prune", "--all"], capture_output=True).returncode == 0


def test_what_is_open_stays_usable(photos, tmp_path):
    dataset = open_images(photos, (16, 16), cache_dir=tmp_path / "cache", progress=False)
    assert len(prune(tmp_path / "cache", keep_bytes=0)) == 1
    shutil.rmtree(tmp_path / "cache")
    assert survey(dataset).usable == 40 and dataset.unusable == () and dataset.labels is None
    assert dataset.place(3).endswith("[3]") and dataset.records["row"][3] >= 0


def test_one_that_is_being_made_stays(photos, tmp_path):
    cache = tmp_path / "cache"
    open_images(photos, (16, 16), cache_dir=cache, progress=False)
    (folder,) = (cache / "sets").iterdir()
    (cache / "new" / "x").mkdir()
    with claimed(cache / "new" / "x", folder, lambda: None) as is_there:
        assert is_there and prune(cache, keep_bytes=0) == []
    assert len(prune(cache, keep_bytes=0)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"shards": "many"},
        {"shards": [40.5]},
        {"shards": [-1]},
        {"num_pictures": True},
        {"notes": "one"},
        {"notes": [3]},
        {"channels": 7},
        {"framing": {}},
        {"seen_at": None},
        {"decode_seconds": "long"},
        {"unknown": 1},
        {"format": 10**30},
    ],
)
def test_a_manifest_that_nobody_wrote_is_none(photos, tmp_path, change):
    first = open_images(photos, (16, 16), cache_dir=tmp_path / "cache", progress=False)
    path = first.folder / "manifest.json"
    assert read_manifest(first.folder) is not None
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert read_manifest(first.folder) is None
    again = open_images(photos, (16, 16), cache_dir=tmp_path / "cache", progress=False)
    assert again.content_hash == first.content_hash


def test_a_copy_has_its_own_name(tmp_path):
    """Files with their times: the listing is the same, and so is the set."""
    (tmp_path / "cats").mkdir()
    np.save(tmp_path / "cats" / "a.npy", blobs(12, 16).astype(np.float32) / 255)
    cats = open_images(tmp_path / "cats" / "a.npy", (16, 16), cache_dir=tmp_path / "cache", progress=False)
    shutil.copy2(tmp_path / "cats" / "a.npy", tmp_path / "dogs.npy")
    dogs = open_images(tmp_path / "dogs.npy", (16, 16), cache_dir=tmp_path / "cache", progress=False)
    assert (cats.name, dogs.name) == ("a", "dogs")
    assert cats.folder == dogs.folder
    assert "a.npy" in cats.notes[0] and "dogs.npy" in dogs.notes[0] and "a.npy" not in dogs.notes[0]
