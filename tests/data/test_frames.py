"""Files with several frames: those that are not read are counted, and ``frames`` reads them."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzfeld.data import open_images
from ganzfeld.data.cache.verify import verify
from ganzfeld.data.check.survey import survey
from ganzfeld.data.decoding.decode import FORMATS
from ganzfeld.data.decoding.frames import num_frames
from ganzfeld.errors import DataError, UsageError
from tests.data.making import encoded, noise, zipped

KINDS = ["TIFF", "GIF", "PNG", "WEBP", "AVIF"]


def animated(kind: str, number: int, side: int = 16) -> bytes:
    """A file of so many frames, each of one grey that is its number times 20."""
    frames = [Image.fromarray(np.full((side, side), 20 * frame, np.uint8)) for frame in range(number)]
    exact = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "AVIF" else {}
    buffer = io.BytesIO()
    first, *rest = [frame.convert("RGB") for frame in frames] if kind in ("WEBP", "AVIF") else frames
    first.save(buffer, kind, save_all=True, append_images=rest, **exact)
    return buffer.getvalue()


def told(path: Path, **options: Any) -> str:
    """The text of the warning ``unread-frames``, ``""`` without one."""
    found = survey(open_images(path, (16, 16), workers=0, **options)).warnings
    return "".join(each.text for each in found if each.name == "unread-frames")


def hidden(path: Path, **options: Any) -> str:
    """The text of the warning ``unread-images``, ``""`` without one."""
    found = survey(open_images(path, (16, 16), workers=0, **options)).warnings
    return "".join(each.text for each in found if each.name == "unread-images")


def stereo(number: int) -> bytes:
    """An MPO of so many images."""
    views = [Image.fromarray(noise(16, 16, seed=view)) for view in range(number)]
    buffer = io.BytesIO()
    views[0].save(buffer, "MPO", save_all=True, append_images=views[1:])
    return buffer.getvalue()


def shades(path: Path, workers: int = 0, **options: Any) -> list[int]:
    """The number of the frame that each image of a set is."""
    dataset = open_images(path, (16, 16), workers=workers, **options)
    return (
        np.rint(dataset.batch(np.arange(dataset.num_pictures)).mean(axis=(1, 2, 3)) / 20).astype(int).tolist()
    )


@pytest.fixture(params=["folder", "zip"])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """Writes files into a folder or a zip."""

    def write(files: dict[str, bytes]) -> Path:
        if request.param == "zip":
            return zipped(tmp_path / "set.zip", files)
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        return tmp_path

    return write


class TestEveryFormat:
    @pytest.mark.parametrize("kind", KINDS)
    def test_frames_are_counted_and_read(self, put, kind: str):
        one = encoded(np.full((16, 16, 1), 200, np.uint8))
        path = put({f"a.{kind.lower()}": animated(kind, 6), "b.png": one})
        assert shades(path) == shades(path, frames="first") == [0, 10]
        assert "1 file with several frames: the first is read, and 5 are not" in told(path)
        assert shades(path, frames="all") == [0, 1, 2, 3, 4, 5, 10]
        assert told(path, frames="all") == ""
        assert shades(path, frames="3") == [0, 2, 5, 10]
        assert "3 evenly spaced frames of each are read, and 3 are not" in told(path, frames="3")
        assert shades(path, frames="7") == shades(path, frames="all")

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_frame_is_nothing_to_tell(self, tmp_path: Path, kind: str):
        (tmp_path / f"a.{kind.lower()}").write_bytes(animated(kind, 1))
        assert told(tmp_path) == "" and shades(tmp_path, frames="all") == [0]

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_count_agrees_with_pillow(self, kind: str):
        for number in (1, 2, 7):
            content = animated(kind, number)
            with Image.open(io.BytesIO(content)) as image:
                assert num_frames(content, FORMATS) == getattr(image, "n_frames", 1) == number

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_file_that_ends_before(self, kind: str):
        content = animated(kind, 4, side=64)
        for share in range(1, 20):
            assert 1 <= num_frames(content[: len(content) * share // 20], FORMATS) <= 4

    def test_the_second_image_of_a_telephone_is_no_frame(self, tmp_path: Path):
        (tmp_path / "a.jpg").write_bytes(stereo(2))
        assert told(tmp_path) == "" and len(shades(tmp_path, frames="all")) == 1

    @pytest.mark.parametrize("frames", ["first", "all"])
    @pytest.mark.parametrize("workers", [0, 2])
    def test_but_it_is_said_not_to_be_read(
        self, put: Callable[[dict[str, bytes]], Path], frames: str, workers: int
    ):
        plain = {f"plain {number}.jpg": encoded(noise(16, 16, seed=number), "JPEG") for number in range(70)}
        path = put({"a.jpg": stereo(2), "b.jpg": stereo(3), **plain})
        open_images(path, (16, 16), workers=workers, frames=frames)
        text = hidden(path, frames=frames)
        assert text.startswith("2 files with further images after the first (MPO: ")
        assert "the first is read, and 3 are not" in text


class TestEntries:
    def test_each_is_named_counted_and_no_duplicate_of_its_file(self, tmp_path: Path):
        (tmp_path / "a.tif").write_bytes(animated("TIFF", 4))
        dataset = open_images(tmp_path, (16, 16), workers=0, frames="all")
        names = [f"{tmp_path}/a.tif[{frame}]" for frame in range(4)]
        assert [dataset.place(index) for index in range(4)] == names
        assert len(np.unique(dataset.records["sha256"], axis=0)) == 4
        assert not any(group.exact for group in survey(dataset).duplicates)

    def test_worker_processes_read_the_same(self, tmp_path: Path):
        for number in range(9):
            (tmp_path / f"{number}.gif").write_bytes(animated("GIF", 9))
        assert shades(tmp_path, workers=2, frames="all") == list(range(9)) * 9

    def test_verify_compares_frame_by_frame(self, tmp_path: Path):
        path = tmp_path / "a.tif"
        path.write_bytes(animated("TIFF", 4))
        open_images(tmp_path, (16, 16), workers=0, frames="all")
        found = verify(tmp_path)
        assert (found.num_read, found.changed, found.missing, found.new) == (4, (), (), ())
        path.write_bytes(animated("TIFF", 3))
        found = verify(tmp_path)
        assert [len(each) for each in (found.changed, found.missing, found.new)] == [3, 1, 0]

    def test_a_flaw_in_a_later_frame_costs_that_frame(self, tmp_path: Path):
        content = animated("TIFF", 3)
        width = b"\x00\x01\x04\x00\x01\x00\x00\x00\x10"  # the tag, a long number, one of them: 16
        assert content.count(width) == 3
        at = content.rindex(width) + 8
        content = content[:at] + b"\0" + content[at + 1 :]
        (tmp_path / "a.tif").write_bytes(content)
        dataset = open_images(tmp_path, (16, 16), workers=0, frames="all")
        assert dataset.num_pictures == 2 and dataset.unusable[0].path.endswith("a.tif[2]")

    def test_classes_go_by_the_name_of_the_file(self, tmp_path: Path):
        for name in ("cats", "dogs"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.gif").write_bytes(animated("GIF", 3))
        dataset = open_images(tmp_path, (16, 16), workers=0, frames="all")
        assert dataset.labels is not None and dataset.labels.tolist() == [0, 0, 0, 1, 1, 1]

    def test_frames_have_ranges_too(self, tmp_path: Path):
        pages = [Image.fromarray(np.full((16, 16), 100 * page, np.uint16)) for page in range(5)]
        pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
        dataset = open_images(tmp_path, (16, 16), workers=0, frames="all", range="auto")
        assert dataset.range == "0:400"
        assert dataset.batch(np.arange(5)).max(axis=(1, 2, 3)).tolist() == [0, 64, 127, 191, 255]


class TestFileGivenItself:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_is_a_set_where_frames_are_asked_for(self, tmp_path: Path, kind: str):
        path = tmp_path / f"stack.{kind.lower()}"
        path.write_bytes(animated(kind, 6))
        assert shades(path, frames="all") == [0, 1, 2, 3, 4, 5]
        assert shades(path, frames="3") == [0, 2, 5]
        assert open_images(path, (16, 16), workers=0, frames=3).num_pictures == 3
        dataset = open_images(path, (16, 16), workers=0, frames="all")
        assert (dataset.name, dataset.place(3)) == ("stack", f"{path}[3]")
        found = verify(path)
        assert (found.changed, found.missing, found.new) == ((), (), ())

    def test_without_the_frames_are_named(self, tmp_path: Path):
        path = tmp_path / "stack.tif"
        path.write_bytes(animated("TIFF", 6))
        with pytest.raises(DataError, match="one file with 6 frames") as refused:
            open_images(path, (16, 16))
        assert "--frames all" in refused.value.hint

    def test_a_single_image_stays_one(self, tmp_path: Path):
        path = tmp_path / "stack.tif"
        path.write_bytes(animated("TIFF", 1))
        with pytest.raises(DataError, match="single image"):
            open_images(path, (16, 16), frames="all")

    def test_worker_processes_read_it(self, tmp_path: Path):
        path = tmp_path / "stack.gif"
        path.write_bytes(animated("GIF", 10))
        assert shades(path, workers=2, frames="all") == list(range(10))


class TestHostile:
    def test_directories_in_a_circle_are_counted_once(self):
        content = bytearray(animated("TIFF", 3))
        first = int.from_bytes(content[4:8], "little")
        last = content.rindex(b"\x00\x00\x00\x00")
        content[last : last + 4] = first.to_bytes(4, "little")
        assert 1 <= num_frames(bytes(content), FORMATS) <= 3

    def test_a_gif_of_very_many_frames_is_counted_soon(self):
        frame = b",\0\0\0\0\1\0\1\0\0\2\1\0\0"
        content = animated("GIF", 1)[:-1] + frame * 2_000_000
        begun = time.process_time()
        assert num_frames(content, FORMATS) == 1_000_000
        assert time.process_time() - begun < 60  # no limit of speed: without an end it would be hours


@pytest.mark.parametrize("given", ["", "0", "-1", "1.5", "every", "1000001", "²"])
def test_what_is_no_choice_of_frames(tmp_path: Path, given: str):
    with pytest.raises(UsageError, match="frames must be first, all or a number from 1"):
        open_images(tmp_path, (16, 16), frames=given)
