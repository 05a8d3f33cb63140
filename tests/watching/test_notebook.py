"""The notebook of a loop of one's own: its cells run as they stand, and find the mistake that is in them."""

import contextlib
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganzfeld as gz
from ganzfeld.watching import Watch
from tests.conftest import blobs
from tests.watching.conftest import AT_EVERY_STEP

NOTEBOOK = Path(__file__).parents[2] / "examples" / "watch_a_loop.ipynb"
MOST_BYTES = 60_000
"""What a notebook may have in all, outputs included."""


def cells() -> dict[str, dict[str, Any]]:
    """Return the cells with code by their names."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return {cell["id"]: cell for cell in notebook["cells"] if cell["cell_type"] == "code"}


def text_of(cell: dict[str, Any]) -> str:
    """Return what a cell has printed."""
    return "".join("".join(output.get("text", "")) for output in cell["outputs"])


def test_the_outputs_are_there_and_small():
    assert NOTEBOOK.stat().st_size < MOST_BYTES
    assert [cell["execution_count"] for cell in cells().values()] == [*range(1, len(cells()) + 1)]
    assert "range-mismatch" in text_of(cells()["wrong-verdict"])
    assert "range-mismatch" not in text_of(cells()["right-verdict"])
    for name in ("wrong-images", "right-images"):
        assert "image/png" in cells()[name]["outputs"][0]["data"]


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the first cells, with a few blobs, small networks and readings whenever they are possible."""
    np.save(tmp_path / "blobs.npy", blobs(200, 32, channels=1))
    monkeypatch.setattr(gz, "watch", partial(Watch, pace=AT_EVERY_STEP))
    names: dict[str, Any] = {}
    exec("".join(cells()["parameters"]["source"]), names)
    names |= {"DATA": tmp_path / "blobs.npy", "OUT": tmp_path, "WIDTH": 4, "BATCH": 8, "LOOK_EVERY": 10}
    exec("".join(cells()["networks"]["source"]), names)
    return names


@pytest.mark.parametrize(
    ("name", "is_found"), [("wrong", True), pytest.param("right", False, marks=pytest.mark.thorough)]
)
def test_the_cells_find_what_the_notebook_says(namespace: dict[str, Any], name: str, is_found: bool):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for suffix in ("", "-verdict", "-images"):
            exec("".join(cells()[name + suffix]["source"]), namespace)
    assert ("range-mismatch" in printed.getvalue()) == is_found
