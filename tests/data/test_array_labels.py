"""Labels beside arrays: taken where they can be, else it is said what they are and why not."""

import gzip
import json
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganzfeld.cli import main
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.survey import survey
from tests.data.making import fill, noise

NUM = 6
IMAGES = np.stack([noise(8, 8, seed=number) for number in range(NUM)])


def opened(folder: Path, labels: np.ndarray, key: str = "labels") -> ImageDataset:
    arrays: dict[str, Any] = {key: labels}
    np.savez(folder / "set.npz", images=IMAGES, **arrays)
    return open_images(folder / "set.npz", (8, 8))


def rejected(dataset: ImageDataset) -> list[str]:
    return [each.text for each in survey(dataset).warnings if each.name == "labels-rejected"]


def names(dataset: ImageDataset) -> list[str]:
    """The class of every image."""
    assert dataset.labels is not None
    return [dataset.class_names[label] for label in dataset.labels]


TAKEN = {
    "whole floats": (np.array([0.0, 1, 2, 0, 1, 2]), list("012012")),
    "half precision": (np.array([0, 1, 2, 0, 1, 2], np.float16), list("012012")),
    "one-hot": (np.eye(3)[[2, 1, 0, 2, 1, 0]], list("210210")),
    "one-hot of bytes": (np.eye(3, dtype=np.uint8)[[2, 1, 0, 2, 1, 0]], list("210210")),
    "one-hot of bool": (np.eye(3, dtype=bool)[[2, 1, 0, 2, 1, 0]], list("210210")),
    "one-hot of two": (np.eye(2)[[1, 0, 0, 1, 1, 0]], list("100110")),
    "a column": (np.array([[3], [1], [3], [1], [3], [1]]), list("313131")),
    "two axes of one": (np.array([3, 1, 3, 1, 3, 1]).reshape(6, 1, 1), list("313131")),
    "big-endian": (np.array([300, 1, 300, 1, 300, 1], ">i2"), ["300", "1"] * 3),
    "text": (np.array(["cat", "dog"] * 3), ["cat", "dog"] * 3),
    "bytes of text": (np.array([b"cat", "é".encode()] * 3), ["cat", "é"] * 3),
    "bool": (np.array([True, False] * 3), ["True", "False"] * 3),
}


@pytest.mark.parametrize("case", list(TAKEN))
def test_taken(tmp_path: Path, case: str):
    labels, expected = TAKEN[case]
    dataset = opened(tmp_path, labels)
    assert names(dataset) == expected and not rejected(dataset)


REJECTED = {
    "one too short": (np.arange(NUM - 1), ["int64 of the shape (5,)", "5 labels for 6 images"]),
    "one too long": (np.arange(NUM + 1), ["(7,)", "7 labels for 6 images"]),
    "none": (np.zeros(0, np.int64), ["0 labels for 6 images"]),
    "transposed": (np.arange(NUM)[None], ["(1, 6)", "it would fit transposed"]),
    "fractions": (np.array([0, 0.5, 1, 1, 0, 0]), ["float64 of the shape (6,)", "fractions such as 0.5"]),
    "NaN": (np.array([0, np.nan, 1, 1, 0, 0]), ["NaN"]),
    "infinite": (np.array([0, np.inf, 1, 1, 0, 0]), ["infinite"]),
    "negative": (np.array([0, -1, 1, 1, 0, 0]), ["int64", "negative numbers such as -1"]),
    "negative floats": (np.array([0, -2.0, 1, 1, 0, 0]), ["float64", "negative numbers such as -2"]),
    "huge floats": (np.full(NUM, 1e300), ["too large"]),
    "probabilities": (np.full((NUM, 3), 1 / 3), ["(6, 3)", "not one-hot, such as (0.333333"]),
    "two ones": (np.ones((NUM, 3), int), ["not one-hot, such as (1, 1, 1)"]),
    "empty rows": (np.zeros((NUM, 3)), ["not one-hot"]),
    "NaN rows": (np.full((NUM, 3), np.nan), ["NaN"]),
    "boxes": (np.zeros((NUM, 4, 2)), ["(6, 4, 2)", "neither one label per image nor a one-hot row"]),
    "objects": (np.array([{}, 1, "a", None, 2, 3], object), ["Python objects, which are never unpickled"]),
    "records": (np.zeros(NUM, [("a", "i4")]), ["records with named fields"]),
    "dates": (np.zeros(NUM, "M8[s]"), ["datetime64", "cannot be labels"]),
    "complex": (np.zeros(NUM, complex), ["complex128", "cannot be labels"]),
    "bytes": (np.array([b"\xff\xfe"] * NUM), ["not UTF-8"]),
    "texts in two columns": (np.array([["a", "b"]] * NUM), ["2 texts per image"]),
    "long texts": (np.array(["x" * 300] * NUM), ["more than 255 characters"]),
    "a single value": (np.array(3), ["a single value"]),
}


