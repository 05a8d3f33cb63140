"""Help on a terminal of 80 columns: whole sentences, and examples and names that can be copied."""

import contextlib
import io
import re

import pytest

from ganzfeld.cli import main
from ganzfeld.cli.commands import commands


def shown(*words: str) -> list[str]:
    """The lines of the help of a command."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert not ended.value.code
    return out.getvalue().splitlines()


def every_command() -> list[tuple[str, ...]]:
    """The words of all commands, those that only hold others among them."""
    found: list[tuple[str, ...]] = [()]
    for name in commands.names():
        found.append((name,))
        within = getattr(commands.load(name), "application", None)
        for command in within.registered_commands if within else []:
            assert command.callback is not None
            found.append((name, command.name or command.callback.__name__.replace("_", "-")))
    return found


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("words", every_command(), ids=lambda words: " ".join(words) or "ganzfeld")
class TestHelp:
    def test_nothing_is_cut(self, words: tuple[str, ...]):
        lines = shown(*words)
        assert max(map(len, lines)) <= 80
        cut = [line for line in lines if line.endswith("...") and not line.startswith("Usage: ")]
        assert not cut, "a summary was cut off"

    def test_no_name_is_broken_in_two(self, words: tuple[str, ...]):
        broken = [line for line in shown(*words) if re.search(r"\w-$", line)]
        assert not broken, "a name with a hyphen went over the end of a line"

    def test_an_example_is_one_line(self, words: tuple[str, ...]):
        lines = shown(*words)
        examples = [at for at, line in enumerate(lines) if line.startswith("  Example: ")]
        assert examples or not words
        assert not [lines[at + 1] for at in examples if lines[at + 1]], "it goes on in the next line"


def test_every_summary_is_a_sentence():
    for words in every_command():
        lines = shown(*words)
        if "Commands:" in lines:
            listed = lines[lines.index("Commands:") + 1 :]
            summaries = [line for line in listed if re.match(r"  \S+  ", line)]
            assert summaries
            assert not [line for line in summaries if not line.endswith(".")]
