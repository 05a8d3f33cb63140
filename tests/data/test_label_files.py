"""``--labels FILE.csv``: columns, names and encodings are told apart by evidence; what is not, is said."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ganzfeld as gz
from ganzfeld.cli import main
from ganzfeld.data import ImageDataset, open_images
from ganzfeld.data.check.survey import survey
from ganzfeld.data.labels import table as label_table
from ganzfeld.errors import DataError, GanzfeldError, UsageError
from tests.data.making import encoded, fill, noise

FILES = ["a.png", "b.png", "sub/c.png", "sub/d.png"]
KINDS = ["cat", "dog", "cat", "dog"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Four images, two of them in a folder below."""
    return photos_with(tmp_path / "photos", FILES)


def photos_with(root: Path, names: list[str]) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(noise(8, 8, seed=number)))
    return root


def opened(photos: Path, table: str | bytes, encoding: str = "utf-8") -> ImageDataset:
    path = photos.parent / "labels.csv"
    path.write_bytes(table if isinstance(table, bytes) else table.encode(encoding))
    return open_images(photos, (8, 8), labels=path)


def classes(dataset: ImageDataset) -> dict[str, str]:
    """The class of every image by its name, ``""`` for none."""
    assert dataset.labels is not None
    names = [*dataset.class_names, ""]
    usable = [entry for entry in range(len(dataset.listing)) if dataset.records["row"][entry] >= 0]
    return {
        dataset.listing.name(entry): names[label] for entry, label in zip(usable, dataset.labels, strict=True)
    }


def said(dataset: ImageDataset) -> str:
    """The warning about labels."""
    return " ".join(each.text for each in survey(dataset).warnings if each.name == "labels-rejected")


def table(names: list[str], delimiter: str = ",", header: str = "") -> str:
    rows = [f"{name}{delimiter}{kind}" for name, kind in zip(names, KINDS, strict=True)]
    return "\n".join([*([header] if header else []), *rows]) + "\n"


EVERY_WAY = {
    "relative": (table(FILES), ""),
    "with a header": (table(FILES, header="file,label"), "a header"),
    "a heading that says nothing": (table(FILES, header="x,z"), "column 2 (z)"),
    "semicolons": (table(FILES, ";"), "semicolons"),
    "tabs": (table(FILES, "\t", "name\tkind"), "tabs"),
    "bars": (table(FILES, " | "), "bars"),
    "spaces": (table(FILES, " "), "spaces"),
    "base names": (table([Path(name).name for name in FILES]), "by their last part alone"),
    "without endings": (table([str(Path(name).with_suffix("")) for name in FILES]), "ignoring extensions"),
    "another ending": (table([str(Path(name).with_suffix(".JPG")) for name in FILES]), "ignoring extensions"),
    "capitals": (table([name.upper() for name in FILES]), "ignoring case"),
    "with the folder's name": (table([f"photos/{name}" for name in FILES]), ""),
    "of another machine": (table([f"/content/drive/photos/{name}" for name in FILES]), ""),
    "of Windows": (table(["C:\\me\\photos\\" + name.replace("/", "\\") for name in FILES]), ""),
    "with a dot": (table([f"./{name}" for name in FILES]), ""),
    "quoted": (table([f'"{name}"' for name in FILES], header='"file","label"'), "a header"),
    "a mark of UTF-8": ("\ufeff" + table(FILES, header="file,label"), "column 1 (file)"),
    "ends of lines of Windows": (table(FILES, header="file,label").replace("\n", "\r\n"), "a header"),
    "empty lines": ("\n\n" + table(FILES).replace("\n", "\n\n"), ""),
    "labels first": ("label,file\n" + "".join(f"{k},{n}\n" for n, k in zip(FILES, KINDS, strict=True)), "2"),
    "spaces around": (table([f"  {name}  " for name in FILES]), ""),
}


@pytest.mark.parametrize("way", list(EVERY_WAY))
def test_every_way_of_writing_it(photos: Path, way: str):
    content, words = EVERY_WAY[way]
    dataset = opened(photos, content)
    assert classes(dataset) == dict(zip(FILES, KINDS, strict=True))
    (note,) = [note for note in dataset.notes if note.startswith("labels.csv: names in column")]
    assert words in note and "\n" not in note and not said(dataset)


def test_absolute_names(photos: Path):
    content = table([str(photos / name) for name in FILES])
    assert classes(opened(photos, content)) == dict(zip(FILES, KINDS, strict=True))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_encodings_that_tell_themselves(photos: Path, encoding: str):
    dataset = opened(photos, table(FILES).replace("cat", "chât"), encoding)
    assert dataset.class_names == ["chât", "dog"]


