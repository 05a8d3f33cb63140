"""Every source, read the whole way: from the file that people have to the pixels that are trained on."""

import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganzfeld.data import open_images
from ganzfeld.data.check.advice import advice_on_reading, notes_beside_advice
from ganzfeld.data.images import ImageDataset
from ganzfeld.data.source import Source
from ganzfeld.data.sources import built_in, catalogue, find_source, recognised, source_class
from ganzfeld.data.sources.faces import CREDIT
from ganzfeld.errors import DataError, UsageError
from tests.data.making import encoded, fill, noise, zipped


def opened(path: Path | str, size: int = 16, **settings: Any) -> ImageDataset:
    return open_images(path, (size, size), workers=0, **settings)


def pixels(dataset: ImageDataset) -> np.ndarray:
    return dataset.batch(np.arange(dataset.num_pictures))


def idx(path: Path, array: np.ndarray) -> Path:
    content = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}L", *array.shape) + array.tobytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


@pytest.fixture
def stack() -> np.ndarray:
    """Seven colour images."""
    return np.stack([noise(16, 16, seed=seed) for seed in range(7)])


class TestContract:
    @pytest.mark.parametrize("kind", catalogue.names())
    def test_every_source_says_how_it_is_recognised(self, kind: str, tmp_path: Path):
        module = catalogue.load(kind)
        assert issubclass(source_class(kind), Source)
        nothing = tmp_path / "nothing"
        nothing.write_bytes(b"")
        assert module.recognises(nothing) == 0

    def test_each_path_has_one_surest_source(self, tmp_path: Path, stack: np.ndarray):
        np.savez(tmp_path / "a.npz", images=stack)  # a zip, too
        np.save(tmp_path / "a.npy", stack)
        zipped(tmp_path / "a.zip", {"0.png": encoded(stack[0])})
        (tmp_path / "disguised").write_bytes((tmp_path / "a.zip").read_bytes())
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz"):
            pass
        idx(tmp_path / "images-idx3-ubyte.gz", stack[..., 0])
        idx(tmp_path / "images", stack)
        fill(tmp_path / "plain", 1)
        fill(tmp_path / "gan", 1).joinpath("dataset.json").write_text("{}")
        expected = {
            "a.npz": "arrays",
            "a.npy": "arrays",
            "a.zip": "zip",
            "disguised": "zip",
            "a.tar.gz": "tar",
            "images-idx3-ubyte.gz": "idx",
            "images": "idx",
            "plain": "folder",
            "gan": "stylegan",
        }
        assert {name: recognised(tmp_path / name) for name in expected} == expected

    def test_nothing_recognises_a_single_image(self, tmp_path: Path):
        (tmp_path / "a.png").write_bytes(encoded(noise(16, 16)))
        with pytest.raises(DataError, match=r"a\.png") as refused:
            opened(tmp_path / "a.png")
        assert "folder" in refused.value.hint


class TestFaces:
    def test_they_are_asked_for_by_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        assert built_in() == ["faces"]
        assert find_source(None)[0] == find_source("faces")[0] == find_source(Path("faces"))[0] == "faces"
        fill(tmp_path / "faces", 1)
        assert find_source("faces")[0] == "faces"
        assert find_source("./faces")[0] == find_source(Path("faces"))[0] == "folder"

    def test_they_are_drawn_the_same_at_any_time(self):
        source = source_class("faces")(Path("faces"))
        from ganzfeld.data.decoding.preprocessing import Preprocessing

        entries = list(source.entries())
        assert len(entries) == 5000
        first = [source.decode(source.read(entry), Preprocessing(32, 32)).pixels for entry in entries[:3]]
        again = [source.decode(source.read(entry), Preprocessing(32, 32)).pixels for entry in entries[:3]]
        np.testing.assert_array_equal(first, again)
        assert len({image.tobytes() for image in first}) == 3
        assert (first[0][0, 0] == 255).all()

    def test_other_shapes_show_the_middle(self):
        from ganzfeld.data.decoding.preprocessing import Preprocessing

        source = source_class("faces")(Path("faces"))
        raw = source.read(next(iter(source.entries())))
        square = source.decode(raw, Preprocessing(40, 40)).pixels
        tall = source.decode(raw, Preprocessing(24, 40)).pixels
        np.testing.assert_array_equal(tall, square[:, 8:32])

    def test_the_artist_is_credited(self):
        assert "Johan Melin" in CREDIT and "CC BY 4.0" in CREDIT

    def test_they_lie_nowhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """A path made of the folder one stands in would be shown by ``cache list``."""
        monkeypatch.chdir(tmp_path)
        assert str(tmp_path) not in source_class("faces")(Path("faces")).place
        assert source_class("folder")(Path("photos")).place == str(tmp_path / "photos")


