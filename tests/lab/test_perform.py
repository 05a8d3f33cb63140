"""From a name to an outcome, by Python, by the command line, and all on one page."""

import base64
import html
import json
import math
import re
import shlex
import struct
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

import ganzfeld as gz
from ganzfeld.compute.engine import computing_with
from ganzfeld.errors import UsageError
from ganzfeld.lab import Outcome, experiments, live, report
from ganzfeld.lab.experiments.downsampling import toy
from ganzfeld.lab.outcome import Measured
from ganzfeld.lab.perform import perform, settings_of
from ganzfeld.lab.report import Performed, perform_all, write_report
from ganzfeld.lab.words import amount, by_part, finding
from ganzfeld.recipes import parsed
from ganzfeld.runs import Run
from ganzfeld.training import train
from tests.cli.test_cli import call

pytestmark = pytest.mark.machine

NAME = "downsampling"


@pytest.fixture(scope="module")
def mine(array_file: Path, short_training, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs")
    return train(array_file, recipe=short_training.recipe, images=64, out=out, route="plain")


@pytest.fixture(scope="module")
def outcome(short_training) -> Outcome:
    return perform(NAME, experiments.load(NAME).SHORT, on=short_training)


class TestPython:
    def test_names_and_settings_are_answered(self, short_training):
        with pytest.raises(UsageError, match="unknown experiment 'downsamplin'") as caught:
            gz.lab.run("downsamplin", on=short_training)
        assert "downsampling" in caught.value.hint
        with pytest.raises(UsageError, match="unknown downsampling experiment field 'step'") as caught:
            gz.lab.run(NAME, on=short_training, step=3)
        assert "steps" in caught.value.hint
        with pytest.raises(UsageError, match="seed"):
            gz.lab.run(NAME, on=short_training, seed=-1)

    def test_wrong_settings_are_found_before_anything_is_trained(self, tmp_path: Path):
        with pytest.raises(UsageError, match="steps"):
            gz.lab.run(NAME, on=tmp_path / "nowhere", steps=0)

    def test_threads_change_no_figure(self, monkeypatch, outcome: Outcome, short_training, mine: Run):
        """Use one thread: two add in another order, and after some hundred steps the weights differ."""
        bench, used = toy.bench, []

        def watched(*given):
            used.append(torch.get_num_threads())
            return bench(*given)

        monkeypatch.setattr(toy, "bench", watched)
        with computing_with(2):
            again = perform(NAME, experiments.load(NAME).SHORT, on=short_training)
            perform(NAME, experiments.load(NAME).SHORT, on=mine)
            assert torch.get_num_threads() == 2
        assert again.as_json() == outcome.as_json()
        assert used == [1, 2], "a run of the user's is measured with all threads"

    @pytest.mark.thorough
    def test_thorough_is_more_of_what_is_not_set(self, short_training):
        given = {"steps": 1, "images": 16}
        outcome = perform(NAME, given, on=replace(short_training, images=64), thorough=True)
        assert outcome.settings["seeds"] == experiments.load(NAME).THOROUGH["seeds"]
        assert outcome.settings["steps"] == 1
        assert str(outcome.data["in_situ"]).startswith("5 runs (seeds 0 to 4), each a short run on")
        kept = {figure.key: figure for figure in outcome.figures if figure.part == "in situ"}
        assert kept["span-last-map"].num_trainings == 5

    def test_other_spellings_mean_the_same(self, outcome: Outcome, short_training):
        again = perform("Down_Sampling", experiments.load(NAME).SHORT, on=short_training)
        assert again.as_json() == outcome.as_json()


class TestCommands:
    def test_list(self):
        code, told, _ = call("lab", "list", "--json")
        assert code == 0
        listed = json.loads(told)["experiments"]
        assert [each["name"] for each in listed] == experiments.names()
        told = call("lab", "list")[1].splitlines()
        for name, _, options in zip(told[::3], told[1::3], told[2::3], strict=True):
            flags, pairs = shlex.split(options)[::2], shlex.split(options)[1::2]
            assert set(flags) == {"--set"}, "a line can be copied behind the command"
            assert settings_of(name, parsed(pairs)) == experiments.load(name).Settings()

    def test_run_on_a_run(self, mine: Run, tmp_path: Path):
        settings = [word for each in ("steps=2", "seeds=2") for word in ("--set", each)]
        arguments = (NAME, "--on", mine.path, "--out", tmp_path / "here", *settings)
        code, told, _ = call("lab", "run", *arguments, "--json")
        assert code == 0
        result = json.loads(told)
        assert result["name"] == NAME
        assert result["verdict"] in ("fails", "not decided"), "seeds=2 cannot decide on information"
        assert result["settings"]["steps"] == 2
        assert result["in_situ"] == f"{mine.path} after 64 images"
        assert all(set(each) >= {"key", "name", "value", "error", "expected"} for each in result["figures"])
        trainings = {each["key"]: each.get("num_trainings") for each in result["figures"]}
        assert trainings["shift-stride"] == trainings["shift-average-pooling-better"] == 2
        assert trainings["size-1"] is None
        assert {each["key"]: each["verdict"] for each in result["claims"]}["size"] == "holds"
        written = json.loads((tmp_path / "here" / "verdict.json").read_text())
        assert written["figures"] == result["figures"]
        width, height = struct.unpack(">II", Path(result["figure"]).read_bytes()[16:24])
        assert min(width, height) > 500
        code, told, _ = call("lab", "run", *arguments)
        assert code == 0
        assert told.startswith(f"downsampling: {result['verdict']}\n")
        assert re.search(r"\n  holds with limits  The last map .+\n +这个最终的特征图.+\n", told)
        assert re.search(r"size after layer 1 +32 +32  agrees\n", told)
        _, told, _ = call("lab", "run", *arguments, "--lang", "zh")
        assert re.search(r"第 1 层之后的尺寸 +32 +32  相符\n", told) and "训练现场: " in told
        assert json.loads((tmp_path / "here" / "verdict.json").read_text()) == written, "files stay English"

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (("run", "downsamplin"), "unknown experiment"),
            (("run", NAME, "--set", "layers=[[0,2,1]]"), "kernel must be a whole number of at least 1"),
            (("run", NAME, "--set", "layers"), "is not a setting"),
            (("run", NAME, "--on", "nowhere"), "nowhere"),
            (("report", "--on", "nowhere"), "nowhere"),
        ],
    )
    def test_mistakes(self, arguments, says):
        code, told, error = call("lab", *arguments, "--json")
        assert code == 2
        assert says in json.loads(told)["error"]
        assert says in error


