"""What an earlier set knows, looked up by the digest of a file."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.ingest.reuse_index import ReuseIndex, write_index
from tests.data.making import fill


@pytest.fixture
def earlier(tmp_path: Path) -> ImageDataset:
    return open_images(fill(tmp_path / "set", 40), (16, 16), workers=0)


@pytest.fixture
def known(earlier: ImageDataset, tmp_path: Path) -> ReuseIndex:
    folder = tmp_path / "later"
    folder.mkdir()
    write_index(folder, [earlier.folder])
    return ReuseIndex(folder, [earlier.folder])


def digest_of(number: int, tmp_path: Path) -> bytes:
    return hashlib.sha256((tmp_path / "set" / f"{number:05}.png").read_bytes()).digest()


def test_every_file_is_found_with_its_record_and_its_pixels(
    known: ReuseIndex, earlier: ImageDataset, tmp_path: Path
):
    for number in range(40):
        found = known.find(digest_of(number, tmp_path))
        assert found is not None
        assert found[0]["sha256"].tobytes() == digest_of(number, tmp_path)
        np.testing.assert_array_equal(found[1], earlier.batch(np.array([number]))[0])


@pytest.mark.parametrize("byte", [8, 20, 31])
def test_another_file_with_the_same_first_eight_bytes_is_not_taken_for_it(
    known: ReuseIndex, tmp_path: Path, byte: int
):
    digest = bytearray(digest_of(7, tmp_path))
    assert known.find(bytes(digest)) is not None
    digest[byte] ^= 1
    assert known.find(bytes(digest)) is None


def test_what_was_never_seen_is_not_found(known: ReuseIndex, tmp_path: Path):
    assert [known.find(bytes([value]) * 32) for value in (0, 127, 255)] == [None] * 3
    empty = tmp_path / "empty"
    empty.mkdir()
    write_index(empty, [])
    assert ReuseIndex(empty, []).find(digest_of(0, tmp_path)) is None


def test_a_set_that_was_removed_since_is_no_longer_known(
    known: ReuseIndex, earlier: ImageDataset, tmp_path: Path
):
    for file in earlier.folder.glob("*.npy"):
        file.unlink()
    assert known.find(digest_of(0, tmp_path)) is None
