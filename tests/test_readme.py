"""What the READMEs show is true: their examples run, their files exist, their commands are known."""

import doctest
import re
from pathlib import Path

import pytest

from ganzfeld.cli.commands import commands

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", "README.zh-CN.md"]


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page):
    failed, tried = doctest.testfile(str(ROOT / page), module_relative=False, encoding="utf-8")
    assert tried >= 4
    assert failed == 0


@pytest.mark.parametrize("page", PAGES)
def test_links_and_commands_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
    named = set(re.findall(r"^\| `ganzfeld ([a-z]+)", text, flags=re.MULTILINE))
    assert named == set(commands.names()), "the table lists every command and no other"


@pytest.mark.parametrize("module", ["catalogue", "geometry.sizes", "geometry.fields", "geometry.plan"])
def test_examples_in_docstrings_run(module):
    import importlib

    failed, tried = doctest.testmod(importlib.import_module(f"ganzfeld.{module}"))
    assert tried >= 1
    assert failed == 0
