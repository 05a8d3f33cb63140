"""FAULTS 32: what is written where the user says replaces nothing that this program did not write."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from ganzfeld.data import open_images
from ganzfeld.errors import ResourceError, UsageError
from ganzfeld.lab.outcome import Outcome
from ganzfeld.lab.perform import write_outcome
from ganzfeld.model import png
from ganzfeld.output import Mark, mark_of, require_replaceable, write_json_output, write_output
from tests.cli.test_cli import SETTINGS, call
from tests.conftest import blobs


@pytest.fixture(scope="module")
def run(array_file, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs")
    code, told, _ = call("train", array_file, "--images", 64, "--out", out, "--json", *SETTINGS)
    assert code == 0
    return Path(json.loads(told)["run"])


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, image in enumerate(blobs(12, 16)):
        Image.fromarray(image).save(folder / f"{number:06d}.png")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestCommands:
    def test_samples_do_not_replace_photos(self, run, photos):
        before = contents(photos)
        code, told, complaint = call("sample", run, "--n", 12, "--out", photos)
        assert (code, told) == (2, "")
        assert "000000.png exists already" in complaint and "never overwritten" in complaint
        assert contents(photos) == before

    def test_all_are_looked_at_before_one_is_written(self, run, tmp_path):
        (tmp_path / "000007.png").write_bytes(png(blobs(1, 16)[0]))
        before = contents(tmp_path)
        assert call("sample", run, "--n", 12, "--out", tmp_path)[0] == 2
        assert contents(tmp_path) == before

    def test_a_sheet_does_not_replace_an_image_of_the_set(self, photos):
        before = contents(photos)
        code, _, complaint = call("check", photos, "--size", 16, "--sheet", photos / "000003.png")
        assert code == 2 and "000003.png exists already" in complaint
        assert contents(photos) == before

    def test_the_default_sheet_does_not_replace_anything(self, run, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        mine = tmp_path / f"{run.name}-sample.png"
        mine.write_bytes(b"mine")
        assert call("sample", run)[0] == 2 and mine.read_bytes() == b"mine"
        mine.unlink()
        assert call("sample", run)[0] == 0
        assert call("sample", run, "--n", 1)[0] == 0, "what sample wrote, it replaces"
        with Image.open(mine) as shown:
            assert shown.size == (16, 16)

    @pytest.mark.parametrize(
        "words",
        [
            ["lab", "report", "--out"],
            ["bench", "sample", "--out"],
            ["lab", "run", "leaky-slope", "--out"],
            ["eval", "RUN", "--out"],
            ["sample", "RUN", "--out"],
        ],
        ids=lambda words: " ".join(words[:2]),
    )
    def test_every_command_refuses_before_it_works(self, run, tmp_path, words):
        """And no later: each of them would take seconds and more."""
        mine = tmp_path / ("verdict.json" if "run" in words else "mine.png" if "RUN" in words else "mine.md")
        mine.write_text("mine")
        place = tmp_path if "run" in words else mine
        code, told, complaint = call(*(run if word == "RUN" else word for word in words), place)
        assert (code, told) == (2, ""), complaint
        assert f"{mine} exists already" in complaint
        assert contents(tmp_path) == {mine.name: b"mine"}

    @pytest.mark.parametrize("name", ["reals.png", "samples/0.png", "samples/new.png", "model/last/x.png"])
    def test_the_files_of_a_run_are_its_own(self, run, photos, name):
        before = contents(run)
        for words in (["sample", run, "--out"], ["check", photos, "--size", 16, "--sheet"]):
            code, _, complaint = call(*words, run / name)
            assert code == 2 and "among the files of the run" in complaint
        assert call("sample", run, "--out", run / "samples")[0] == 2
        assert contents(run) == before
        assert call("sample", run, "--out", run / "mine.png")[0] == 0, "a place beside them is fine"
        (run / "mine.png").unlink()


class TestOutput:
    @pytest.fixture
    def sheet(self) -> bytes:
        return png(blobs(1, 16)[0])

    def test_is_marked_and_the_image_is_the_same(self, sheet, tmp_path):
        for mark in Mark:
            path = tmp_path / f"{mark}.png"
            write_output(path, sheet, mark)
            assert mark_of(path) == mark
            with Image.open(path) as shown:
                assert np.array_equal(np.asarray(shown), blobs(1, 16)[0])
                assert shown.info["Software"] == f"ganzfeld {mark}"
            write_output(path, sheet, mark)
        page = tmp_path / "page.html"
        write_output(page, b"<!doctype html>\n<html><head>\n</head></html>", Mark.LAB_REPORT)
        assert mark_of(page) == "lab report" and b'<head>\n<meta name="generator"' in page.read_bytes()
        write_json_output(tmp_path / "x.json", {"name": "x"}, Mark.LAB_VERDICT)
        assert mark_of(tmp_path / "x.json") == "lab verdict"
        assert json.loads((tmp_path / "x.json").read_text()) == {
            "software": "ganzfeld lab verdict",
            "name": "x",
        }

    def test_only_what_wrote_it_replaces_it(self, sheet, tmp_path):
        path = tmp_path / "x.png"
        write_output(path, sheet, Mark.SAMPLE)
        for other in set(Mark) - {Mark.SAMPLE}:
            with pytest.raises(UsageError, match="exists already"):
                write_output(path, sheet, other)
        write_output(path, sheet, Mark.SAMPLE_GRID, Mark.SAMPLE)
        assert mark_of(path) == Mark.SAMPLE_GRID

    def test_files_of_others_are_not_taken_for_ours(self, sheet, tmp_path):
        other = PngImagePlugin.PngInfo()
        other.add_text("Software", "not ganzfeld sample")
        Image.fromarray(blobs(1, 16)[0]).save(tmp_path / "other.png", pnginfo=other)
        (tmp_path / "plain.png").write_bytes(sheet)
        (tmp_path / "empty.png").write_bytes(b"")
        (tmp_path / "text.png").write_text("ganzfeld sample")
        (tmp_path / "page.html").write_text('<!doctype html><meta name="generator" content="another">')
        for path in tmp_path.iterdir():
            assert mark_of(path) is None
            for mark in Mark:
                with pytest.raises(UsageError):
                    write_output(path, sheet, mark)

    def test_links_folders_and_pipes_are_refused(self, sheet, tmp_path):
        ours = tmp_path / "ours.png"
        write_output(ours, sheet, Mark.SAMPLE)
        (tmp_path / "link.png").symlink_to(ours)
        (tmp_path / "dangling.png").symlink_to(tmp_path / "nothing.png")
        (tmp_path / "folder.png").mkdir()
        os.mkfifo(tmp_path / "pipe.png")
        for name, kind in {
            "link.png": UsageError,
            "dangling.png": UsageError,
            "folder.png": ResourceError,
            "pipe.png": ResourceError,
        }.items():
            with pytest.raises(kind):
                write_output(tmp_path / name, sheet, Mark.SAMPLE)
        with pytest.raises(ResourceError):
            write_output(Path("/dev/null"), sheet, Mark.SAMPLE)
        assert not (tmp_path / "nothing.png").exists() and (tmp_path / "link.png").is_symlink()
        assert not list(tmp_path.glob(".*"))

    def test_another_name_of_our_file_keeps_its_content(self, sheet, tmp_path):
        write_output(tmp_path / "x.png", sheet, Mark.SAMPLE)
        os.link(tmp_path / "x.png", tmp_path / "kept.png")
        before = (tmp_path / "kept.png").read_bytes()
        write_output(tmp_path / "x.png", png(blobs(2, 8)[1]), Mark.SAMPLE)
        assert (tmp_path / "kept.png").read_bytes() == before != (tmp_path / "x.png").read_bytes()

    @pytest.mark.parametrize("linking", [True, False], ids=["links", "no hard links here"])
    def test_who_comes_first_keeps_the_name(self, sheet, tmp_path, monkeypatch, linking):
        """A file that is put there after the last look is not replaced."""
        path = tmp_path / "x.png"
        if not linking:

            def refused(*_: object) -> None:
                raise PermissionError(1, "Operation not permitted")

            monkeypatch.setattr("os.link", refused)
        write_output(path, sheet, Mark.SAMPLE)
        assert mark_of(path) == Mark.SAMPLE
        path.unlink()
        monkeypatch.setattr("ganzfeld.output.require_replaceable", lambda *_: None)
        monkeypatch.setattr("ganzfeld.output.Path.exists", lambda _: False)
        path.write_bytes(b"mine")
        with pytest.raises(UsageError, match="exists already"):
            write_output(path, sheet, Mark.SAMPLE)
        assert path.read_bytes() == b"mine"

    def test_an_outcome_does_not_replace_the_verdict_of_somebody_else(self, tmp_path):
        (tmp_path / "figure.png").write_bytes(b"mine")
        with pytest.raises(UsageError, match=r"figure\.png exists already"):
            write_outcome(Outcome("leaky-slope", {}, 0, (), "", {}), tmp_path)
        assert contents(tmp_path) == {"figure.png": b"mine"}


class TestInsideTheData:
    """FAULTS 35: what was written beside the images is told and left out; single samples may be data."""

    def test_sheets_are_left_out_and_told(self, run, photos):
        before = open_images(photos, size=(16, 16))
        assert call("check", photos, "--size", 16, "--sheet", photos / "sheet.png")[0] == 0
        assert call("sample", run, "--n", 4, "--out", photos / "grid.png")[0] == 0
        code, told, _ = call("check", photos, "--size", 16, "--sheet", photos / "sheet.png", "--json")
        found = json.loads(told)
        assert code == 0 and found["usable"] == 12
        reasons = {Path(each["path"]).name: each["reason"] for each in found["unusable"]}
        assert "made by ganzfeld (sample grid)" in reasons["grid.png"]
        assert "made by ganzfeld (contact sheet)" in reasons["sheet.png"]
        assert open_images(photos, size=(16, 16)).content_hash == before.content_hash

    def test_samples_are_images(self, run, tmp_path):
        assert call("sample", run, "--n", 12, "--out", tmp_path)[0] == 0
        assert open_images(tmp_path, size=(16, 16)).num_pictures == 12

    def test_samples_do_not_become_images_of_the_run_that_is_sampled(self, photos, tmp_path):
        code, told, _ = call("train", photos, "--images", 64, "--out", photos, "--json", *SETTINGS)
        assert code == 0
        run = Path(json.loads(told)["run"])
        (tmp_path / "link").symlink_to(photos)
        before = contents(photos)
        for sampled in (run, run / "model" / "last"):
            for out in (photos / "fake", tmp_path / "link" / "fake", photos):
                code, told, complaint = call("sample", sampled, "--n", 3, "--out", out)
                assert (code, told) == (2, "") and f"inside the data of the run {run}" in complaint
            assert call("sample", sampled, "--n", 1, "--out", photos / "one.png")[0] == 2
        assert contents(photos) == before
        assert call("sample", run, "--n", 3, "--out", run / "more")[0] == 0, "what is in a run is no data"
        assert call("sample", run, "--n", 3, "--out", photos / "grid.png")[0] == 0, "nor is a sheet"
        assert call("sample", run, "--n", 3, "--out", tmp_path / "fake")[0] == 0
        shutil.copytree(run, other := run.parent / "other")
        (run / "run.json").write_text(json.dumps(json.loads((run / "run.json").read_text()) | {"data": None}))
        code, _, complaint = call("sample", run, "--n", 3, "--out", photos / "fakes")
        assert code == 0 and len(complaint.splitlines()) == 1
        assert complaint.startswith("warning: ") and f"inside the data of the run {other}:" in complaint
        assert call("sample", run, "--n", 3, "--out", tmp_path / "fakes")[2] == ""
        shutil.rmtree(photos / "fakes")
        shutil.copy(other / "run.json", run / "run.json")
        assert call("resume", run, "--images", 128)[0] == 0

    def test_runs_are_left_out_wherever_they_lie(self, run, photos):
        before = open_images(photos, size=(16, 16))
        shutil.copytree(run, photos / "deep" / "runs" / "one")
        shutil.copytree(run, photos / "begun")
        (photos / "begun" / "recipe.json").unlink()
        code, told, _ = call("check", photos, "--size", 16, "--json")
        assert code == 0 and json.loads(told)["usable"] == 12
        assert "2 run folders left out, such as begun" in call("check", photos, "--size", 16)[1]
        assert open_images(photos, size=(16, 16)).content_hash == before.content_hash
        code, _, complaint = call("check", photos / "deep")
        assert code == 3 and "1 run folder left out" in complaint

    def test_require_replaceable_names_what_it_would_need(self, tmp_path):
        (tmp_path / "x.png").write_bytes(b"mine")
        with pytest.raises(UsageError, match="is not a contact sheet that ganzfeld wrote"):
            require_replaceable(tmp_path / "x.png", Mark.CONTACT_SHEET)
