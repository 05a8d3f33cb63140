"""FAULTS 33 in the cache: nothing is written or deleted through a link, nor what was not made here."""

import os
import time
from pathlib import Path

import pytest

from ganzfeld.data import open_images
from ganzfeld.data.cache.prune import encoders, prune, prune_encoders, prune_lab_runs
from ganzfeld.data.cache.store import LOCK
from ganzfeld.errors import ResourceError

KEY = "a" * 64
LONG_AGO = time.time() - 30 * 86_400


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of the user's, with names that those of a set have."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("manifest.json", "begun", "lock", "00000.npy", ".x.part", "duplicates.json", "notes.txt"):
        (folder / name).write_text("mine")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def opened(array_file: Path, cache: Path):
    return open_images(array_file, size=(16, 16), cache_dir=cache)


def test_pruning_leaves_links_and_folders_of_others(mine, tmp_path):
    """The cache may have been put into a folder that holds other things by the same names."""
    cache = tmp_path / "cache"
    for place in ("sets", "lab", "inversion", "new"):
        (cache / place / "photos").mkdir(parents=True)
        (cache / place / "photos" / "a.png").write_text("mine")
        (cache / place / KEY).symlink_to(mine)
        os.utime(cache / place / "photos", (LONG_AGO, LONG_AGO))
    os.utime(mine, (LONG_AGO, LONG_AGO))
    before = contents(mine)
    assert prune(cache, 0.0, 0) == [] and prune_lab_runs(cache, 0.0) == []
    assert prune_encoders(cache, 0.0) == []
    assert contents(mine) == before
    for place in ("sets", "lab", "inversion", "new"):
        assert (cache / place / KEY).is_symlink() and (cache / place / "photos" / "a.png").exists()


def test_encoders_behind_a_link_are_not_those_of_the_cache(tmp_path):
    (tmp_path / "elsewhere" / KEY).mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "inversion").symlink_to(tmp_path / "elsewhere")
    assert encoders(tmp_path / "cache") == prune_encoders(tmp_path / "cache", 0.0) == []
    assert (tmp_path / "elsewhere" / KEY).is_dir()


def test_reading_forgets_only_what_was_left_behind(array_file, tmp_path):
    left = tmp_path / "cache" / "new"
    for name in ("photos", "ganzfeld-photos", "ganzfeld-abcd1234"):
        (left / name).mkdir(parents=True)
        (left / name / "x").write_text("")
        os.utime(left / name, (LONG_AGO, LONG_AGO))
    opened(array_file, tmp_path / "cache")
    assert sorted(path.name for path in left.iterdir()) == ["ganzfeld-photos", "photos"]


def test_making_a_set_removes_only_what_was_left_unfinished(array_file, tmp_path):
    """Names of temporary files that our writers give go, others with the same end are the user's."""
    folder = opened(array_file, tmp_path / "cache").folder
    left = (".00000.npy.47.part", ".00001.json.12.part", ".labels.npy.0a1b_3d4.part", ".begun.abc_efgh.part")
    others = (".x.part", ".notes.txt.47.part", ".mine.npy.0a1b_3d4.part", ".00000.npy.part", ".0.npy.1.part")
    for name in (*left, *others):
        (folder / name).write_text("mine")
    (folder / ".00002.npy.1.part").mkdir()
    (folder / "manifest.json").unlink()
    opened(array_file, tmp_path / "cache")
    assert {path.name for path in folder.glob(".*.part")} == {*others, ".00002.npy.1.part"}


def test_pruning_removes_no_files_of_others_from_the_ranges(tmp_path):
    ranges = tmp_path / "ranges"
    ranges.mkdir()
    for name in (f"{KEY}.json", f".{KEY}.json.0a1b_3d4.part", "mine.json", "notes.txt", f"{KEY}.json.bak"):
        (ranges / name).write_text("[0, 1]")
        os.utime(ranges / name, (LONG_AGO, LONG_AGO))
    prune(tmp_path, 0.0)
    assert sorted(path.name for path in ranges.iterdir()) == [f"{KEY}.json.bak", "mine.json", "notes.txt"]


@pytest.mark.parametrize("place", ["", LOCK])
@pytest.mark.parametrize("whole", [True, False], ids=["a whole set", "an unfinished set"])
def test_a_set_that_is_a_link_is_refused(array_file, mine, tmp_path, place, whole):
    cache = tmp_path / "cache"
    folder = opened(array_file, cache).folder
    if not whole:
        (folder / "manifest.json").unlink()
    link = folder / place if place else folder
    link.rename(tmp_path / "aside")
    link.symlink_to(mine / "notes.txt" if place else mine)
    before = contents(mine)
    if place and whole:
        opened(array_file, cache)
    else:
        with pytest.raises(ResourceError, match="is a link"):
            opened(array_file, cache)
    assert contents(mine) == before


def test_what_lies_in_a_set_is_not_written_through(array_file, mine, tmp_path):
    cache = tmp_path / "cache"
    folder = opened(array_file, cache).folder
    (folder / "manifest.json").unlink()
    for name in ("begun", "00000.npy", "duplicates.json", "records.bin"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(mine / "notes.txt")
    assert opened(array_file, cache).num_pictures == 200
    assert contents(mine)["notes.txt"] == b"mine"


def test_sets_may_lie_on_another_disk(array_file, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "sets").symlink_to(tmp_path / "disk")
    (tmp_path / "disk" / "photos").mkdir()
    assert opened(array_file, tmp_path / "cache").num_pictures == 200
    assert len(prune(tmp_path / "cache", 0.0, 0)) == 1
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["photos"]
