"""``tools/scaling_rule.py`` refuses what it cannot use in one sentence."""

import runpy
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / "tools"


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """Runs the tool's main function with these words, in an empty folder."""
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.chdir(tmp_path)
    main = runpy.run_path(str(TOOLS / "scaling_rule.py"))["main"]

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["scaling_rule.py", *words])
        main()

    return run


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("check --speeds 8=5", 2, "batches of 8; the rule chooses one of at least 16"),
        ("check --speeds 16", 2, "such as 16=590, not '16'"),
        ("check --speeds 16=fast", 2, "not '16=fast'"),
        ("check --speeds 16=0", 2, "not '16=0'"),
        ("check --speeds 16=nan", 2, "not '16=nan'"),
        ("check --speeds -16=590", 2, "speeds"),
        ("check --minutes 0", 2, "above 0, and at most 600,000, not '0'"),
        ("check --minutes inf", 2, "not 'inf'"),
        ("check --minutes 1e307", 2, "not '1e307'"),
        ("check --data nowhere", 3, "nowhere"),
        ("check --size 1", 2, "too small"),
        ("train --set lr", 2, "'lr' is not a setting"),
        ("train --batch 0", 2, "batch"),
        ("train --set batch=32", 2, "use --batch"),
        ("train --size 1", 2, "too small"),
        ("train --images 0", 2, "images must be above 0"),
        ("train --data nowhere", 3, "nowhere"),
    ],
)
def test_what_cannot_be_used_is_refused(tool, capsys, words, code, said):
    with pytest.raises(SystemExit) as ended:
        tool(*words.split())
    assert ended.value.code == code
    assert said in capsys.readouterr().err


def test_the_choice_is_shown_without_a_run(tool, capsys):
    tool("check", "--minutes", "5", "--speeds", "16=590", "32=796", "64=880", "--show")
    (chosen,) = [line for line in capsys.readouterr().out.splitlines() if "the rule's choice" in line]
    assert chosen.startswith("| 32 |")


@pytest.mark.parametrize(
    ("speeds", "chosen"),
    [
        ("16=590 32=400 64=300 128=5000", 16),  # a run stops after two batches that buy no more
        ("16=590 32=400 64=3000", 64),
        ("16=590 2048=900000", 16),  # above the largest batch
    ],
)
def test_the_choice_is_that_of_a_run(tool, capsys, speeds: str, chosen: int):
    tool("check", "--minutes", "5", "--speeds", *speeds.split(), "--show")
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "the rule's choice" in line]
    assert row.startswith(f"| {chosen} |")