@pytest.mark.parametrize("case", list(REJECTED))
@pytest.mark.parametrize("key", ["labels", "y"])
def test_rejected_with_shape_type_and_reason(tmp_path: Path, case: str, key: str):
    labels, words = REJECTED[case]
    dataset = opened(tmp_path, labels, key)
    (text,) = rejected(dataset)
    assert text.startswith(f"Labels were found but are not used: {key}: ")
    assert not [word for word in words if word not in text], text
    assert dataset.labels is None and dataset.num_pictures == NUM
    assert rejected(open_images(tmp_path / "set.npz", (8, 8))) == [text], "from the cache as well"


def test_the_first_that_can_be_taken_is(tmp_path: Path):
    np.savez(tmp_path / "set.npz", images=IMAGES, labels=np.arange(5), y=np.array(list("ababab")))
    dataset = open_images(tmp_path / "set.npz", (8, 8))
    assert names(dataset) == list("ababab")
    assert "Only some labels are used: labels: " in rejected(dataset)[0]


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (8, np.arange(5, dtype=np.uint8), "5 labels for 6 images"),
        (12, np.array([0, -1, 0, 1, 0, 1], ">i4"), "negative"),
        (13, np.array([0, 0.5, 0, 1, 0, 1], ">f4"), "fractions"),
        (8, b"\0\0", "truncated"),
        (7, np.arange(6, dtype=np.uint8), ""),
    ],
)
def test_idx_labels_that_cannot_be_taken(tmp_path: Path, kind: int, values: np.ndarray | bytes, words: str):
    file = tmp_path / "train-images-idx3-ubyte.gz"
    grey = IMAGES[..., 0]
    file.write_bytes(gzip.compress(struct.pack(">BBBBIII", 0, 0, 8, 3, *grey.shape) + grey.tobytes()))
    count = 6 if isinstance(values, bytes) else len(values)
    content = values if isinstance(values, bytes) else values.tobytes()
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, kind, 1, count) + content)
    dataset = open_images(file, (8, 8))
    assert dataset.num_pictures == NUM and dataset.labels is None
    if words:
        (text,) = rejected(dataset)
        assert "train-labels-idx1-ubyte: " in text and words in text


def test_idx_labels_of_wider_types_are_taken(tmp_path: Path):
    images, grey = tmp_path / "images-idx3", IMAGES[..., 0]
    images.write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, *grey.shape) + grey.tobytes())
    labels = np.array([300, 1, 2, 300, 1, 2], ">i4")
    (tmp_path / "labels-idx1").write_bytes(struct.pack(">BBBBI", 0, 0, 12, 1, 6) + labels.tobytes())
    assert names(open_images(images, (8, 8))) == ["300", "1", "2"] * 2


def test_stylegans_labels_that_cannot_be_taken(tmp_path: Path):
    fill(tmp_path / "set", 3)
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({"labels": [["00000.png", 0.5]]}))
    assert "fractions such as 0.5" in rejected(open_images(tmp_path / "set", (8, 8)))[0]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 2, 0], ""),
        ([0.0, 2.0, 0.0], ""),
        ([[1, 0, 0], [0, 0, 1], [1, 0, 0]], ""),
        ([0, 2.0, 0], ""),
        (["0", "2", "0"], ""),
        ([0, -1, 0], "negative numbers such as -1"),
        ([0, 0.5, 0], "fractions such as 0.5"),
        ([[0.5, 0.5], [0, 1], [0, 1]], "not one-hot, such as (0.5, 0.5)"),
        ([0, None, 0], "1 of 3 are null"),
        ([0, "a", 0], "different types"),
        ([[0, 1], [1], [0, 1]], "different lengths"),
        ([{}, {}, {}], "cannot be labels"),
        ([10**30, 1, 1], ""),
    ],
)
def test_stylegans_labels_follow_the_rule_of_arrays(tmp_path: Path, labels: list[object], words: str):
    fill(tmp_path / "set", 3)
    pairs = [[f"{number:05}.png", label] for number, label in enumerate(labels)]
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({"labels": pairs}))
    dataset = open_images(tmp_path / "set", (8, 8))
    if words or labels[0] == 10**30:
        assert words in rejected(dataset)[0] and dataset.labels is None
    else:
        assert names(dataset) == ["0", "2", "0"] and not dataset.notes


