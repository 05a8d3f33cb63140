"""The tool that fills the tables of docs/inside.md: only its blocks, and with intervals over runs."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ganzfeld.data.sources.faces import FacesSource
from tests.conftest import TOOLS


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TOOLS))
    yield importlib.import_module("inside_table")
    sys.path.remove(str(TOOLS))


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
    assert "| share | 0.30 | 0.05 to 0.55 | 0.20, 0.30, 0.40 |" in text, "4.303 * 0.1 / sqrt(3)"
    assert "| share | 0.30 | - | 0.30 |" in tool.table([{"share": 0.3}]), "one run has no interval"


def test_planted_defects_change_only_where_they_say(tool: ModuleType):
    faces = tool.faces_not_trained_on(4, (32, 32))
    for name in tool.DEFECTS:
        broken, where = tool.planted(faces, name)
        changed = (broken != faces).any(-1)
        assert changed.any((1, 2)).all() and where.mean() < 0.2
        near = changed & ~where
        assert near.sum() <= where.sum(), "soft edges at most"
        assert np.array_equal(tool.planted(faces, name)[0], broken), "the same at each call"
    eyes, _ = tool.planted(faces, "flipped eyes")
    assert np.array_equal(eyes[:, 12:20, 10:22], faces[:, 12:20, 10:22][:, ::-1])


@pytest.mark.skipif(not Path("/usr/share/datasets/fashion-mnist").is_dir(), reason="no Fashion-MNIST here")
def test_a_class_of_fashion_is_trained_on_without_the_others(tool: ModuleType, tmp_path: Path):
    images = np.load(tool.one_class(tmp_path, 12))
    train, labels = tool.fashion("train")
    assert images.shape == (5_000, 28, 28)
    assert np.array_equal(images, train[labels == 2][:5_000, ..., 0])


def test_held_out_faces_are_not_among_the_built_in_ones(tool: ModuleType):
    built_in = {entry.locator for entry in FacesSource(Path("faces")).entries()}
    assert tool.NUM_FACES not in built_in and tool.NUM_FACES - 1 in built_in
    faces = tool.faces_not_trained_on(3, (16, 16))
    assert faces.shape == (3, 16, 16, 3)
    assert len({face.tobytes() for face in faces}) == 3
