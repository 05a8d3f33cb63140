"""FAULTS 12: an archive that ends before its end never loses images without a word; and what is no file."""

import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from ganzfeld.data import ImageDataset, open_images
from ganzfeld.errors import DataError
from tests.cli.test_cli import call
from tests.conftest import blobs

NUM = 20


def png(array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


def archive(path: Path) -> Path:
    """Twenty images in an archive of the kind that its name says."""
    images = [png(image) for image in blobs(NUM, 16)]
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as whole:
            for number, content in enumerate(images):
                whole.writestr(f"{number:02}.png", content)
        return path
    kind = path.suffix[1:] if path.suffix != ".tar" else ""
    with tarfile.open(path, f"w:{kind}") as whole:  # type: ignore[call-overload]
        for number, content in enumerate(images):
            member = tarfile.TarInfo(f"{number:02}.png")
            member.size = len(content)
            whole.addfile(member, io.BytesIO(content))
    return path


def opened(path: Path) -> ImageDataset:
    return open_images(
        path, (16, 16), cache_dir=path.parent / "cache", progress=False, workers=0, max_bad=1.0
    )


def lost_without_a_word(path: Path) -> bool:
    try:
        images = opened(path)
    except DataError:
        return False
    return images.num_pictures + len(images.unusable) < NUM and not images.notes


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2", "a.zip"])
def test_a_cut_is_told(tmp_path, name):
    """In a header, in an image, between them, and just before the end."""
    whole = archive(tmp_path / name)
    assert opened(whole).num_pictures == NUM and not opened(whole).notes
    content = whole.read_bytes()
    for cut in (*range(100, len(content), len(content) // 9), len(content) - 10_300, len(content) - 9):
        if cut > 0:
            whole.write_bytes(content[:cut])
            assert not lost_without_a_word(whole), cut


def test_a_cut_in_a_header_says_so(tmp_path):
    whole = archive(tmp_path / "a.tar")
    with tarfile.open(whole) as members:
        third = members.getmembers()[3].offset
    content = whole.read_bytes()
    for cut, words in ((third + 100, "truncated"), (third, "truncated"), (third + 511, "truncated")):
        whole.write_bytes(content[:cut])
        images = opened(whole)
        assert images.num_pictures == 3
        assert "a.tar is damaged after 3 members (it has no end marker" in images.notes[0]
        assert words in images.notes[0]
        assert words in call("check", whole, "--size", 16)[1]
    whole.write_bytes(content[: third + 20] + b"\xff" * 600 + content[third + 620 :])
    assert "invalid header" in opened(whole).notes[0]


@pytest.mark.parametrize("kind", ["", ".gz", ".xz"])
def test_data_after_the_mark_of_an_end_is_told(tmp_path, kind):
    """A header that was overwritten with zeros, a mark of an end in the middle, and joined tars."""
    whole = archive(tmp_path / "whole.tar")
    with tarfile.open(whole) as members:
        seventh = members.getmembers()[7].offset
    content = whole.read_bytes()
    press = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}[kind]
    cases = {
        "zeroed": (press(content[:seventh] + bytes(512) + content[seventh + 512 :]), 7),
        "ended": (press(content[:seventh] + bytes(1024) + content[seventh:]), 7),
        "joined": (press(content) + press(content), NUM),
    }
    for name, (changed, num) in cases.items():
        path = tmp_path / f"{name}.tar{kind}"
        path.write_bytes(changed)
        images = opened(path)
        assert images.num_pictures == num
        assert f"{path.name} is read up to its end marker, after {num} members" in images.notes[0]
        assert "and is not read" in images.notes[0]
        assert "and is not read" in call("check", path, "--size", 16)[1]


def test_a_zeroed_first_header_is_refused(tmp_path):
    whole = archive(tmp_path / "a.tar")
    whole.write_bytes(bytes(512) + whole.read_bytes()[512:])
    code, _, complaint = call("check", whole)
    assert code == 3 and "data follows at byte 512 and is not read" in complaint


@pytest.mark.parametrize(("name", "stream"), [("a.tar.gz", "gzip"), ("a.tar.xz", "xz"), ("a.tgz", "gzip")])
def test_a_damaged_stream_is_called_one(tmp_path, name, stream):
    """Anywhere in it, in its checksum too: what is read of the tar may be shifted or altered."""
    whole = tmp_path / name
    archive(tmp_path / f"a.tar.{stream[:2]}").rename(whole)
    content = whole.read_bytes()
    for place in (*(len(content) * tenth // 10 for tenth in range(3, 10)), len(content) - 6):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        whole.write_bytes(changed)
        try:
            note = " ".join(opened(whole).notes)
        except DataError as error:
            note = error.message
        assert f"its {stream} stream is damaged" in note, place
    whole.write_bytes(content[: len(content) * 9 // 10])
    assert (
        f"some of which may be wrong or missing: its {stream} stream is damaged or truncated"
        in opened(whole).notes[0]
    )


def test_a_shard_that_is_cut(tmp_path):
    """A folder of tars."""
    (tmp_path / "set").mkdir()
    archive(tmp_path / "set" / "0.tar")
    cut = archive(tmp_path / "set" / "1.tar")
    cut.write_bytes(cut.read_bytes()[: 1024 * 5 + 70])
    os.mkfifo(tmp_path / "set" / "2.tar")
    images = opened(tmp_path / "set")
    assert images.num_pictures == NUM + 5
    assert "1.tar is damaged after 5 members" in images.notes[0]
    assert [Path(each.path).name for each in images.unusable] == ["2.tar"]


@pytest.mark.parametrize("name", ["pipe", "pipe.zip", "pipe.npy", "pipe.tar", "pipe-images-idx3-ubyte"])
def test_a_pipe_is_no_set(tmp_path, name):
    os.mkfifo(tmp_path / name)
    code, _, complaint = call("check", tmp_path / name)
    assert code == 3 and "neither a folder nor a regular file" in complaint
