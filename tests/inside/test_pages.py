"""``docs/inside.zh.md`` says what ``docs/inside.md`` says, section by section.

A section that is new in English may come to the Chinese page later; one that is on both has the same
commands and calls.
"""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def code_blocks(name: str) -> list[list[str]]:
    """The lines of commands and calls of each block of a page, without their comments."""
    text = (DOCS / name).read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:sh|python)\n(.*?)```", text, re.DOTALL)
    return [[line.partition("  #")[0].rstrip() for line in block.splitlines()] for block in blocks]


def names_in(name: str) -> set[str]:
    """Options, endings of files and functions that a page mentions."""
    return set(re.findall(r"`(--[a-z-]+|gz\.\w+|run\.\w+|\.\w+)", (DOCS / name).read_text(encoding="utf-8")))


def test_pages_link_to_each_other():
    english, chinese = ((DOCS / name).read_text(encoding="utf-8") for name in ("inside.md", "inside.zh.md"))
    assert "[简体中文](inside.zh.md)" in english and "[English](inside.md)" in chinese


def test_both_languages_show_the_same_commands():
    english, chinese = code_blocks("inside.md"), code_blocks("inside.zh.md")
    assert len(chinese) > 5 and [block for block in chinese if block not in english] == []
    assert [block for block in english if block in chinese] == chinese, "in the same order"
    assert names_in("inside.zh.md") - names_in("inside.md") == set()
