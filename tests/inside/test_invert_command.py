"""``ganzfeld latent invert`` and ``run.invert``: files, figures, and one clear line for every mistake."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganzfeld as gz
from ganzfeld.errors import DataError, GanzfeldWarning, UsageError
from ganzfeld.inside.inverting import comparison_of
from ganzfeld.inversion import psnr_db
from ganzfeld.model import images_of_latents
from ganzfeld.output import Mark, mark_of
from tests.cli.test_cli import call


@pytest.fixture
def samples(run: gz.Run, tmp_path: Path) -> list[Path]:
    """Three images that the generator of the run made."""
    paths = [tmp_path / f"sample {number}.png" for number in range(3)]
    for path, image in zip(paths, run.sample(3), strict=True):
        Image.fromarray(image).save(path)
    return paths


def without_checkpoints(run: gz.Run, to: Path) -> gz.Run:
    shutil.copytree(run.path, to)
    shutil.rmtree(to / "checkpoints")
    return gz.open_run(to)


def test_the_files_are_those_of_the_figures(run: gz.Run, samples: list[Path], tmp_path: Path):
    out = tmp_path / "out"
    code, text, _ = call("latent", "invert", run.path, *samples, "--out", out, "--json")
    assert code == 0
    result = json.loads(text)
    assert [image["path"] for image in result["images"]] == [str(path) for path in samples]
    assert result["seconds"] > 0
    latents = np.stack([np.load(image["latent"], allow_pickle=False) for image in result["images"]])
    assert latents.shape == (3, 16) and latents.dtype == np.float32
    again = images_of_latents(run.generator, torch.from_numpy(latents))
    figures = [image["psnr_db"] for image in result["images"]]
    assert figures == pytest.approx(psnr_db(run.sample(3), again).tolist(), abs=0.01)
    assert min(figures) > 25
    with Image.open(result["comparison"]) as comparison:
        assert comparison.size == (3 * 16 + 2 * 2, 3 * 16 + 2 * 2)
    assert mark_of(Path(result["comparison"])) == Mark.INVERSION
    assert mark_of(Path(result["images"][0]["latent"])) == Mark.LATENTS
    assert call("latent", "invert", run.path, *samples, "--out", out)[0] == 0, "its own files are replaced"


def test_a_folder_and_an_array_are_images_too(run: gz.Run, samples: list[Path], tmp_path: Path):
    array = tmp_path / "array.npy"
    np.save(array, run.sample(2))
    code, text, _ = call("latent", "invert", run.path, array, "--out", tmp_path / "out", "--json")
    assert code == 0 and len(json.loads(text)["images"]) == 2
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in samples:
        shutil.copy(path, folder / path.name)
    code, text, _ = call(
        "latent", "invert", run.path, folder, samples[0], "--out", tmp_path / "out2", "--json"
    )
    images = json.loads(text)["images"]
    assert code == 0 and len({image["latent"] for image in images}) == len(images) == 4


def test_a_class_is_searched_or_given(conditional_run: gz.Run):
    images = conditional_run.sample(6)
    searched = conditional_run.invert(images, progress=False)
    assert searched.labels is not None and searched.labels.shape == (6,)
    assert float(searched.psnr_db.mean()) > 25
    fixed = conditional_run.invert(images, of=conditional_run.classes[1], progress=False)
    assert fixed.labels is not None and fixed.labels.tolist() == [1] * 6
    assert searched.psnr_db.mean() >= fixed.psnr_db.mean() - 0.5
    each = conditional_run.invert(images, of=[0, 1, 2, 0, 1, 2], method="best", progress=False)
    assert each.labels is not None and each.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert float(each.psnr_db.min()) > 30


def test_the_found_class_is_named(conditional_run: gz.Run, tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(conditional_run.sample(1)[0]).save(path)
    code, text, _ = call("latent", "invert", conditional_run.path, path, "--out", tmp_path / "out", "--json")
    assert code == 0 and json.loads(text)["images"][0]["class"] in conditional_run.classes
    code, _, complaint = call(
        "latent", "invert", conditional_run.path, path, "--class", "rde", "--out", tmp_path / "out"
    )
    assert code == 2 and "there is no class" in complaint


def test_without_a_discriminator_it_still_works(run: gz.Run, samples: list[Path], tmp_path: Path):
    other = without_checkpoints(run, tmp_path / "other")
    with pytest.warns(GanzfeldWarning, match="averaged pixels alone"):
        inversion = other.invert(run.sample(2), progress=False)
    assert float(inversion.psnr_db.min()) > 25
    for place in (other.path, other.path / "model" / "last"):
        code, text, complaint = call(
            "latent", "invert", place, samples[0], "--out", tmp_path / "out", "--json"
        )
        assert code == 0 and json.loads(text)["notes"] and "averaged pixels alone" in complaint


@pytest.mark.parametrize(
    ("name", "image", "message"),
    [
        ("large.png", np.zeros((20, 24, 3), np.uint8), "24x20 px, and the model makes images of 16x16 px"),
        ("grey.png", np.zeros((16, 16), np.uint8), "grey image, and the model makes colour images"),
    ],
)
def test_other_images_need_to_be_fitted(
    run: gz.Run, tmp_path: Path, name: str, image: np.ndarray, message: str
):
    path = tmp_path / name
    Image.fromarray(image).save(path)
    code, text, complaint = call("latent", "invert", run.path, path, "--out", tmp_path / "out")
    assert (code, text) == (3, "") and message in complaint and "--fit" in complaint
    assert not (tmp_path / "out").exists()
    assert call("latent", "invert", run.path, path, "--fit", "--out", tmp_path / "out")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.png"], 3, "there is nothing at"),
        (["text.png"], 3, "cannot be used"),
        (["nan.npy"], 3, "holds NaN"),
        (["empty"], 3, "no images in"),
        (["good.png", "--method", "bset"], 2, "unknown method 'bset'"),
        (["good.png", "--class", "red"], 2, "no classes"),
        (["good.png", "--out", "taken"], 2, "exists already"),
        ([], 2, "missing argument 'images'"),
    ],
)
def test_mistakes_are_one_line(
    run: gz.Run, tmp_path: Path, monkeypatch, arguments: list[str], code: int, message: str
):
    monkeypatch.chdir(tmp_path)
    Path("text.png").write_text("no image")
    Path("empty").mkdir()
    Path("taken").mkdir()
    Path("taken/good.npy").write_text("mine")
    Image.fromarray(run.sample(1)[0]).save("good.png")
    np.save("nan.npy", np.full((1, 16, 16, 3), np.nan, np.float32))
    ended, text, complaint = call("latent", "invert", run.path, *arguments)
    assert (ended, text) == (code, "") and message in complaint
    assert "Traceback" not in complaint


def test_a_folder_that_is_no_run_is_refused(samples: list[Path], tmp_path: Path):
    assert call("latent", "invert", tmp_path / "nothing", samples[0])[0] == 2
    assert call("latent", "invert", tmp_path, samples[0])[0] == 2


def test_nothing_is_written_into_a_run(run: gz.Run, samples: list[Path]):
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    code, _, complaint = call("latent", "invert", run.path, samples[0], "--out", run.path / "samples")
    assert code == 2 and "among the files of the run" in complaint
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_python_refuses_what_the_command_line_refuses(run: gz.Run):
    with pytest.raises(DataError, match="8x8 px"):
        run.invert(np.zeros((1, 8, 8, 3), np.uint8), progress=False)
    with pytest.raises(UsageError, match="no classes"):
        run.invert(run.sample(1), of=0, progress=False)
    with pytest.raises(UsageError, match="unknown method"):
        run.invert(run.sample(1), method="slow", progress=False)
    with pytest.raises(DataError, match="NaN"):
        run.invert(torch.full((1, 3, 16, 16), torch.nan), progress=False)


def test_a_comparison_shows_differences_times_four(run: gz.Run):
    inversion = run.invert(run.sample(1), progress=False)
    shown = comparison_of(inversion)
    differences = np.abs(inversion.images[0].astype(int) - inversion.reconstructions[0]) * 4
    assert np.array_equal(shown[36:52, :16], differences.clip(0, 255))