class TestInPart:
    """Images without a label among others are counted, wherever labels come from."""

    def test_dataset_json(self, tmp_path: Path):
        fill(tmp_path, 5)
        labels = [[f"{number:05}.png", number % 2] for number in range(4)]
        (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
        (text,) = rejected(open_images(tmp_path, (8, 8)))
        assert text == "Only some labels are used: 1 image without a label"

    def test_webdataset(self, tmp_path: Path):
        root = fill(tmp_path / "files", 6)
        for number in range(4):
            (root / f"{number:05}.cls").write_text(str(number % 2))
        with tarfile.open(tmp_path / "set.tar", "w") as tar:
            for path in sorted(root.iterdir()):
                tar.add(path, path.name)
        found = rejected(open_images(tmp_path / "set.tar", (8, 8)))
        assert found == ["Only some labels are used: 2 images without a label"]

    @pytest.mark.parametrize("where", ["", "photos"])
    def test_images_beside_folders(self, tmp_path: Path, where: str):
        for name, begin in (("cats", 0), ("dogs", 10), (".", 20)):
            fill(tmp_path / "set" / where / name, 3, begin=begin)
        dataset = open_images(tmp_path / "set", (8, 8))
        (text,) = rejected(dataset)
        assert "not used: 3 images beside the folders cats and dogs" in text and not dataset.class_names

    def test_images_beside_one_folder_or_in_all_are_nothing_to_tell(self, tmp_path: Path):
        fill(fill(tmp_path / "one", 3) / "more", 3, begin=10)
        for name, begin in (("cats", 0), ("dogs", 10)):
            fill(tmp_path / "all" / name, 3, begin=begin)
        assert not any(rejected(open_images(tmp_path / each, (8, 8))) for each in ("one", "all"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"labels": {"00000.png": 1, "00001.png": 2}}, "not a list but an object"),
        ({"labels": [["00000.png", 1, 2]]}, "is not a pair of a name and a label"),
        ({}, "not an object with labels"),
        ([], "not an object with labels"),
    ],
)
def test_stylegans_file_of_another_form(tmp_path: Path, content: object, words: str):
    fill(tmp_path / "set", 3)
    (tmp_path / "set" / "dataset.json").write_text(json.dumps(content))
    (text,) = rejected(open_images(tmp_path / "set", (8, 8)))
    assert words in text and "Error" not in text


def test_check_and_train_say_it_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    np.savez(tmp_path / "set.npz", images=IMAGES, labels=np.full((NUM, 3), 0.5))
    with pytest.raises(SystemExit):
        main(["check", str(tmp_path / "set.npz"), "--size", "8"])
    assert capsys.readouterr().out.count("its rows are not one-hot, such as (0.5, 0.5, 0.5)") == 1
    small = [word for side in ("generator", "discriminator") for word in ("--set", f"{side}.width=4")]
    options = ["--size", "8", "--images", "4", "--batch", "2", "--out", str(tmp_path / "runs"), *small]
    with pytest.raises(SystemExit) as ended:
        main(["train", str(tmp_path / "set.npz"), *options])
    assert not ended.value.code
    assert capsys.readouterr().err.count("its rows are not one-hot") == 1


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_array_is_taken_or_said_why_not(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    shape = data.draw(st.lists(st.sampled_from([1, 2, 3, NUM - 1, NUM]), min_size=1, max_size=3))
    dtype = data.draw(st.sampled_from(["i1", "u2", ">i4", "f2", "f8", "?", "U2", "S2", "c8", "M8[D]"]))
    seed = data.draw(st.integers(0, 3))
    values = np.random.default_rng(seed).integers(0, 2, shape).astype("i8").astype(dtype)
    dataset = opened(tmp_path_factory.mktemp("set"), values)
    assert (dataset.labels is None) == bool(rejected(dataset))
