"""Two languages: English is the template itself, Chinese comes from tables, and figures speak both."""

import json
import math
import re
from importlib.resources import as_file, files

import pytest
from fontTools.ttLib import TTFont
from matplotlib import rcParams
from matplotlib.figure import Figure

from ganzfeld.errors import UsageError
from ganzfeld.lab import language
from ganzfeld.lab.drawing import FONT, lettering
from ganzfeld.lab.estimate import Estimate, example
from ganzfeld.lab.language import both, chosen_language, say, speaking, together, without_chinese, words_in
from ganzfeld.lab.outcome import BEST_TO_WORST, claim
from ganzfeld.lab.report import INTRODUCTION, NOT_PERFORMED
from ganzfeld.lab.words import COLUMNS, finding
from tests.cli.test_cli import call

TABLE = {
    "{num} runs of {what}": "{what}的 {num} 次运行",
    "the toy": "玩具问题",
    "Good.": "好。",
    "{x:.2f} {{braces}}": "{x:.1f}",
}


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(language, "tables", lambda: TABLE)


def test_english_is_the_template_and_chinese_is_from_the_table():
    phrase = say("{num} runs of {what}", num=5, what=say("the toy"))
    assert phrase == "5 runs of the toy"
    assert words_in("en", phrase) == phrase
    assert words_in("zh", phrase) == "玩具问题的 5 次运行"
    assert json.dumps({"name": phrase}) == '{"name": "5 runs of the toy"}', "files stay English"


def test_what_is_no_phrase_is_the_same_in_both():
    assert words_in("zh", "float32") == "float32"
    assert words_in("zh", say("{num} runs of {what}", num=1, what="k=4")) == "k=4的 1 次运行"
    assert words_in("zh", 3) == "3"


def test_formats_are_those_of_each_language():
    assert say("{x:.2f} {{braces}}", x=1 / 3) == "0.33 {braces}"
    assert words_in("zh", say("{x:.2f} {{braces}}", x=1 / 3)) == "0.3"
    assert say("100 % {of} braces") == "100 % {of} braces", "without values nothing is replaced"


def test_sentences_are_joined_without_spaces_in_chinese():
    joined = together([say("Good."), say("Good."), "float32"])
    assert joined == "Good. Good. float32"
    assert words_in("zh", joined) == "好。好。float32"
    assert words_in("zh", together([say("the toy"), "k=4"], ", ")) == "玩具问题，k=4"


def test_a_sentence_brings_its_chinese_along():
    assert words_in("zh", both("So it is.", "正是如此。")) == "正是如此。"
    assert without_chinese(both("So it is.", "正是如此。")) == set()


def test_what_lacks_chinese_is_found():
    assert without_chinese(say("the toy")) == set()
    assert without_chinese(say("another")) == {"another"}
    assert without_chinese(say("{num} runs of {what}", num=1, what=say("another"))) == {"another"}
    assert without_chinese(together([say("the toy"), say("another")])) == {"another"}
    assert without_chinese("plain") == {"plain"}
    assert without_chinese(f"{say('the toy')}, plain") == {"the toy, plain"}, "an f-string is no phrase"
    assert words_in("zh", say("another")) == "another"


def test_figures_speak_the_language_while_they_are_drawn(tmp_path):
    def drawn() -> Figure:
        figure = Figure()
        axes = figure.subplots()
        axes.set_title(say("the toy"))
        axes.plot([0, 1], label=say("Good."))
        axes.set_xticks([0, 1], [say("the toy"), "k=4"])
        axes.legend()
        return figure

    family = list(rcParams["font.family"])
    with lettering("zh"):
        figure = drawn()
        figure.savefig(tmp_path / "zh.png")
        (axes,) = figure.axes
        assert axes.get_title() == "玩具问题"
        legend = axes.get_legend()
        assert legend and [text.get_text() for text in legend.get_texts()] == ["好。"]
        assert [text.get_text() for text in axes.get_xticklabels()] == ["玩具问题", "k=4"]
    assert rcParams["font.family"] == family
    with lettering("en"):
        assert drawn().axes[0].get_title() == "the toy"
    with speaking("zh"):
        assert str(say("the toy")) == "玩具问题"
    assert str(say("the toy")) == "the toy"


def test_a_character_that_the_font_lacks_is_noticed(tmp_path):
    with lettering("zh"):
        figure = Figure()
        figure.text(0.5, 0.5, "\u9f98")
        with pytest.warns(UserWarning, match="missing"):
            figure.savefig(tmp_path / "zh.png")


def test_the_font_has_every_character_of_the_tables(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    with as_file(FONT) as path:
        known = set(TTFont(path)["cmap"].getBestCmap() or ())
    used = {character for text in language.tables().values() for character in text if character >= "\u2e80"}
    lacking = sorted(character for character in used if ord(character) not in known)
    assert lacking == [], "run tools/subset_font.py"


def test_what_all_experiments_share_is_said_in_chinese(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    page = (files("ganzfeld.lab") / "templates" / "report.html").read_text(encoding="utf-8")
    texts = [
        INTRODUCTION,
        NOT_PERFORMED,
        *BEST_TO_WORST,
        *filter(None, COLUMNS),
        *re.findall(r'w\("(.+?)"\)', page),
    ]
    for figure in (example(1.0), Estimate(math.nan), 1.0, Estimate(1.0, 1.0)):
        measured = claim("x", "X", figure, 1.0, of="a", relation=">")
        texts += [words for words in (measured.reason, finding(measured)) if words]
    assert sorted(set().union(*(without_chinese(say(text)) for text in texts))) == []


class TestChoice:
    def test_is_given_or_from_the_environment(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.delenv("GANZFELD_LANG", raising=False)
        assert chosen_language() == "en"
        monkeypatch.setenv("GANZFELD_LANG", "zh")
        assert chosen_language() == "zh"
        assert chosen_language("en") == "en"
        monkeypatch.setenv("GANZFELD_LANG", "")
        assert chosen_language() == "en"

    def test_of_another_language_is_refused(self, monkeypatch: pytest.MonkeyPatch):
        with pytest.raises(UsageError, match="unknown language 'fr' in --lang") as caught:
            chosen_language("fr")
        assert "en, zh" in caught.value.hint
        monkeypatch.setenv("GANZFELD_LANG", "xx")
        code, _, error = call("lab", "list")
        assert code == 2 and "GANZFELD_LANG" in error
        assert call("lab", "run", "ring", "--lang", "fr")[0] == 2

    def test_of_the_list(self):
        assert "转置卷积" in call("lab", "list", "--lang", "zh")[1]
        assert "转置卷积" not in call("lab", "list", "--lang", "en")[1]