def test_latin_1_is_told(photos: Path):
    dataset = opened(photos, table(FILES).replace("cat", "chât"), "latin-1")
    assert dataset.class_names == ["chât", "dog"] and "read as Latin-1" in dataset.notes[-1]


@pytest.mark.parametrize(
    ("header", "row", "column"),
    [
        ("index,file,label,score", "{i},{name},{kind},0.{i}", 3),
        (",filename,species,width,height", "{i},{name},{kind},640,480", 3),
        ("image_id,Class Name,url", "{name},{kind},http://x/{i}", 2),
        ("file,class_id,class", "{name},7,{kind}", 3),
        ("", "{name},{i},{kind},0.{i}", 3),
    ],
)
def test_extra_columns(photos: Path, header: str, row: str, column: int):
    rows = [row.format(i=i, name=n, kind=k) for i, (n, k) in enumerate(zip(FILES, KINDS, strict=True))]
    dataset = opened(photos, "\n".join([header, *rows] if header else rows))
    assert classes(dataset) == dict(zip(FILES, KINDS, strict=True))
    assert f"labels in column {column}" in dataset.notes[-1]


def test_labels_that_are_numbers_are_not_taken_for_names(tmp_path: Path):
    """The label 1 does not mean 1.png where another column names files, even files that are not there."""
    photos = photos_with(tmp_path / "photos", ["0.png", "1.png", "2.png"])
    with pytest.raises(DataError, match=r"no row of labels\.csv names one of the images"):
        opened(photos, "file,label\nx.png,1\ny.png,2\n")
    assert classes(opened(photos, "label,file\n1,2.png\n2,0.png\n")) == {
        "0.png": "2",
        "1.png": "",
        "2.png": "1",
    }


def test_numbers_that_became_floats(photos: Path):
    dataset = opened(photos, "a.png,3.0\nb.png,10.0\nsub/c.png,\nsub/d.png,3.0\n")
    assert dataset.class_names == ["3", "10"] and classes(dataset)["b.png"] == "10"


def test_images_without_a_label_and_rows_without_an_image(photos: Path):
    (photos / "bad.png").write_bytes(b"no image")
    dataset = opened(photos, "file,label\na.png,cat\nb.png,\nbad.png,dog\nz.png,cat\ny.png,dog\n")
    assert classes(dataset) == {"a.png": "cat", "b.png": "", "sub/c.png": "", "sub/d.png": ""}
    assert "3 images without a label" in said(dataset)
    assert "2 rows name no image, such as 'z.png' and 'y.png'" in said(dataset)
    assert said(dataset).startswith("Only some labels are used: ")


def test_names_that_several_images_have_are_not_guessed(tmp_path: Path):
    root = photos_with(tmp_path / "photos", ["a/1.png", "b/1.png", "a/2.png", "b/3.png"])
    dataset = opened(root, "1.png,cat\n2.png,dog\n3.png,cat\n")
    assert classes(dataset) == {"a/1.png": "", "b/1.png": "", "a/2.png": "dog", "b/3.png": "cat"}
    assert "1 row names more than one image, such as '1.png'" in said(dataset)
    assert classes(opened(root, "a/1.png,cat\nb/1.png,dog\na/2.png,dog\nb/3.png,cat\n"))["b/1.png"] == "dog"


def test_several_labels_of_one_image_are_none(photos: Path):
    dataset = opened(photos, "a.png,cat\na.png,dog\nb.png,dog\nb.png,dog\na.png,cat\nsub/c.png,cat\n")
    assert classes(dataset) == {"a.png": "", "b.png": "dog", "sub/c.png": "cat", "sub/d.png": ""}
    assert "1 image with several different labels" in said(dataset)


def test_a_table_beats_folders(tmp_path: Path):
    root = photos_with(tmp_path / "photos", ["x/1.png", "y/2.png"])
    assert open_images(root, (8, 8)).class_names == ["x", "y"]
    assert opened(root, "1.png,cat\n2.png,dog\n").class_names == ["cat", "dog"]