class TestFolder:
    def test_nested_and_mixed(self, tmp_path: Path, stack: np.ndarray):
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "0.BMP").write_bytes(encoded(stack[0], "BMP"))
        (tmp_path / "a" / "1.png").write_bytes(encoded(stack[1]))
        (tmp_path / "z.tiff").write_bytes(encoded(stack[2], "TIFF"))
        for other in ("notes.txt", ".hidden.png", "._1.png"):
            (tmp_path / other).write_bytes(b"no image")
        (tmp_path / ".thumbnails").mkdir()
        (tmp_path / ".thumbnails" / "0.png").write_bytes(b"no image")
        dataset = opened(tmp_path)
        np.testing.assert_array_equal(pixels(dataset), stack[[1, 0, 2]])
        assert not dataset.unusable
        assert dataset.manifest.ignored == {".txt": 1}

    def test_sub_folders_are_classes(self, tmp_path: Path):
        for name in ("dog", "cat"):
            fill(tmp_path / name, 2)
        (tmp_path / "stray.png").write_bytes(b"unusable, so it has no say")
        dataset = opened(tmp_path)
        assert dataset.class_names == ["cat", "dog"]
        assert dataset.labels is not None and dataset.labels.tolist() == [0, 0, 1, 1]

    def test_no_classes_in_a_flat_folder(self, tmp_path: Path):
        fill(tmp_path / "only", 2)
        assert opened(tmp_path).labels is None
        fill(tmp_path, 1)
        assert opened(tmp_path).class_names == []

    def test_grey_only_if_every_image_is(self, tmp_path: Path):
        (tmp_path / "0.png").write_bytes(encoded(noise(16, 16, 1)))
        assert opened(tmp_path).channels == 1
        assert pixels(opened(tmp_path)).shape == (1, 16, 16, 1)
        (tmp_path / "1.png").write_bytes(encoded(noise(16, 16, 3)))
        mixed = opened(tmp_path)
        assert mixed.channels == 3
        np.testing.assert_array_equal(pixels(mixed)[0], np.repeat(noise(16, 16, 1), 3, 2))
        assert opened(tmp_path, channels=1).channels == 1

    def test_grey_and_colour_by_turns(self, tmp_path: Path):
        """More than there are shards, so that both kinds meet in one."""
        for number in range(69):
            pixels_of_one = noise(16, 16, 3 if number % 2 else 1, seed=number)
            (tmp_path / f"{number:03}.png").write_bytes(encoded(pixels_of_one))
        dataset = opened(tmp_path)
        assert dataset.channels == 3
        np.testing.assert_array_equal(pixels(dataset)[67], noise(16, 16, 3, seed=67))


