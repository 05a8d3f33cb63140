"""Every experiment keeps the contract of an experiment: new folders are covered unasked."""

import dataclasses
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest
from matplotlib.text import Text

from ganzfeld.errors import UsageError
from ganzfeld.lab import Outcome, experiments
from ganzfeld.lab import run as perform
from ganzfeld.lab.drawing import lettering
from ganzfeld.lab.language import Phrase, say, without_chinese
from ganzfeld.lab.measured import Measured
from ganzfeld.lab.outcome import Verdict, by_key
from ganzfeld.lab.perform import settings_of
from ganzfeld.lab.words import finding, measured

KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
VERDICTS = {
    "holds": "成立",
    "holds with limits": "成立，但有局限",
    "fails": "不成立",
    "not decided": "未能判定",
}
"""As pages in Chinese say them."""


def row_measured(figure: Measured) -> str:
    """What a table says was measured, where it is more than a number."""
    text = measured(figure)
    return text if isinstance(text, Phrase) else ""


def place_without_data(outcome: Outcome) -> str:
    """Where it was measured; the path of the data is the same in every language."""
    return outcome.data["in_situ"]


PAGES_OF_THE_LAB = Path(__file__).parents[2] / "docs" / "lab"


@pytest.fixture(scope="module", params=experiments.names())
def outcome(request: pytest.FixtureRequest, short_training) -> Outcome:
    """What comes of each experiment in its short form."""
    return perform(request.param, seed=3, on=short_training, **experiments.load(request.param).SHORT)


class TestOutcome:
    def test_has_figures_of_its_claim_from_bench_and_live_networks(self, outcome: Outcome):
        assert outcome.verdict in get_args(Verdict)
        assert {figure.part for figure in outcome.figures} >= {"bench", "in situ"}
        assert outcome.advice.strip()
        names = [(figure.part, figure.name) for figure in outcome.figures]
        assert len(names) == len(set(names)), "every figure has a name of its own"
        assert all(figure.expected is not None for figure in outcome.figures if figure.role != "shown")
        told = json.loads(json.dumps(outcome.as_json(), allow_nan=False))
        assert told["name"] == outcome.name

    def test_every_figure_has_a_key_of_its_own(self, outcome: Outcome):
        keys = [figure["key"] for figure in outcome.as_json()["figures"]]
        assert len(keys) == len(set(keys))
        assert [key for key in keys if not KEBAB.fullmatch(key) or len(key) > 60] == []

    def test_every_sentence_of_the_claim_names_figures_that_exist(self, outcome: Outcome):
        told, sentences = outcome.as_json(), experiments.load(outcome.name).SENTENCES
        assert {each["key"]: each["sentence"] for each in told["claims"]} == {
            key: sentence.text for key, sentence in sentences.items()
        }
        assert all(KEBAB.fullmatch(key) and each.text.endswith(".") for key, each in sentences.items())
        assert all(re.search(r"[\u4e00-\u9fff]|=", each.seed) for each in sentences.values())
        keys = {figure["key"] for figure in told["figures"] if figure["role"] != "shown"}
        named = [key for each in told["claims"] for key in each["figures"]]
        assert all(each["figures"] for each in told["claims"])
        assert all(each["verdict"] in get_args(Verdict) for each in told["claims"])
        assert sorted(named) == sorted(keys), "every figure that decides tests one sentence"

    def test_advice_and_drawing_depend_on_no_name_of_a_figure(self, outcome: Outcome, tmp_path: Path):
        entry = experiments.load(outcome.name)
        nameless = [dataclasses.replace(figure, name="") for figure in outcome.figures]
        assert entry.advice(by_key(nameless), entry.Settings(**outcome.settings)) == outcome.advice
        experiments.load(outcome.name, "figure").draw(dataclasses.replace(outcome, figures=()))

    @pytest.mark.thorough
    def test_the_same_seed_gives_the_same_numbers(self, outcome: Outcome, short_training):
        again = perform(outcome.name, seed=3, on=short_training, **experiments.load(outcome.name).SHORT)
        assert json.dumps(again.as_json()) == json.dumps(outcome.as_json())

    def test_says_everything_in_chinese(self, outcome: Outcome):
        figures, words = outcome.figures, experiments.load(outcome.name, "theory").FORMULAS
        texts = [*(figure.name for figure in figures), *map(row_measured, figures), *map(finding, figures)]
        texts += [sentence.phrase for sentence in outcome.sentences.values()]
        texts += [outcome.advice, place_without_data(outcome), *map(say, words)]
        assert sorted(set().union(*map(without_chinese, texts)) - {""}) == []

    def test_draws_its_figure_in_chinese(self, outcome: Outcome, tmp_path: Path):
        with lettering("zh"):
            drawing = experiments.load(outcome.name, "figure").draw(outcome)
            drawing.savefig(tmp_path / "figure.png")  # a character without a glyph is a warning, so an error
            texts = [text.get_text() for text in drawing.findobj(Text)]
        assert [text for text in texts if re.search(r"[A-Za-z]{3,},? [a-z]{2,}", text)] == []
        assert (tmp_path / "figure.png").stat().st_size > 5_000

    @pytest.mark.thorough
    def test_draws_a_figure(self, outcome: Outcome, tmp_path: Path):
        experiments.load(outcome.name, "figure").draw(outcome).savefig(tmp_path / "figure.png")
        assert (tmp_path / "figure.png").stat().st_size > 5_000


