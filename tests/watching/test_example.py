"""The example runs as it stands."""

import runpy
import sys
from pathlib import Path

import pytest

import ganzfeld as gz

EXAMPLE = Path(__file__).parents[2] / "examples" / "watch_a_loop.py"


def test_the_example_is_watched(
    array_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "mine"
    monkeypatch.setattr(sys, "argv", ["watch_a_loop.py", str(array_file), "--out", str(out), "--steps", "10"])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert gz.open_run(out).journal[-1]["images_seen"] == 320
    assert "ganzfeld doctor" in capsys.readouterr().err