class TestArchives:
    def test_zip_tar_and_folder_agree(self, tmp_path: Path):
        for name in ("cat", "dog"):
            fill(tmp_path / "set" / name, 3, begin=len(name) * ord(name[0]))
        files = sorted((tmp_path / "set").rglob("*.png"))
        with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.mkdir("top")
            for file in files:
                archive.write(file, f"top/{file.relative_to(tmp_path / 'set')}")
        modes: dict[str, Any] = {"tar": "w", "tgz": "w:gz", "tar.xz": "w:xz", "tar.bz2": "w:bz2"}
        for ending, mode in modes.items():
            with tarfile.open(tmp_path / f"set.{ending}", mode) as archive:
                for file in files:
                    archive.add(file, file.relative_to(tmp_path / "set"))
        plain = opened(tmp_path / "set")
        for ending in ("zip", "tar", "tgz", "tar.xz", "tar.bz2"):
            dataset = opened(tmp_path / f"set.{ending}")
            assert dataset.content_hash == plain.content_hash, ending
            assert dataset.class_names == ["cat", "dog"]
            assert dataset.name == "set"

    @pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
    def test_zip_methods(self, tmp_path: Path, stack: np.ndarray, method: int):
        path = zipped(tmp_path / "a.zip", {f"{n}.png": encoded(p) for n, p in enumerate(stack)}, method)
        np.testing.assert_array_equal(pixels(opened(path)), stack)

    def test_a_zip_behind_something_else(self, tmp_path: Path, stack: np.ndarray):
        path = zipped(tmp_path / "a.zip", {"0.png": encoded(stack[0])})
        path.write_bytes(b"#!/bin/sh\n" * 50 + path.read_bytes())
        np.testing.assert_array_equal(pixels(opened(path)), stack[:1])

    def test_a_zip_with_64_bit_fields(self, tmp_path: Path, stack: np.ndarray):
        archive = zipfile.ZipFile(tmp_path / "a.zip", "w")
        with archive, archive.open("0.png", "w", force_zip64=True) as member:
            member.write(encoded(stack[0]))
        np.testing.assert_array_equal(pixels(opened(tmp_path / "a.zip")), stack[:1])

    def test_a_zip_of_more_members_than_16_bits_count(self, tmp_path: Path, stack: np.ndarray):
        path = tmp_path / "many.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(65_540):
                archive.writestr(zipfile.ZipInfo(f"{number}.txt"), b"")
            archive.writestr("0.png", encoded(stack[0]))
        np.testing.assert_array_equal(pixels(opened(path)), stack[:1])


