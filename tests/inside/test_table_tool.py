"""The tool that fills the tables of docs/inside.md: only its blocks, and with intervals over runs."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import ganzfeld as gz
from ganzfeld.data.sources.faces import FacesSource
from tests.conftest import TOOLS


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TOOLS))
    yield importlib.import_module("inside_table")
    sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def rows(tool: ModuleType) -> ModuleType:
    return importlib.import_module("inside_rows")


@pytest.fixture(scope="module")
def runs(tool: ModuleType) -> ModuleType:
    return importlib.import_module("inside_runs")


def test_fills_one_block_and_keeps_the_rest(tool: ModuleType):
    page = "a\n<!-- walk -->\nold\n<!-- end of walk -->\nb\n<!-- sums -->\n<!-- end of sums -->\n"
    once = tool.filled(page, "walk", "new \\1 text")
    assert once == page.replace("old", "new \\1 text")
    assert tool.filled(once, "walk", "old") == page
    with pytest.raises(ValueError, match="no block"):
        tool.filled(page, "nothing", "")


def test_the_page_has_a_block_for_every_row(tool: ModuleType):
    page = tool.PAGE.read_text(encoding="utf-8")
    assert all(tool.filled(page, row, "x") != page for row in tool.ROWS)


def test_intervals_are_over_runs(tool: ModuleType):
    text = tool.table([{"share": 0.2}, {"share": 0.3}, {"share": 0.4}])
    assert "| share | 0.300 | 0.052 to 0.548 | 0.200, 0.300, 0.400 |" in text, "4.303 * 0.1 / sqrt(3)"
    assert "| share | 0.300 | - | 0.300 |" in tool.table([{"share": 0.3}]), "one run has no interval"


def test_a_table_says_whether_the_mean_reaches_the_aim(tool: ModuleType):
    name = "success at a step of 6"
    assert tool.AIMS[name] == ("at least", 0.40)
    assert "at least 0.4: reached" in tool.table([{name: 0.3}, {name: 0.6}])
    assert "at least 0.4: missed" in tool.table([{name: 0.3}, {name: 0.4}])
    assert "at most 1.5: missed" in tool.aim_of("largest step over smallest, worst of five walks", 1.6)
    assert tool.aim_of("another figure", 0.0) == ""


def test_figures_are_measured_once_for_the_same_networks(
    tool: ModuleType, run: gz.Run, conditional_run: gz.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[gz.Run] = []

    def row(subject: gz.Run) -> dict[str, float]:
        calls.append(subject)
        return {"figure": len(calls)}

    monkeypatch.setitem(tool.ROWS, "walk", row)
    first = tool.measured("walk", 3, run, tmp_path)
    assert first.figures == {"figure": 1} and first.images_seen == run.model.card.images_seen
    assert tool.measured("walk", 3, run, tmp_path) == first and len(calls) == 1
    assert tool.measured("walk", 4, run, tmp_path).figures == {"figure": 2}, "another seed"
    assert tool.measured("walk", 3, conditional_run, tmp_path).figures == {"figure": 3}, "other networks"
    assert tool.measured("walk", 3, run, tmp_path, again=True).seed == 3
    assert len(calls) == 5 - 1
    path = tmp_path / "walk-3.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"unknown": 0}))
    assert tool.read_measured(path) is None
    path.write_text("{")
    assert tool.measured("walk", 3, run, tmp_path).figures == {"figure": 5}, "a file that cannot be read"


def test_a_run_is_trained_once_and_resumed_if_it_was_interrupted(
    runs: ModuleType, array_file: Path, tmp_path: Path
):
    kind = runs.Kind("blobs", "blobs", 64, 16, lambda folder, seed: array_file)
    first = runs.trained(tmp_path, kind, 0)
    assert first.path.parent == tmp_path / "blobs-0" and first.metadata.images == 64
    assert runs.trained(tmp_path, kind, 0).path == first.path
    assert runs.identity(runs.trained(tmp_path, kind, 0)) == runs.identity(first)
    assert len(list((tmp_path / "blobs-0").iterdir())) == 1


def test_planted_defects_change_only_where_they_say(rows: ModuleType):
    faces = rows.faces_not_trained_on(4, (32, 32))
    for name in rows.DEFECTS:
        broken, where = rows.planted(faces, name)
        changed = (broken != faces).any(-1)
        assert changed.any((1, 2)).all() and where.mean() < 0.2
        near = changed & ~where
        assert near.sum() <= where.sum(), "soft edges at most"
        assert np.array_equal(rows.planted(faces, name)[0], broken), "the same at each call"
    eyes, _ = rows.planted(faces, "flipped eyes")
    assert np.array_equal(eyes[:, 12:20, 10:22], faces[:, 12:20, 10:22][:, ::-1])


@pytest.mark.skipif(not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="no Fashion-MNIST here")
def test_a_class_of_fashion_is_trained_on_without_the_others(runs: ModuleType, tmp_path: Path):
    images = np.load(runs.one_class(tmp_path, 12))
    train, labels = runs.fashion("train")
    assert images.shape == (5_000, 28, 28)
    assert np.array_equal(images, train[labels == 2][:5_000, ..., 0])


def test_held_out_faces_are_not_among_the_built_in_ones(rows: ModuleType):
    built_in = {entry.locator for entry in FacesSource(Path("faces")).entries()}
    assert rows.NUM_FACES not in built_in and rows.NUM_FACES - 1 in built_in
    faces = rows.faces_not_trained_on(3, (16, 16))
    assert faces.shape == (3, 16, 16, 3)
    assert len({face.tobytes() for face in faces}) == 3
