"""FAULTS 40: whatever number somebody gives to whichever option of whichever command, it is refused in words.

Commands are found by walking them, so a new option is tried unasked.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

import ganzfeld as gz
from ganzfeld.cli import _application
from ganzfeld.cli.commands import commands
from ganzfeld.cli.commands.sample import distinct
from ganzfeld.errors import GanzfeldError, ResourceError, UsageError
from tests.cli.test_cli import call
from tests.training.conftest import small

NAN: Any = float("nan")
IMPOSSIBLE = ["nan", "inf", "-inf", "-1", "1" + "0" * 30, "-1" + "0" * 30, "1e400"]


def numeric_options() -> Iterator[tuple[tuple[str, ...], str]]:
    """Every option that takes a number, with the words of its command."""
    for name in commands.names():
        whole: Any = typer.main.get_command(_application([name]))
        command = whole.commands[name]
        inner = getattr(command, "commands", {}).items()
        for words, each in [((name,), command), *(((name, sub), it) for sub, it in inner)]:
            for option in each.params:
                if option.param_type_name == "option" and option.type_descriptor.annotation in (int, float):
                    yield words, max(option.opts, key=len)


OPTIONS = list(numeric_options())
ARGUMENTS = {("plan",): ["64"], ("lab", "run"): ["leaky-slope"]}


@pytest.fixture(scope="module")
def run(array_file, tmp_path_factory) -> gz.Run:
    return gz.train(
        array_file, recipe=small(), images=16, out=tmp_path_factory.mktemp("numbers"), progress=False
    )


def test_there_are_some():
    assert (
        len(OPTIONS) > 20
        and (("sample",), "--truncation") in OPTIONS
        and (("cache", "prune"), "--days") in OPTIONS
    )


@pytest.mark.parametrize("value", IMPOSSIBLE)
@pytest.mark.parametrize(
    ("words", "option"), OPTIONS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else each
)
def test_a_number_that_nobody_can_mean(run, array_file, tmp_path, monkeypatch, words, option, value):
    monkeypatch.chdir(tmp_path)
    data = {("check",): [array_file], ("train",): [array_file]}
    takes_run = words[0] in ("sample", "resume", "eval", "doctor")
    arguments = data.get(words) or ARGUMENTS.get(words) or ([run.path] if takes_run else [])
    code, told, complaint = call(*words, *arguments, option, value, "--json")
    assert code in (2, 3), (code, told, complaint)
    assert set(json.loads(told)) == {"error", "hint"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["sample", "--seeds", "0-9223372036854775807"],
        ["sample", "--seeds", "0-9223372036854775807", "--out", "many"],
        ["sample", "--seeds", "9223372036854775808"],
        ["sample", "--seeds", "9" * 5_000],
        ["sample", "--n", "99999999999999999999999", "--out", "many"],
        ["sample", "--n", "4000000000", "--out", "many"],
        ["sample", "--seeds", "1,nan"],
    ],
)
def test_seeds_that_nobody_can_mean(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    code, _, complaint = call(words[0], run.path, *words[1:])
    assert code == 2, complaint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "size", ["0", "7", "65537", "9" * 30, "64x" + "9" * 30, "nan", "-64", "64x64x64x64", "8x65536"]
)
@pytest.mark.parametrize("words", [["plan"], ["check", "--size"], ["train", "--size"]])
def test_sizes(array_file, words, size):
    between = [] if words == ["plan"] else [array_file]
    code, _, complaint = call(words[0], *between, *words[1:], size)
    assert code in (0, 2) if size == "8x65536" else code == 2, complaint


def test_the_difference_of_bfloat16_is_told(run, tmp_path):
    words = ["sample", run.path, "--seeds", "7,3-72"]
    exact = json.loads(call(*words, "--out", tmp_path / "exact.png", "--json")[1])
    assert exact["precision"] == "float32" and exact["difference"] is None
    rounded = [*words, "--precision", "bfloat16", "--out", tmp_path / "rounded.png"]
    found = json.loads(call(*rounded, "--json")[1])
    assert found["precision"] == "bfloat16" and found["difference"]["num_images"] == 64
    assert 0 < found["difference"]["mean"] < found["difference"]["largest"] < 255
    sheets = [np.asarray(Image.open(tmp_path / f"{name}.png")).astype(int) for name in ("exact", "rounded")]
    # The sheet shows seven images beyond those compared, on which chance may fall.
    assert found["difference"]["largest"] <= np.abs(sheets[0] - sheets[1]).max()
    code, told, _ = call(*rounded)
    assert code == 0 and "of 255 levels from float32 on average" in told
    code, _, complaint = call("sample", run.path, "--precision", "half", "--out", tmp_path / "never")
    assert code == 2 and "not in 'half'" in complaint and not (tmp_path / "never").exists()


def test_a_seed_that_is_asked_for_again(run, tmp_path):
    words = ["sample", run.path, "--seeds", "5,5,5,4-6", "--out", tmp_path / "some"]
    code, told, _ = call(*words)
    assert code == 0 and told.startswith("3 images in") and "(3 of 6)" in told
    found = json.loads(call(*words, "--json")[1])
    assert (found["num_pictures"], found["num_repeated"]) == (3, 3)
    assert len(list((tmp_path / "some").iterdir())) == 3
    sheet = json.loads(call("sample", run.path, "--seeds", "5,5,5", "--out", tmp_path / "x.png", "--json")[1])
    assert (sheet["num_pictures"], sheet["num_repeated"]) == (3, 0), "a sheet shows it three times"
    assert distinct([range(3, 4), range(1, 2), range(2, 3), range(9, 12)]) == [range(1, 4), range(9, 12)]


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (lambda run: run.sample(10**30), UsageError),
        (lambda run: run.sample(10**15), ResourceError),
        (lambda run: run.sample(-1), UsageError),
        (lambda run: run.sample(float("nan")), UsageError),
        (lambda run: run.sample(True), UsageError),
        (lambda run: run.sample(seeds=range(10**30)), UsageError),
        (lambda run: run.sample(seeds=[10**30]), UsageError),
        (lambda run: run.sample(seeds=[0.5]), UsageError),
        (lambda run: run.sample(seeds=["1"]), UsageError),
        (lambda run: run.sample(2, truncation=float("nan")), UsageError),
        (lambda run: gz.latents_of_seeds(range(10**30), 4), UsageError),
        (lambda run: gz.latents_of_seeds(range(10**12), 4), ResourceError),
        (lambda run: gz.latents_of_seeds([1], 10**30), UsageError),
        (lambda run: gz.latents_of_seeds([1], 0), UsageError),
        (lambda run: gz.latents_of_seeds([NAN], 4), UsageError),
        (lambda run: gz.plan(10**30), UsageError),
        (lambda run: gz.plan(NAN), UsageError),
        (lambda run: gz.train(minutes=float("nan")), UsageError),
        (lambda run: gz.train(minutes=float("inf")), UsageError),
        (lambda run: gz.train(images=10**30), UsageError),
        (lambda run: gz.train(images=8, checkpoint_seconds=float("inf")), UsageError),
        (lambda run: gz.train(images=8, checkpoint_seconds=float("nan")), UsageError),
        (lambda run: gz.train(images=8, seed=10**30), UsageError),
        (lambda run: gz.train(images=8, batch=10**30), UsageError),
        (lambda run: gz.train(images=8, max_bad=float("nan")), UsageError),
        (lambda run: gz.evaluate(run, num=10**30), UsageError),
        (lambda run: gz.resume(run.path, images=10**30), UsageError),
        (lambda run: gz.resume(run.path, minutes=float("nan")), UsageError),
        (lambda run: gz.resume(run.path, from_images=10**30), UsageError),
    ],
)
def test_numbers_of_python(run, attempt, error):
    with pytest.raises(GanzfeldError) as caught:
        attempt(run)
    assert isinstance(caught.value, error)