@pytest.mark.parametrize("name", experiments.names())
class TestExperiment:
    def test_is_a_folder_of_such_files(self, name: str):
        folder = files(experiments.package) / name.replace("-", "_")
        texts = {
            file.name: file.read_text(encoding="utf-8")
            for file in folder.iterdir()
            if file.name[-3:] == ".py"
        }
        assert set(texts) >= {"__init__.py", "theory.py", "toy.py", "live.py", "figure.py", "chinese.py"}
        assert [each for each, text in texts.items() if text.count("\n") > 300] == []
        assert "ganzfeld.lab.experiments" not in texts["theory.py"], "closed forms depend on nothing measured"
        for part, function in (("toy", "bench"), ("live", "in_situ"), ("figure", "draw")):
            assert callable(getattr(experiments.load(name, part), function))

    def test_says_its_claim_in_both_languages(self, name: str):
        entry = experiments.load(name)
        assert entry.CLAIM.endswith(".")
        assert re.search(r"[\u4e00-\u9fff]", entry.CLAIM_ZH)
        assert entry.SECTION.strip()

    def test_its_formulas_can_be_set(self, name: str):
        from matplotlib.mathtext import MathTextParser

        formulas = experiments.load(name, "theory").FORMULAS
        assert formulas
        for formula in formulas.values():
            MathTextParser("path").parse(f"${formula}$")

    def test_its_settings_are_frozen_explained_and_refuse_others(self, name: str, short_training):
        kind = experiments.load(name).Settings
        assert kind.model_config.get("frozen")
        assert (kind.__doc__ or "").strip()
        assert getattr(kind, "__final__", False)
        assert kind.model_validate_json(kind().model_dump_json()) == kind()
        with pytest.raises(UsageError, match="nonsense"):
            perform(name, on=short_training, nonsense=1)

    def test_thorough_is_more(self, name: str):
        entry = experiments.load(name)
        usual, chosen = entry.Settings().model_dump(), settings_of(name, entry.THOROUGH).model_dump()
        assert all(chosen[field] > usual[field] for field in entry.THOROUGH)
        assert entry.THOROUGH or name == "ring", "which plays more of the catalogues instead"

    def test_has_a_page_in_both_languages(self, name: str):
        english = (PAGES_OF_THE_LAB / f"{name}.md").read_text(encoding="utf-8")
        verdict = next((each for each in VERDICTS if f"**Verdict: {each}.**" in english), None)
        assert verdict, "a page begins its verdict with **Verdict: holds.** or another of them"
        pages = (
            (f"{name}.md", f"**Verdict: {verdict}.**"),
            (f"{name}.zh.md", f"**结论：{VERDICTS[verdict]}（{verdict}）。**"),
        )
        for (page, verdict), (other, _) in zip(pages, pages[::-1], strict=True):
            text = (PAGES_OF_THE_LAB / page).read_text(encoding="utf-8")
            assert verdict in text, "the same words for the same verdict on every page"
            assert f"]({other})" in text, "a page leads to the other language"
            assert f"ganzfeld lab run {name}" in text, "a page names the command that makes its figures"
            links = re.findall(r"\]\(([^)#]+)\)", text)
            assert [x for x in links if "://" not in x and not (PAGES_OF_THE_LAB / x).exists()] == []
