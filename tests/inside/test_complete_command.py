"""``ganzfeld complete``: files, figures against the baseline, and one clear line for every mistake."""

import json
import os
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzfeld as gz
from ganzfeld.data import open_images
from ganzfeld.errors import DataError
from ganzfeld.inside.completing import read_mask
from ganzfeld.inside.completion import complete, filled_in, importance, nearest_training_image
from ganzfeld.inversion import psnr_db
from ganzfeld.inversion.fit import Fit
from ganzfeld.output import Mark, mark_of
from ganzfeld.progress import silent
from tests.cli.test_cli import call
from tests.conftest import blobs

HOLE = "5,4,6,7"


def where() -> np.ndarray:
    hole = np.zeros((16, 16), bool)
    hole[4:11, 5:11] = True
    return hole


@pytest.fixture
def image(run: gz.Run, tmp_path: Path) -> Path:
    """An image that the generator made."""
    path = tmp_path / "image.png"
    Image.fromarray(run.sample(seeds=[5])[0]).save(path)
    return path


def test_a_hole_of_a_generated_image_is_filled_better_than_by_a_training_image(
    run: gz.Run, image: Path, tmp_path: Path
):
    out = tmp_path / "out"
    code, text, _ = call("complete", run.path, image, "--hole", HOLE, "--n", 2, "--out", out, "--json")
    result = json.loads(text)
    assert code == 0 and result["beats_nearest"] and result["psnr_db"] > result["nearest_psnr_db"]
    assert "better than by the nearest training image" in result["sentence"]
    original = np.asarray(Image.open(image))
    first = np.asarray(Image.open(result["files"][0]))
    assert psnr_db(original[None], first[None], where())[0] == pytest.approx(result["psnr_db"], abs=0.01)
    assert np.array_equal(first[~where()], original[~where()])
    assert [Path(name).name for name in result["files"]] == [
        *("completion-1.png", "completion-2.png", "latents.npy", "comparison.png")
    ]
    assert np.load(result["files"][2]).shape == (2, 16)
    assert mark_of(Path(result["files"][0])) == Mark.COMPLETION
    outside = [entry["outside_psnr_db"] for entry in result["completions"]]
    assert outside == sorted(outside, reverse=True), "the best outside the hole is the first"


def test_a_mask_says_the_same_as_its_rectangle(run: gz.Run, image: Path, tmp_path: Path):
    mask = tmp_path / "mask.png"
    Image.fromarray((where() * 255).astype(np.uint8)).save(mask)
    figures = []
    for number, arguments in enumerate(([mask], ["--hole", HOLE])):
        code, text, _ = call(
            "complete", run.path, image, *arguments, "--n", 1, "--out", tmp_path / f"{number}", "--json"
        )
        assert code == 0
        figures.append(json.loads(text)["psnr_db"])
    assert figures[0] == figures[1]


def test_an_image_of_another_size_is_completed_if_it_may_be_scaled(run: gz.Run, tmp_path: Path):
    path = tmp_path / "large.png"
    Image.fromarray(blobs(1, 40)[0]).save(path)
    arguments = [run.path, path, "--hole", HOLE, "--n", 1, "--out", tmp_path / "out"]
    code, _, complaint = call("complete", *arguments)
    assert code == 3 and "--fit" in complaint
    assert call("complete", *arguments, "--fit")[0] == 0


def test_a_training_image_is_not_its_own_baseline(run: gz.Run):
    dataset = open_images(str(run.metadata.data), 16, progress=False)
    image = dataset.batch(np.array([7]))[0]
    nearest, notes = nearest_training_image(image, where(), dataset, silent)
    assert nearest is not None and not np.array_equal(nearest, image)
    assert "one of the training images" in notes[0]
    # The distance counts what is visible, and nothing else.
    others = dataset.batch(np.delete(np.arange(dataset.num_pictures), 7)).astype(float)
    squares = ((others - image) ** 2)[:, ~where()].sum((1, 2))
    assert np.array_equal(nearest, others[squares.argmin()].astype(np.uint8))


def test_the_sentence_says_when_the_baseline_is_better(run: gz.Run, tmp_path: Path):
    """A copy of a training image with one changed pixel: no generator comes as near."""
    dataset = open_images(str(run.metadata.data), 16, progress=False)
    image = dataset.batch(np.array([7]))[0].copy()
    image[0, 0] = 255 - image[0, 0]
    done = complete(run.model, image, where(), training_set=dataset, num=1)
    assert done.beats_nearest is False and "the nearest training image is better" in done.sentence
    assert done.nearest_db is not None and done.nearest_db > 50


def test_an_even_hole_has_no_truth(run: gz.Run):
    image = run.sample(1)[0].copy()
    image[where()] = 0
    done = complete(run.model, image, where(), num=1)
    assert done.hole_db is None and done.nearest_db is None and done.beats_nearest is None
    assert "unknown" in done.sentence