class Page(HTMLParser):
    """What a page would fetch or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.images: list[str] = []
        self.ids: set[str | None] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids |= {given["id"]} if "id" in given else set()
        if tag == "img":
            self.images.append(given["src"] or "")
        if tag in ("script", "link", "iframe", "object"):
            self.fetched.append(tag)
        self.fetched += [url for url in (given.get("src"), given.get("href")) if url and url[0] != "#"]


class TestReport:
    def test_is_one_page_that_fetches_nothing(self, outcome: Outcome, tmp_path: Path):
        refused = Performed("upsampling", 0.1, None, UsageError("this run has <no> layers", "Take another."))
        write_report([Performed(NAME, 1.5, outcome), refused], tmp_path / "a" / "lab.html")
        text = (tmp_path / "a" / "lab.html").read_text(encoding="utf-8")
        page = Page(text)
        assert [url for url in page.fetched if not url.startswith("data:")] == []
        assert {NAME, "upsampling"} <= page.ids
        entry = experiments.load(NAME)
        assert entry.CLAIM in text and entry.CLAIM_ZH in text
        opening = text[: text.index("<section")]
        for sentence in entry.SENTENCES.values():
            assert html.escape(sentence.text) in opening and html.escape(sentence.seed) in opening
        assert opening.count('class="verdict') == len(entry.SENTENCES) + 2, "of sentences and experiments"
        assert "this run has &lt;no&gt; layers" in text
        svgs = [src for src in page.images if src.startswith("data:image/svg+xml;base64,")]
        assert len(svgs) == sum(
            len(experiments.load(each, "theory").FORMULAS) for each in (NAME, "upsampling")
        )
        for src in svgs:
            drawing = base64.b64decode(src.partition(",")[2]).decode()
            assert "<path" in drawing and "<text" not in drawing, "a formula needs no font"

    def test_speaks_chinese(self, outcome: Outcome, tmp_path: Path):
        write_report([Performed(NAME, 1.5, outcome)], tmp_path / "zh.html", "zh")
        text = (tmp_path / "zh.html").read_text(encoding="utf-8")
        assert '<html lang="zh-Hans">' in text
        for words in ("原文", "结论", "成立，但有局限", "训练现场", "玩具问题", "第 1 层之后的尺寸"):
            assert words in text
        assert "size after layer 1" not in text

    def test_performs_all_and_goes_on_after_a_refusal(self, monkeypatch, short_training, outcome: Outcome):
        def performed(name: str, **options) -> Outcome:
            if name == "upsampling":
                raise UsageError("not this one")
            return outcome

        monkeypatch.setattr(report, "run", performed)
        told: list[str] = []
        all_of_them = perform_all(on=short_training, callback=told.append)
        assert [each.name for each in all_of_them] == experiments.names()
        assert len(told) == len(all_of_them)
        verdicts = {each.name: each.verdict for each in all_of_them}
        assert verdicts["upsampling"] == "not performed: not this one"
        assert verdicts[NAME] == outcome.verdict
        kept = {each.name: each.as_json() for each in all_of_them}
        assert kept["upsampling"] == {
            "name": "upsampling",
            "verdict": None,
            "error": "not this one",
            "hint": "",
        }


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (22, 0, "22"),
        (0.25, 0, "0.25"),
        (0.12345, 0.0123, "0.123 ± 0.012"),
        (3.1e-9, 1e-9, "3.1e-09 ± 1e-09"),
        (1234.5, 33.0, "1234 ± 33"),
        (float("nan"), 0.1, "nan"),
    ],
)
def test_numbers_have_the_digits_that_their_error_leaves(value, error, text):
    assert amount(value, error) == text


def test_findings_in_words():
    def figure(role: Any, value: float, expected: float | None = 1.0) -> Measured:
        return Measured("a", "A", value, 0.0, expected, role, "bench")

    assert finding(figure("claim", math.nan)) == "open"
    assert finding(figure("claim", 1.0)) == "agrees"
    assert finding(figure("claim", 2.0)) == "REFUTED"
    assert finding(figure("limit", 1.0)) == "as claimed"
    assert finding(figure("limit", 2.0)) == "limit"
    assert finding(figure("shown", 2.0, None)) == ""
    assert list(by_part([figure("claim", 1.0)])) == ["bench"]


def test_a_number_that_is_none_is_null():
    told = Measured("a", "A", float("inf"), 0.0, 1.0, "claim", "bench").as_json()
    assert told["value"] is None
    assert not told["agrees"]


def test_the_lab_is_there_without_asking(short_training):
    assert gz.lab.live is live
    assert gz.lab.experiments is experiments