def test_all_frames_of_a_file_have_its_label(tmp_path: Path):
    root = photos_with(tmp_path / "photos", ["a.png", "b.png"])
    frames = [Image.fromarray(noise(8, 8, seed=seed)) for seed in (5, 6, 7)]
    frames[0].save(root / "c.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "labels.csv").write_text("a.png,cat\nb.png,dog\nc.gif,cow\n")
    dataset = open_images(root, (8, 8), labels=tmp_path / "labels.csv", frames="all")
    assert dataset.labels is not None and not said(dataset)
    assert [dataset.class_names[label] for label in dataset.labels] == ["cat", "dog", "cow", "cow", "cow"]


def test_archives(photos: Path, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for name in FILES:
            archive.write(photos / name, f"top/{name}")
    (tmp_path / "labels.csv").write_text(table(FILES))
    dataset = open_images(tmp_path / "set.zip", (8, 8), labels=tmp_path / "labels.csv")
    assert list(classes(dataset).values()) == KINDS


class TestRefused:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is empty"),
            (b"\n\n\n", "no row"),
            (b"a.png\nb.png\n", "single column"),
            (b"x.png,cat\ny.png,dog\n", "names one of the images, such as 'a.png'"),
            (b"file,label\n", "no row of labels.csv names one of the images"),
            (b"a.png,\nb.png,\n", "has no label for any image: 2 rows with an empty label"),
            (
                b"file,label\na.png\nb.png,\nx.png,cat\n",
                "image, such as 'x.png'; 2 rows with an empty",
            ),
            (b"file,one,two\na.png,1,0\nb.png,0,1\n", "the column of labels in labels.csv is unclear"),
            (b"file,label,class\na.png,1,0\nb.png,0,1\n", "the column of labels in labels.csv is unclear"),
            (b"a.png,cat\nb.png,\0\n", "zero byte"),
            ("a.png,cat\n".encode("utf-16-le"), "zero byte"),
            (b"a.png,cat\n" + b"x" * 100_000, "longer than 65,536"),
            (b"\xff\xfea", "cannot be read as a table"),
            (b'a.png,"' + b"cat\n" * 50_000, "cannot be read as a table"),
            (b"\x89PNG\r\n\x1a\n\0\0", "zero byte"),
            (b"PK\x03\x04" + np.random.default_rng(0).bytes(64).replace(b"\0", b"x"), ""),
        ],
    )
    def test_what_tells_nothing(self, photos: Path, content: bytes, words: str):
        with pytest.raises(DataError) as caught:
            opened(photos, content)
        assert words in caught.value.message and caught.value.hint
        assert "\0" not in caught.value.message and len(caught.value.message) < 1_000

    def test_before_anything_is_decoded(self, photos: Path):
        """Hours of decoding would be in vain."""
        done = []
        path = photos.parent / "labels.csv"
        path.write_text("x.png,cat\n")
        with pytest.raises(DataError):
            open_images(photos, (8, 8), labels=path, progress=lambda *what: done.append(what))
        assert not [what for _, _, what in done if "decoding" in what]

    @pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "unreadable name"])
    def test_what_is_no_file(self, photos: Path, tmp_path: Path, kind: str):
        path = tmp_path / ("x" * 300 if kind == "unreadable name" else "labels.csv")
        if kind == "folder":
            path.mkdir()
        if kind == "pipe":
            os.mkfifo(path)
        with pytest.raises(UsageError) as caught:
            open_images(photos, (8, 8), labels=path)
        assert "column of file names" in caught.value.hint

    def test_a_file_that_is_too_large(self, photos: Path, tmp_path: Path):
        path = tmp_path / "labels.csv"
        with path.open("wb") as file:
            file.truncate(label_table.MOST_BYTES + 1)
        with pytest.raises(DataError, match="more than 512 MiB"):
            open_images(photos, (8, 8), labels=path)

    def test_arrays_and_built_in_images(self, tmp_path: Path):
        (tmp_path / "labels.csv").write_text("a.png,cat\n")
        with pytest.raises(UsageError, match="labels are for image files"):
            open_images("faces", (8, 8), labels=tmp_path / "labels.csv")

    @pytest.mark.parametrize("labels", [3, b"labels.csv", ["labels.csv"]])
    def test_what_is_no_path(self, photos: Path, labels: Any):
        with pytest.raises(UsageError, match="labels must be"):
            open_images(photos, (8, 8), labels=labels)


