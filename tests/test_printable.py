"""What is printed for people: commands that can be pasted."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ganzfeld.printable import in_shell
from tests.cli.test_cli import call

ORDINARY = ["/tmp/run", "/tmp/my run", "it's", "", "a\\b", "$HOME", "été/顔", "*"]
OTHERS = ["we\x1bird", "a\nb'c", "tab\t\\x41", "\u202egnp.a", "\udcff1", "no\u00a0break", "\x7f9 $x `y`"]


@pytest.mark.parametrize("path", ORDINARY)
def test_ordinary_paths_are_quoted_as_ever(path):
    assert in_shell(path) == shlex.quote(path)


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("path", [*ORDINARY, *OTHERS])
def test_a_shell_reads_the_same_path(shell, path):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} here")
    shown = in_shell(path)
    assert shown.isprintable()
    said = subprocess.run(
        [shell, "-c", f"printf %s {shown}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert said.stdout == os.fsencode(path)


def test_a_lone_surrogate_is_no_failure():
    assert in_shell("\ud800") == r"$'\xed\xa0\x80'"


def test_commands_are_printed_for_pasting(tmp_path, array_file):
    """With a name that a terminal must not get as it is: after a training, and by a check."""
    out = tmp_path / "we\x1bird"
    code, told, complaint = call(
        *("train", array_file, "--images", 8, "--size", 16, "--batch", 8, "--out", out),
        *("--set", "generator.width=4", "--set", "discriminator.width=4"),
    )
    assert code == 0, complaint
    (command,) = [line for line in told.splitlines() if line.startswith("more")]
    shown = command.removeprefix("more     ganzfeld sample ")
    pasted = subprocess.run(["bash", "-c", f"cd {shown} && pwd"], capture_output=True, text=True)
    assert Path(pasted.stdout.rstrip("\n")).parent == out.resolve()
    copied = out / "set.npy"
    shutil.copy(array_file, copied)
    told = call("check", copied, "--size", 16)[1]
    shown = told[told.index("of training: ganzfeld train ") :].split(" ", 4)[4].split(" --size")[0]
    assert subprocess.run(["bash", "-c", f"test -f {shown}"]).returncode == 0
