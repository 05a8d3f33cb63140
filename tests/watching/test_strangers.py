"""Every mistake of ``tools/doctor_strangers.py`` is found, and loops without one raise no alarm."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import ganzfeld as gz
from ganzfeld.health import diagnose
from ganzfeld.health.detectors import detectors
from tests.conftest import TOOLS

SMALL = {"width": 4, "batch": 8}


def names(kind: str) -> list[str]:
    """Return the names of the loops in the file of the tool, without importing it."""
    text = (TOOLS / "doctor_strangers.py").read_text(encoding="utf-8")
    part = text.split(f"{kind} = (\n")[1].split("\n)\n")[0]
    return [piece.split('"')[1] for piece in part.split("Loop(")[1:]]


@pytest.fixture(scope="module")
def images(strangers: ModuleType, blobs_file: Path):
    """The blobs as the tool's loops take images."""
    with np.load(blobs_file) as stored:
        return strangers.Images("blobs", str(blobs_file), stored["images"], stored["labels"], 4)


def result_of(strangers: ModuleType, images, name: str, folder: Path, num_steps: int):
    (loop,) = (loop for loop in (*strangers.MISTAKES, *strangers.HEALTHY) if loop.name == name)
    return strangers.run(replace(loop, **SMALL), images, num_steps, folder)


@pytest.mark.parametrize("name", names("MISTAKES"))
def test_a_mistake_is_found(strangers: ModuleType, images, name: str, tmp_path: Path):
    result = result_of(strangers, images, name, tmp_path, 160)
    assert result.found_at is not None, result
    assert not result.notes
    (out,) = tmp_path.iterdir()
    verdict = diagnose(gz.open_run(out).evidence.until(result.found_at))
    finding = next(finding for finding in verdict.findings if finding.name in result.loop.expected)
    assert not finding.remedy.settings
    if finding.name in strangers.of_loops():
        assert finding.remedy.code
        assert all(evidence.figures for evidence in finding.evidence)


@pytest.mark.parametrize("name", names("HEALTHY"))
def test_a_loop_without_a_mistake_has_no_finding_for_loops(
    strangers: ModuleType, images, name: str, tmp_path: Path
):
    result = result_of(strangers, images, name, tmp_path, 100)
    assert not strangers.of_loops() & result.findings.keys(), result
    assert not result.notes
    (out,) = tmp_path.iterdir()
    readings = {reading for entry in gz.open_run(out).journal for reading in entry.get("health", {})}
    assert {"push_real", "push_generator", "range_gap", "diversity", "lesson_generator"} <= readings
    assert {"update_ratio_generator", "update_ratio_discriminator", "moved_discriminator"} <= readings


def test_the_findings_of_loops_exist(strangers: ModuleType):
    expected = {name for loop in strangers.MISTAKES for name in loop.expected}
    assert expected - {"diverging", "unusual-settings"} == strangers.of_loops() <= set(detectors.names())


def test_a_mistake_that_only_a_prior_names_is_counted(strangers: ModuleType):
    (rate,) = (loop for loop in strangers.MISTAKES if loop.mistake == "rate")
    (swapped, *_) = strangers.MISTAKES
    results = [
        strangers.Result(rate, "faces", {"unusual-settings": 256}, (), "healthy"),
        strangers.Result(rate, "fashion", {"unusual-settings": 256, "diverging": 512}, (), "sick"),
        strangers.Result(swapped, "faces", {}, (), "watch"),
    ]
    assert [result.is_prior for result in results] == [True, False, False]
    text = strangers.table(results, 10)
    assert "**2 of 3** loops" in text and "1 of them only one that counts while little has been" in text
    assert "| learning rates 2e-2 | faces | `unusual-settings` | 256 |  | healthy |" in text


@pytest.mark.thorough
@pytest.mark.parametrize("data", ["faces", "fashion"])
@pytest.mark.parametrize("name", [*names("MISTAKES"), *names("HEALTHY")])
def test_on_real_data(strangers: ModuleType, name: str, data: str, tmp_path: Path):
    if data == "fashion" and not strangers.FASHION.is_file():
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    (loop,) = (loop for loop in (*strangers.MISTAKES, *strangers.HEALTHY) if loop.name == name)
    images = strangers.images_of(data, tmp_path / "data", colour=loop.colour, limit=2_000)
    # One in fifteen of 60,000 images can be recognised, and two dozen are needed.
    num_steps = 640 if loop.mistake == "random labels" else 160
    result = strangers.run(replace(loop, **SMALL), images, num_steps, tmp_path / "loops")
    if loop.expected:
        assert result.found_at is not None, result
    else:
        assert not strangers.of_loops() & result.findings.keys(), result