def sharded(root: Path, samples: list[dict[str, bytes]], per_tar: int = 3) -> Path:
    """A WebDataset: samples as dictionaries from extension to content."""
    root.mkdir()
    for begin in range(0, len(samples), per_tar):
        with tarfile.open(root / f"shard-{begin:06}.tar", "w") as tar:
            for number, sample in enumerate(samples[begin : begin + per_tar], begin):
                for ending, content in sample.items():
                    info = tarfile.TarInfo(f"{number:06}.{ending}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
    return root


class TestWebDataset:
    def test_tars_of_a_folder_are_one_set(self, tmp_path: Path, stack: np.ndarray):
        labels = [b"7", b"7", b"0\n", b"12", b"0", b"7", b"12"]
        samples = [
            {"json": b"{}", "png": encoded(image), "cls": label}
            for image, label in zip(stack, labels, strict=True)
        ]
        path = sharded(tmp_path / "shards", samples)
        assert recognised(path) == "webdataset"
        dataset = opened(path)
        np.testing.assert_array_equal(pixels(dataset), stack)
        assert dataset.class_names == ["0", "7", "12"]
        assert dataset.labels is not None and dataset.labels.tolist() == [1, 1, 0, 2, 0, 1, 2]
        single = opened(path / "shard-000000.tar")
        assert single.labels is not None and single.labels.tolist() == [1, 1, 0]

    def test_a_tar_that_cannot_be_read_is_listed(self, tmp_path: Path, stack: np.ndarray):
        path = sharded(tmp_path / "shards", [{"png": encoded(image)} for image in stack])
        (path / "shard-000003.tar").write_bytes(b"no tar" * 1000)
        dataset = opened(path)
        np.testing.assert_array_equal(pixels(dataset), stack[[0, 1, 2, 6]])
        assert "shard-000003.tar" in dataset.unusable[0].path

    def test_a_cut_tar_is_told(self, tmp_path: Path, stack: np.ndarray):
        path = sharded(tmp_path / "shards", [{"png": encoded(image)} for image in stack], 7)
        os.truncate(path / "shard-000000.tar", 4000)
        dataset = opened(path)
        assert 0 < dataset.num_pictures < 7
        assert any("damaged after" in note for note in dataset.notes)

    def test_images_beside_the_tars_make_it_a_folder(self, tmp_path: Path, stack: np.ndarray):
        path = sharded(tmp_path / "shards", [{"png": encoded(stack[0])}])
        fill(path, 1)
        assert recognised(path) == "folder"


class Making:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (self.path,)


class TestArrays:
    @pytest.mark.parametrize("writer", [np.savez, np.savez_compressed])
    def test_npz_with_labels(self, tmp_path: Path, stack: np.ndarray, writer: Callable[..., None]):
        writer(tmp_path / "a.npz", images=stack, labels=np.array([10, 9, 10, 9, 2, 2, 2]))
        dataset = opened(tmp_path / "a.npz")
        np.testing.assert_array_equal(pixels(dataset), stack)
        assert dataset.class_names == ["2", "9", "10"]
        assert dataset.labels is not None and dataset.labels.tolist() == [2, 1, 2, 1, 0, 0, 0]

    @pytest.mark.parametrize(
        ("stored", "shown"),
        [
            (np.array([0.0, 0.25, 1.0]), [0, 64, 255]),
            (np.array([-1.0, 0.0, 1.0], np.float32), [0, 128, 255]),
            (np.array([-1.0, 0.0, 1.0], np.float16), [0, 128, 255]),
            (np.array([0, 128, 255], np.int64), [0, 128, 255]),
            (np.array([0, 257, 65535], np.uint16), [0, 1, 255]),
            (np.array([0, 100, 255], np.uint16), [0, 100, 255]),
            (np.array([False, True, True]), [0, 255, 255]),
        ],
    )
    def test_what_values_mean(self, tmp_path: Path, stored: np.ndarray, shown: list[int]):
        np.save(tmp_path / "a.npy", np.resize(stored, (1, 9, 9)))
        dataset = opened(tmp_path / "a.npy", 9)
        np.testing.assert_array_equal(pixels(dataset)[0, 0, :3, 0], shown)
        assert dataset.notes and str(stored.dtype) in dataset.notes[0]

    @pytest.mark.parametrize("values", [[0.0, 255.0], [-2.0, 1.0], [-1, 5]])
    def test_ranges_without_a_meaning_are_not_guessed(self, tmp_path: Path, values: list[float]):
        np.save(tmp_path / "a.npy", np.resize(np.array(values), (2, 16, 16)))
        with pytest.raises(UsageError, match="no agreed meaning") as refused:
            opened(tmp_path / "a.npy")
        assert "0 to 1" in refused.value.hint

    @pytest.mark.parametrize(
        ("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")]
    )
    def test_the_first_image_with_what_is_no_number_is_named(self, tmp_path: Path, value: float, word: str):
        stored = np.zeros((4, 16, 16), np.float32)
        stored[2:, 3, 3] = value
        np.save(tmp_path / "a.npy", stored)
        with pytest.raises(DataError, match=rf"a\.npy holds .*{word}.* in image \[2\]"):
            opened(tmp_path / "a.npy")

    @pytest.mark.parametrize("shape", [(64, 64), (64, 64, 3)])
    def test_a_single_image_is_told_how_to_come(self, tmp_path: Path, shape: tuple[int, ...]):
        np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
        with pytest.raises(DataError, match="shape") as refused:
            opened(tmp_path / "a.npy")
        assert str(shape) in refused.value.message and "N = 1" in refused.value.hint

    def test_three_grey_images_that_may_be_one_in_colour_are_noted(self, tmp_path: Path):
        np.save(tmp_path / "a.npy", np.zeros((3, 16, 16), np.uint8))
        assert any("(1, 3, 16, 16)" in note for note in opened(tmp_path / "a.npy").notes)
        np.save(tmp_path / "b.npy", np.zeros((5, 16, 16), np.uint8))
        assert opened(tmp_path / "b.npy").notes == []

    @pytest.mark.parametrize("dtype", ["M8[s]", "m8[s]", "V3", "U2", "S2", "c8", [("a", "u1")]])
    def test_what_are_no_numbers_are_no_images(self, tmp_path: Path, dtype: Any):
        np.save(tmp_path / "a.npy", np.zeros((3, 16, 16), np.dtype(dtype)))
        with pytest.raises(DataError, match="no array can be images"):
            opened(tmp_path / "a.npy")

    def test_channels_first(self, tmp_path: Path, stack: np.ndarray):
        np.save(tmp_path / "a.npy", np.ascontiguousarray(stack.transpose(0, 3, 1, 2)))
        np.testing.assert_array_equal(pixels(opened(tmp_path / "a.npy")), stack)

    def test_four_channels_are_alpha(self, tmp_path: Path, stack: np.ndarray):
        np.save(tmp_path / "a.npy", np.concatenate([stack, np.zeros_like(stack[..., :1])], 3))
        assert (pixels(opened(tmp_path / "a.npy")) == 255).all()

    @pytest.mark.parametrize("shape", [(5,), (5, 16), (16, 16, 3), (2, 3, 16, 3), (2, 4, 4)])
    def test_other_shapes_are_refused(self, tmp_path: Path, shape: tuple[int, ...]):
        np.save(tmp_path / "a.npy", np.zeros(shape, np.uint8))
        with pytest.raises(DataError, match="shape"):
            opened(tmp_path / "a.npy")

    def test_two_candidates_are_not_guessed_between(self, tmp_path: Path, stack: np.ndarray):
        np.savez(tmp_path / "a.npz", left=stack, right=stack)
        with pytest.raises(DataError, match=r"left.*right"):
            opened(tmp_path / "a.npz")

    def test_the_training_part_of_a_usual_file(self, tmp_path: Path, stack: np.ndarray):
        np.savez(tmp_path / "a.npz", x_train=stack, x_test=stack[:2], y_train=np.arange(7), y_test=[0, 1])
        dataset = opened(tmp_path / "a.npz")
        assert dataset.num_pictures == 7 and len(dataset.class_names) == 7
        note = "a.npz [x_train]: this array was read, with its labels y_train; x_test and y_test were not"
        assert dataset.notes == [note] == opened(tmp_path / "a.npz").notes

    def test_what_else_is_in_the_file_is_said(self, tmp_path: Path, stack: np.ndarray):
        odd: dict[str, Any] = {"\x1b[2J": np.zeros(3)}
        np.savez(tmp_path / "a.npz", images=stack, **odd)
        assert opened(tmp_path / "a.npz").notes == [r"a.npz [images]: this array was read; \x1b[2J was not"]
        np.savez(tmp_path / "b.npz", images=stack, labels=np.arange(7))
        assert opened(tmp_path / "b.npz").notes == []

    def test_nothing_is_unpickled(self, tmp_path: Path):
        """Were it, there would be a folder."""
        objects = np.empty((2, 16, 16), object)
        objects[:] = Making(str(tmp_path / "made"))
        np.save(tmp_path / "a.npy", objects, allow_pickle=True)
        np.savez(tmp_path / "a.npz", images=objects)
        for path in (tmp_path / "a.npy", tmp_path / "a.npz"):
            with pytest.raises(DataError, match="never unpickled"):
                opened(path)
        assert not (tmp_path / "made").exists()

    def test_a_truncated_array(self, tmp_path: Path, stack: np.ndarray):
        np.save(tmp_path / "a.npy", stack)
        os.truncate(tmp_path / "a.npy", 1000)
        with pytest.raises(DataError, match="truncated"):
            opened(tmp_path / "a.npy")