def test_pixels_near_the_hole_count_more():
    weights = importance(where())
    assert not weights[where()].any()
    beside, far = weights[4:11, 4], weights[0, 0]
    assert np.allclose(beside, 1.1) and far < 0.4
    row = weights[7, 11:]
    assert np.allclose(row, 0.1 + np.exp(-np.arange(5) / 2)), "falls over an eighth of the side"


def test_without_blending_pixels_are_copied(run: gz.Run):
    image = run.sample(1)[0]
    done = complete(run.model, image, where(), num=1, blend=False)
    made = run.generator(done.latents)
    expected = ((made[0] + 1) * 127.5).round().clamp(0, 255).movedim(0, -1).to(torch.uint8).numpy()
    assert np.abs(done.images[0][where()].astype(int) - expected[where()]).max() <= 1


def test_the_hidden_pixels_have_no_influence(run: gz.Run):
    image = run.sample(1)[0]
    other = image.copy()
    other[where()] = blobs(1, 16, seed=9)[0][where()]
    one, two = (complete(run.model, pixels, where(), num=1) for pixels in (image, other))
    assert np.array_equal(one.images, two.images)


def test_the_encoder_sees_generated_pixels_in_the_hole(run: gz.Run):
    """However little the pixels outside of it count."""
    image = torch.full((1, 3, 16, 16), 0.25)
    weights = torch.from_numpy(importance(where()))[None, None].float()
    whole = filled_in(Fit.of(run.model, image, weights), torch.full_like(image, -0.5))
    expected = torch.where(torch.from_numpy(where()), -0.5, 0.25).expand_as(whole)
    assert torch.equal(whole, expected)


def test_it_works_with_classes(conditional_run: gz.Run):
    image = conditional_run.sample(1)[0]
    done = complete(conditional_run.model, image, where(), num=3, discriminator=conditional_run.discriminator)
    assert done.labels is not None and done.images.shape == (3, 16, 16, 3)
    assert done.outside_db[0] > 20


def test_without_training_images_there_is_no_baseline(run: gz.Run, image: Path, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    metadata = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps(metadata | {"data": str(tmp_path / "gone.npy")}))
    code, text, complaint = call(
        "complete", other, image, "--hole", HOLE, "--n", 1, "--out", tmp_path / "out", "--json"
    )
    result = json.loads(text)
    assert code == 0 and result["nearest_psnr_db"] is None and result["psnr_db"] is not None
    assert "gone.npy" in complaint


def huge_png() -> bytes:
    """A PNG of 69 bytes that says it has 1.6 billion pixels."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        parts.append(struct.pack(">I", len(content)) + kind + content + checksum)
    return b"".join(parts)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_a_mask_that_is_a_pipe_is_refused_at_once(tmp_path: Path):
    os.mkfifo(tmp_path / "mask.png")
    with pytest.raises(DataError, match="it is a pipe"):
        read_mask(tmp_path / "mask.png")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["image.png"], 2, "by a mask or by --hole"),
        (["image.png", "all.png", "--hole", HOLE], 2, "by a mask or by --hole"),
        (["image.png", "all.png"], 2, "hides all of the image"),
        (["image.png", "none.png"], 2, "hides nothing"),
        (["image.png", "large.png"], 3, "the mask is 20x20 px, and the image 16x16 px"),
        (["image.png", "text.png"], 3, "the mask text.png cannot be read"),
        (["image.png", "missing.png"], 3, "there is no mask"),
        (["image.png", "huge.png"], 3, "the mask huge.png is far larger than any image"),
        (["image.png", "taken"], 3, "it is a folder, not a regular file"),
        (["image.png", "--hole", "1,2,3"], 2, "is not a rectangle"),
        (["image.png", "--hole", "a,b,c,d"], 2, "is not a rectangle"),
        (["image.png", "--hole", "10,10,7,2"], 2, "not inside the image"),
        (["image.png", "--hole", "1,1,0,2"], 2, "not inside the image"),
        (["image.png", "--hole", "0,0,16,16"], 2, "hides all"),
        (["large.png", "--hole", HOLE], 3, "20x20 px"),
        (["all.png", "--hole", HOLE], 3, "grey image"),
        (["missing.png", "--hole", HOLE], 3, "there is nothing at"),
        (["image.png", "--hole", HOLE, "--n", "0"], 2, "from 1 to 16"),
        (["image.png", "--hole", HOLE, "--out", "taken"], 2, "exists already"),
    ],
)
def test_mistakes_are_one_line(
    run: gz.Run, image: Path, monkeypatch, arguments: list[str], code: int, message: str
):
    monkeypatch.chdir(image.parent)
    for name, shape, level in (("all", (16, 16), 255), ("none", (16, 16), 0), ("large", (20, 20, 3), 255)):
        Image.fromarray(np.full(shape, level, np.uint8)).save(f"{name}.png")
    Path("text.png").write_text("no image")
    Path("huge.png").write_bytes(huge_png())
    Path("taken").mkdir()
    Path("taken/completion-2.png").write_text("mine")
    ended, text, complaint = call("complete", run.path, *arguments)
    assert (ended, text) == (code, "") and message in complaint
    assert "Traceback" not in complaint
    assert Path("taken/completion-2.png").read_text() == "mine"