class TestIdentity:
    def test_a_changed_table_is_read_again(self, photos: Path):
        before = opened(photos, table(FILES))
        path = photos.parent / "labels.csv"
        stat = path.stat()
        path.write_text(table(FILES).replace("cat", "cow"))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        after = open_images(photos, (8, 8), labels=path)
        assert (before.class_names, after.class_names) == (["cat", "dog"], ["cow", "dog"])
        assert before.content_hash == after.content_hash and before.folder != after.folder
        assert open_images(photos, (8, 8)).class_names == []

    def test_what_is_said_comes_from_the_cache_too(self, photos: Path):
        content = "file,label\na.png,cat\nb.png,dog\n"
        first, second = opened(photos, content), opened(photos, content)
        assert said(first) == said(second) != "" and first.notes == second.notes

    def test_a_run_keeps_them_and_notices_a_change(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        root = fill(tmp_path / "photos", 12)
        path = tmp_path / "labels.csv"
        rows = [f"{n:05}.png,{'cat' if n % 2 else 'dog'}" for n in range(12)]
        path.write_text("\n".join(rows))
        monkeypatch.chdir(tmp_path)
        small = {"generator.width": 4, "discriminator.width": 4, "classes": "projection", "batch": 4}
        run = gz.train(root, labels="labels.csv", size=8, images=8, settings=small, out=tmp_path / "runs")
        assert run.classes == ("cat", "dog")
        assert json.loads((run.path / "run.json").read_text())["preparation"]["labels"] == str(path)
        monkeypatch.chdir("/")
        assert gz.resume(run.path, images=16).position.images_seen == 16
        path.write_text("\n".join([*rows[:-1], "00011.png,dog"]))
        with pytest.raises(GanzfeldError, match=r"class|label"):
            gz.resume(run.path, images=24)
        path.unlink()
        with pytest.raises(UsageError, match="the labels of the run is missing"):
            gz.resume(run.path, images=24)

    def test_a_table_that_moved(self, tmp_path: Path):
        root, path, moved = fill(tmp_path / "photos", 12), tmp_path / "labels.csv", tmp_path / "moved.csv"
        content = "".join(f"{n:05}.png,{'cat' if n % 2 else 'dog'}\n" for n in range(12))
        path.write_text(content)
        small = {"generator.width": 4, "discriminator.width": 4, "classes": "projection", "batch": 4}
        run = gz.train(root, labels=path, size=8, images=8, settings=small, out=tmp_path / "runs")
        path.rename(moved)
        with pytest.raises(UsageError, match="the labels of the run is missing") as refused:
            gz.resume(run.path, images=16)
        assert "--labels" in refused.value.hint
        with pytest.raises(UsageError, match="the labels of the run is missing"):
            gz.resume(run.path, images=16, labels=tmp_path / "nothing.csv")
        assert gz.resume(run.path, images=16, labels=moved).position.images_seen == 16
        assert gz.resume(run.path, images=24).position.images_seen == 24, "the run keeps the new place"
        moved.write_text(content.replace("11.png,cat", "11.png,dog"))
        with pytest.raises(DataError, match="classes of the images are not those") as refused:
            gz.resume(run.path, images=32, labels=moved)
        assert gz.resume(run.path, images=32, labels=moved, inexact=True).position.images_seen == 32
        path.write_text(content)
        assert gz.resume(run.path, from_images=24, labels=path).metadata.preparation.labels == str(path)

    def test_labels_that_are_gone_are_not_missed_where_they_did_not_count(self, tmp_path: Path):
        root = fill(tmp_path / "photos", 60)
        path = tmp_path / "labels.csv"
        path.write_text("".join(f"{n:05}.png,{n % 2}\n" for n in range(60)))
        small = {"generator.width": 4, "discriminator.width": 4, "batch": 4}
        run = gz.train(root, labels=path, size=8, images=8, settings=small, out=tmp_path / "runs")
        path.unlink()
        assert gz.resume(run.path, images=16).position.images_seen == 16
        assert gz.evaluate(run, num=50, only=["sliced-wasserstein"]).measurements
        other = fill(tmp_path / "other", 60, begin=100)
        assert gz.evaluate(run, other, num=50, only=["sliced-wasserstein"]).measurements


class TestCommand:
    def call(self, capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    def test_check_tells_columns_in_one_line(self, photos: Path, capsys: pytest.CaptureFixture[str]):
        path = photos.parent / "labels.csv"
        path.write_text(table(FILES, header="file,label") + "z.png,cat\n")
        code, told, _ = self.call(capsys, "check", photos, "--size", 8, "--labels", path)
        assert code == 0 and "cat (2), dog (2)" in told
        line = (
            "labels.csv: names in column 1 (file), labels in column 2 (label), a header, separated by commas"
        )
        assert f"  {line}\n" in told and "1 row names no image, such as 'z.png'" in told
        code, told, _ = self.call(capsys, "check", photos, "--size", 8, "--labels", path, "--json")
        found = json.loads(told)
        assert found["classes"] == {"cat": 2, "dog": 2} and line in found["notes"]
        assert [each["name"] for each in found["warnings"]].count("labels-rejected") == 1
        assert f"--labels {path}" in found["dry_run"]

    @pytest.mark.parametrize(("content", "code"), [(None, 2), ("nothing", 3)])
    def test_exit_codes(
        self, photos: Path, capsys: pytest.CaptureFixture[str], content: str | None, code: int
    ):
        path = photos.parent / "labels.csv"
        if content:
            path.write_text(content)
        for command in (["check"], ["train", "--images", "8"]):
            options = ["--size", 8, "--labels", path, "--json"]
            ended, told, _ = self.call(capsys, command[0], photos, *command[1:], *options)
            assert ended == code and "column of file names" in json.loads(told)["hint"]