class TestIdx:
    @pytest.mark.parametrize("ending", ["", ".gz"])
    def test_images_and_the_labels_beside(self, tmp_path: Path, stack: np.ndarray, ending: str):
        path = idx(tmp_path / f"train-images-idx3-ubyte{ending}", stack[..., 0])
        idx(tmp_path / f"train-labels-idx1-ubyte{ending}", np.array([3, 1, 3, 1, 3, 1, 3], np.uint8))
        dataset = opened(path)
        np.testing.assert_array_equal(pixels(dataset)[..., 0], stack[..., 0])
        assert dataset.channels == 1
        assert dataset.class_names == ["1", "3"]

    def test_new_labels_are_noticed(self, tmp_path: Path, stack: np.ndarray):
        path = idx(tmp_path / "images-idx3-ubyte", stack[..., 0])
        labels = idx(tmp_path / "labels-idx1-ubyte", np.zeros(7, np.uint8))
        assert opened(path).class_names == ["0"]
        idx(labels, np.arange(7, dtype=np.uint8))
        os.utime(labels, ns=(1, 1))
        assert len(opened(path).class_names) == 7

    def test_labels_are_no_images(self, tmp_path: Path):
        path = idx(tmp_path / "labels-idx1-ubyte", np.zeros(7, np.uint8))
        with pytest.raises(DataError, match="7 labels or vectors, not images") as refused:
            opened(path)
        assert "images-idx3" in refused.value.hint

    @pytest.mark.parametrize("ending", ["", ".gz"])
    def test_a_header_that_promises_more(self, tmp_path: Path, ending: str):
        path = tmp_path / f"images-idx3-ubyte{ending}"
        content = bytes([0, 0, 8, 3]) + struct.pack(">3L", 1000, 16, 16) + bytes(16 * 16)
        path.write_bytes(gzip.compress(content) if ending else content)
        with pytest.raises(DataError, match="truncated"):
            opened(path)

    def test_a_bomb(self, tmp_path: Path):
        path = tmp_path / "images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3L", 2**31, 100, 100)))
        with pytest.raises(DataError, match="GiB"):
            opened(path)


