"""A run that anybody might make first, and that ends with 64 equal grey faces: never healthy."""

from pathlib import Path
from typing import Any

import pytest

import ganzfeld as gz

pytestmark = pytest.mark.thorough

RUN: dict[str, Any] = {"recipe": "radford2015", "size": 32, "images": 27_136, "seed": 3, "progress": False}


def test_as_the_recipe_has_it_nothing_has_been_learned_yet(tmp_path: Path):
    run = gz.train(out=tmp_path, **RUN)
    diagnosis = run.diagnose()
    assert diagnosis.verdict == "early"
    told = diagnosis.as_json()
    assert told["quality"] < 0.05
    assert told["expected"]["recipe"] == "modern"
    assert told["expected"]["images"] > RUN["images"]


def test_with_fifty_times_the_rate_the_rate_is_named(tmp_path: Path):
    run = gz.train(out=tmp_path, settings=["discriminator.optimizer.lr=0.01"], **RUN)
    diagnosis = run.diagnose()
    assert diagnosis.verdict in ("watch", "sick")
    (finding,) = [each for each in diagnosis.findings if each.name == "unusual-settings"]
    assert "50 times the value in radford2015" in finding.evidence[0].text
