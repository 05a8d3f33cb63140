"""``CONTRIBUTING.md`` is followed to the letter, in a copy of the package: its example works as printed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from ganzfeld.losses import losses

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"^Write `([^`]+)`:\n\n```python\n(.*?)```\n.*?\n```sh\n(.*?)```$", re.DOTALL | re.M)


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """What an example needs of the checkout; removed at the end."""
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("older"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.thorough
def test_the_example_works_as_it_is_printed(copy: Path):
    ((file, code, script),) = EXAMPLE.findall(PAGE)
    assert not (ROOT / file).exists(), "the example adds something that is not there"
    (copy / file).write_text(code, encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": str(copy / "src"),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
    assert [words for words in ("pytest", "ruff", "ganzfeld train") if words not in script] == []
    for command in script.splitlines():
        done = subprocess.run(
            command, shell=True, cwd=copy, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    (run,) = (copy / "runs").iterdir()
    name = Path(file).stem.replace("_", "-")
    assert f'"{name}"' in (run / "recipe.json").read_text(encoding="utf-8")
    assert (run / "model" / "last" / "generator.safetensors").is_file()
    assert name not in losses.names() and not (ROOT / file).exists(), "the checkout is as it was"


def test_what_the_page_names_exists():
    named = re.findall(r"`((?:src|tests|docs|tools)/[^` ]+|[\w.]+\.(?:md|toml|txt|yaml))`", PAGE)
    named += [link for link in re.findall(r"\]\(([^)#]+)\)", PAGE) if "://" not in link]
    ((example, *_),) = EXAMPLE.findall(PAGE)
    missing = [name for name in named if "NAME" not in name and not (ROOT / name).exists()]
    assert missing == [example]
    for name in named:
        assert (ROOT / name).parent.is_dir() or "NAME" in Path(name).parent.name, name
    targets = set(re.findall(r"`make ([a-z-]+)`", PAGE))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []


def test_every_kind_of_entry_says_in_its_folder_what_it_must_define():
    for folder in re.findall(r"^\| an? [a-z]+ \| (?:the folder )?`([^`]+)/NAME", PAGE, re.M):
        text = (ROOT / folder / "__init__.py").read_text(encoding="utf-8")
        assert re.search(r"^An entry (is|defines)\b", text, re.M), folder


def test_hooks_run_the_style_checks_and_need_no_network():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"repo: *(\S+)", text) == ["local"]
    assert re.findall(r"language: *(\S+)", text) == ["system"]
    assert re.findall(r"entry: *(.+)", text) == ["make check-style"]


def test_the_wheel_has_every_file_of_the_package(tmp_path: Path):
    """Templates, tables and ``py.typed`` beside the code."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    there = {path for path in (ROOT / "src" / "ganzfeld").rglob("*") if path.is_file()}
    expected = {path.relative_to(ROOT / "src").as_posix() for path in there if path.suffix != ".pyc"}
    with ZipFile(wheel) as archive:
        assert expected == {name for name in archive.namelist() if ".dist-info/" not in name}
    assert "ganzfeld/py.typed" in expected
