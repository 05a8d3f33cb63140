"""``ganzfeld anomaly``: its files, labels, and one clear line for every mistake."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganzfeld as gz
from ganzfeld.inside.anomaly.files import truth_of_labels
from ganzfeld.output import Mark, mark_of
from tests.cli.test_cli import call


@pytest.fixture(scope="module")
def folder(run: gz.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 normal images of the run, and ``new/`` with six more in folders by class, three of them broken."""
    root = tmp_path_factory.mktemp("anomaly")
    for name in ("normal", "new/good", "new/broken", "few", "one"):
        (root / name).mkdir(parents=True)
    images = run.sample(36)
    rows = ["file,label"]
    for number, image in enumerate(images):
        place, changed = root / "normal" / f"{number}.png", image.copy()
        if number >= 30:
            kind = "broken" if number % 2 else "good"
            place = root / "new" / kind / f"{number}.png"
            changed[4:12, 4:12] = 255 - changed[4:12, 4:12] if kind == "broken" else changed[4:12, 4:12]
            rows.append(f"{number}.png,{'scratched' if number % 2 else 'fine'}")
        Image.fromarray(changed).save(place)
    (root / "labels.csv").write_text("\n".join(rows))
    (root / "one kind.csv").write_text("file,label\n30.png,good\n32.png,good\n")
    (root / "other.csv").write_text("file,label\nx.png,good\ny.png,bad\n")
    for number in range(3):
        Image.fromarray(images[number]).save(root / "few" / f"{number}.png")
    Image.fromarray(images[0]).save(root / "one" / "0.png")
    np.save(root / "nan.npy", np.full((3, 16, 16, 3), np.nan, np.float32))
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(root / "large.png")
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(root / "grey.png")
    return root


def test_broken_images_are_flagged_and_the_files_say_so(run: gz.Run, folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    arguments = ["anomaly", run.path, folder / "new", "--normal", folder / "normal", "--out", out]
    code, text, _ = call(*arguments, "--compare", "--json")
    result = json.loads(text)
    flags = {Path(entry["path"]).parent.name: entry["is_flagged"] for entry in result["images"]}
    assert code == 0 and flags == {"broken": True, "good": False}
    assert result["auroc"]["value"] == 1 and result["num_flagged"] == 3 and result["num_normal"] == 30
    assert [entry["name"] for entry in result["baselines"]] == ["pca", "nearest"]
    low, high = result["rate_interval"]
    assert 0 < low < result["rate"] < high < 0.3
    with (out / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == [entry["score"] for entry in result["images"]]
    assert [row["label"] for row in rows] == ["broken"] * 3 + ["good"] * 3
    maps = np.load(out / "maps.npy")
    index = int(rows[0]["index_of_map"])
    assert maps.shape == (6, 16, 16) and maps[index, 4:12, 4:12].mean() > 2 * maps[index, :3].mean()
    page = Path(result["page"]).read_text()
    assert page.count("<img") >= 1 and "PCA, the same without the generator" in page
    names = ("anomaly.png", "scores.csv", "maps.npy")
    assert {mark_of(out / name) for name in names} == {Mark.ANOMALIES.value}
    # It replaces its own files, a table gives the same labels, and images may be named one by one.
    images = sorted((folder / "new").rglob("*.png"))
    table = ["--labels", folder / "labels.csv", "--normal-label", "fine"]
    code, text, _ = call("anomaly", run.path, *images, *arguments[3:], *table)
    assert code == 0 and "AUROC 1.000" in text and "(scratched)" in text


def test_without_checkpoints_it_works_and_says_so(run: gz.Run, folder: Path, tmp_path: Path):
    arguments = [run.path / "model" / "last", folder / "few", "--normal", folder / "normal"]
    code, text, complaint = call("anomaly", *arguments, "--out", tmp_path / "out", "--json")
    assert code == 0 and "a model folder has no discriminator" in complaint
    notes = json.loads(text)["notes"]
    assert any("3 of the images are among the normal ones" in note for note in notes)


def test_labels_of_normal_images_are_known_or_named():
    labels = ["good", "", "torn", "good"]
    assert truth_of_labels(labels, (), is_asked=True)[0].tolist() == [0, -1, 1, 0]
    assert truth_of_labels(labels, ("torn",), is_asked=True)[0].tolist() == [1, -1, 0, 1]
    truth, notes = truth_of_labels(["a", "b", ""], (), is_asked=False)
    assert truth.tolist() == [-1] * 3 and "--normal-label" in notes[0]
    assert truth_of_labels(["", ""], (), is_asked=False)[1] == ()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["new", "--normal", "few"], 3, "needs 20 normal images or more, and there are 3"),
        (["new", "--normal", "one/0.png"], 3, "there is 1"),
        (["new", "--normal", "normal", "--rate", "0.01"], 3, "30 allow a rate of 0.0323"),
        (["new", "--normal", "normal", "--rate", "0.7"], 2, "above 0 and at most 0.5"),
        (["new", "--normal", "normal", "--method", "bst"], 2, "unknown method"),
        (["new", "--normal", "normal", "--class", "cat"], 2, "no classes"),
        (["new", "--normal", "missing"], 3, "there is nothing at"),
        (["large.png", "--normal", "normal"], 3, "20x20 px"),
        (["grey.png", "--normal", "normal"], 3, "grey image"),
        (["nan.npy", "--normal", "normal"], 3, "NaN"),
        (["new", "--normal", "nan.npy"], 3, "NaN"),
        (["new", "--normal", "normal", "--labels", "other.csv"], 3, "names one of the images"),
        (["new", "--normal", "normal", "--labels", "one kind.csv"], 3, "names no anomalous image"),
        (["new", "--normal", "normal", "--labels", "labels.csv"], 2, "unclear which label"),
        (["new", "--normal", "normal", "--normal-label", "god"], 2, "Did you mean"),
        (["new"], 2, "--normal"),
        (["few", "--normal", "normal", "--out", "taken"], 2, "exists already"),
    ],
)
def test_mistakes_are_one_line(
    run: gz.Run, folder: Path, monkeypatch, arguments: list[str], code: int, message: str
):
    monkeypatch.chdir(folder)
    Path("taken").mkdir(exist_ok=True)
    Path("taken/scores.csv").write_text("image,score\nmine,1\n")
    ended, text, complaint = call("anomaly", run.path, *arguments)
    assert (ended, text) == (code, "") and message in complaint
    assert "Traceback" not in complaint
    assert Path("taken/scores.csv").read_text() == "image,score\nmine,1\n"
