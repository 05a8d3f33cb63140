"""The tool that keeps the lab's figures over runs by processor: it tells processors that differ apart."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from tests.conftest import TOOLS


@pytest.fixture(scope="module")
def tool() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TOOLS))
    yield importlib.import_module("lab_runs")
    sys.path.remove(str(TOOLS))


def figures(shift: float, seed: int, num: int = 40) -> dict[str, dict[str, object]]:
    values = np.random.default_rng(seed).normal(shift, 1, (num, 5))
    return {
        f"figure-{number}": {
            "name": f"number {number}",
            "name_zh": f"第 {number} 个",
            "value": float(row.mean()),
            "error": float(row.std(ddof=1)) / 5**0.5,
            "dof": 4,
            "runs": 5,
            "state": None,
        }
        for number, row in enumerate(values)
    }


def kept(*shifts: float) -> dict[str, dict[str, object]]:
    return {f"chip{number}": {"ring": {"figures": figures(s, number)}} for number, s in enumerate(shifts)}


def test_processors_that_differ_are_told_from_those_that_do_not(tool: ModuleType):
    assert "the processors agree" in tool.page(kept(0, 0), "en")
    assert "**the processors disagree**" in tool.page(kept(0, 4), "en")
    assert "两种处理器一致" in tool.page(kept(0, 0), "zh") and "第 3 个" in tool.page(kept(0, 0), "zh")
    assert "one processor" in tool.page(kept(0), "en") and "| chip0 |" in tool.page(kept(0), "en")


def test_the_interval_of_a_difference_is_welch_s(tool: ModuleType):
    one, other = np.random.default_rng(0).normal(0, [[1], [3]], (2, 5))
    records = [
        {"value": float(row.mean()), "error": float(row.std(ddof=1)) / 5**0.5, "dof": 4}
        for row in (one, other)
    ]
    for shift in np.linspace(0, 15, 31):
        probability = stats.ttest_ind(one + shift, other, equal_var=False).pvalue  # pyright: ignore
        moved = records[0] | {"value": records[0]["value"] + shift}
        assert tool.differ(moved, records[1]) == (probability < 0.01)


def test_misses_that_chance_allows_are_the_binomial_s(tool: ModuleType):
    for num in (0, 1, 20, 150):
        assert tool.most_misses(num) == max(0, stats.binom.ppf(0.99, num, 0.01))


def test_a_figure_over_one_run_or_without_an_error_is_not_compared(tool: ModuleType):
    assert tool.is_over_runs(5, 1.0, 0.1)
    for unfit in ((None, 1.0, 0.1), (1, 1.0, 0.1), (5, float("nan"), 0.1), (5, 1.0, 0.0)):
        assert not tool.is_over_runs(*unfit)


@pytest.mark.thorough
def test_an_experiment_is_measured_once(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`batch-noise` over five runs; the second call finds all of it."""
    tool.measure("here", ["batch-noise"], tmp_path)
    text = (tmp_path / "here.json").read_text()
    assert all(figure["runs"] == 5 for figure in json.loads(text)["batch-noise"]["figures"].values())
    monkeypatch.setattr(tool, "perform", lambda *_, **__: pytest.fail("is performed again"))
    tool.measure("here", ["batch-noise"], tmp_path)
    tool.write_pages(tmp_path)
    assert (tmp_path / "here.json").read_text() == text and "## batch-noise" in (
        tmp_path / "runs.md"
    ).read_text()