class TestStyleGan:
    labels = ({"labels": [["0/a.png", 6], ["0/b.png", 0]]}, ["0", "6"], [1, 0])

    def make(self, root: Path, description: object) -> Path:
        for number, name in enumerate("ab"):
            fill(root / "0", 1, begin=number).joinpath(f"{number:05}.png").rename(root / "0" / f"{name}.png")
        (root / "dataset.json").write_text(json.dumps(description))
        return root

    def test_labels_of_a_folder(self, tmp_path: Path):
        dataset = opened(self.make(tmp_path / "gan", self.labels[0]))
        assert dataset.class_names == self.labels[1]
        assert dataset.labels is not None and dataset.labels.tolist() == self.labels[2]

    def test_labels_of_a_zip(self, tmp_path: Path):
        root = self.make(tmp_path / "gan", self.labels[0])
        names = ("0/a.png", "0/b.png", "dataset.json")
        dataset = opened(zipped(tmp_path / "gan.zip", {name: (root / name).read_bytes() for name in names}))
        assert dataset.class_names == self.labels[1]

    @pytest.mark.parametrize("description", [{"labels": {"a": 1}}, [], {"labels": [["0/a.png", [0.5]]]}])
    def test_another_kind_of_file_costs_only_the_labels(self, tmp_path: Path, description: object):
        dataset = opened(self.make(tmp_path / "gan", description))
        assert dataset.num_pictures == 2 and dataset.labels is None
        assert "dataset.json" in dataset.notes[0]
        assert notes_beside_advice(dataset) == [], "the advice says so"
        assert [each.text for each in advice_on_reading(dataset) if dataset.notes[0] in each.text]

    def test_null_labels_are_in_order(self, tmp_path: Path):
        assert opened(self.make(tmp_path / "gan", {"labels": None})).notes == []


class TestNothingThere:
    def test_a_close_name_is_offered(self, tmp_path: Path):
        fill(tmp_path / "photos", 1)
        with pytest.raises(DataError, match="phtos") as refused:
            opened(tmp_path / "phtos")
        assert "photos" in refused.value.hint

    def test_the_built_in_name_is_offered(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DataError) as refused:
            opened("face")
        assert "faces" in refused.value.hint

    @pytest.mark.parametrize("name", ["with\0nul", "x" * 5000])
    def test_names_no_file_can_have(self, name: str):
        with pytest.raises(DataError):
            opened(name)


@pytest.mark.parametrize(
    "given", [np.zeros((3, 16, 16), np.uint8), b"photos", 3], ids=lambda given: type(given).__name__
)
def test_what_is_no_path_is_refused(given: Any):
    with pytest.raises(UsageError, match=f"given by a path, not by a {type(given).__name__}"):
        open_images(given)
