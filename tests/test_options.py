"""Options are declared once: the command line, Python and the record of a run have the same ones."""

import inspect
import json
import shlex
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

import ganzfeld as gz
from ganzfeld.cli.commands import commands
from ganzfeld.cli.options import expand_options, words_of
from ganzfeld.errors import DamagedError, UsageError
from ganzfeld.option_values import range_of
from ganzfeld.options import PreparationOptions, TrainOptions, declared, defaults, option
from ganzfeld.recipes.reading import OPTIONS, paths
from ganzfeld.runs.metadata import RunMetadata
from tests.cli.test_cli import call
from tests.data.making import encoded, noise
from tests.training.conftest import SMALL

LABELS = Path(__file__).parent / "data" / "labels.csv"
GIVEN = PreparationOptions(
    channels=1,
    background="#102030",
    range="7:99.5",
    alpha="none",
    frames="2",
    kind="image",
    scale="bytes",
    labels=str(LABELS),
    max_bad=0.25,
)
"""Every option with another value than its default."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Colour images with a transparent corner."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(50):
        pixels = noise(20, 20, 4, seed=number)
        pixels[:8, :8, 3] = 0
        (folder / f"{number}.png").write_bytes(encoded(pixels))
    return folder


class TestDeclarations:
    def test_every_option_differs_above(self):
        same = {name for name, value in asdict(GIVEN).items() if value == defaults(GIVEN)[name]}
        assert same == {"axes"}, "which are for arrays that are no images"

    @pytest.mark.parametrize("function", [gz.train, gz.open_images])
    def test_python_has_the_same_names_and_defaults(self, function):
        taken = inspect.signature(function).parameters
        assert {name: taken[name].default for name in defaults(GIVEN)} == defaults(GIVEN)

    @pytest.mark.parametrize("command", ["check", "train"])
    def test_the_command_line_has_the_same_names_defaults_and_help(self, command):
        taken = inspect.signature(commands.load(command).command).parameters
        for name, known in declared(GIVEN).items():
            assert taken[name].default == defaults(GIVEN)[name]
            assert taken[name].annotation.__metadata__[0].help == known.help

    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            *(("channels", 2, "1 or 3"), ("channels", True, "a whole number")),
            *(("channels", "1", "a whole number"), ("background", 3, "text")),
            *(("max_bad", 1.5, "from 0 to 1"), ("max_bad", float("nan"), "from 0 to 1")),
            *(("max_bad", "half", "a number"), ("max_bad", None, "a number")),
        ],
    )
    def test_what_is_not_allowed_is_named_with_what_is(self, name, value, expected):
        with pytest.raises(UsageError, match=f"{name.replace('_', '.')} must be {expected}, not {value!r}"):
            replace(PreparationOptions(), **{name: value})

    def test_words_give_the_options_back(self):
        taken = []

        @expand_options
        def command(data: str, options: PreparationOptions = PreparationOptions()) -> None:
            taken.append((data, options))

        application = typer.Typer()
        application.command()(command)
        assert CliRunner().invoke(application, ["here", *words_of(GIVEN)]).exit_code == 0
        assert CliRunner().invoke(application, ["there"]).exit_code == 0
        assert taken == [("here", GIVEN), ("there", PreparationOptions())]

    def test_another_class_is_generated_alike(self):
        """Nothing in the way from a class to a command knows of preparation."""

        @dataclass(frozen=True)
        class Others:
            num_steps: int = option(3, "How many.", low=1)

        taken = []

        @expand_options
        def command(options: Others, preparation: PreparationOptions = PreparationOptions()) -> None:
            taken.append(options)

        application = typer.Typer()
        application.command()(command)
        assert "How many." in CliRunner().invoke(application, ["--help"]).output
        assert CliRunner().invoke(application, ["--num-steps", "7"]).exit_code == 0
        assert taken == [Others(7)]

    def test_numbers_of_numpy_are_taken_by_every_option(self):
        number: Any = np.float32(0.5)
        whole: Any = np.int64(3)
        assert type(PreparationOptions(max_bad=number).max_bad) is float
        assert type(PreparationOptions(channels=whole).channels) is int

    @pytest.mark.parametrize(
        ("name", "low", "high"),
        [("checkpoint_seconds", 1e-9, 1e9), ("stop", "", ""), ("on_divergence", "", "")],
    )
    def test_a_run_stores_what_its_option_may_be(self, name, low, high):
        """Neither more nor less, as each is declared once."""
        field, known = TypeAdapter(RunMetadata.__annotations__[name]), declared(TrainOptions)[name]
        for value in known.choices or (low, high):
            assert known.is_allowed(value) and field.validate_python(value) == value
        for value in ("sometimes",) if known.choices else (0.0, -1.0, 2 * high):
            assert not known.is_allowed(value)
            with pytest.raises(ValidationError):
                field.validate_python(value)


def test_an_option_of_train_that_is_set_as_a_field_is_named():
    """All that training has as options and recipes have not as fields, and nothing else."""
    beside = {"data", "settings", "callback", "progress"} | set(paths())
    wanted = set(inspect.signature(gz.train).parameters) - beside
    assert wanted == OPTIONS
    for name in wanted:
        with pytest.raises(UsageError, match="is not a field of a recipe") as refused:
            gz.resolve("modern", [f"{name}=1"])
        assert f"--{name.replace('_', '-')};" in refused.value.hint


class TestFromPython:
    """Numbers are taken where the command line has text, by ``train`` and ``open_images`` alike."""

    def test_numbers_for_text(self):
        given: dict[str, Any] = {"range": (0, 4095), "frames": 3}
        assert PreparationOptions(**given) == PreparationOptions(range="0:4095", frames="3")
        floats: Any = [0.5, np.float32(1.5)]
        whole: Any = np.int64(2)
        taken = PreparationOptions(range=floats, frames=whole)
        assert taken == PreparationOptions(range="0.5:1.5", frames="2")

    @pytest.mark.parametrize(
        "given",
        [
            *({"range": (5, 1)}, {"range": (1, 2, 3)}, {"range": ("a", 1)}, {"range": (0, float("inf"))}),
            *({"range": (0, 10**400)}, {"frames": 0}, {"frames": True}, {"frames": 1.5}),
        ],
    )
    def test_what_cannot_be_meant(self, given: dict[str, Any]):
        with pytest.raises(UsageError, match=f"{next(iter(given))} must be"):
            PreparationOptions(**given)

    def test_an_array_is_not_printed(self):
        given: Any = np.arange(60)
        with pytest.raises(UsageError) as refused:
            PreparationOptions(labels=given)
        assert refused.value.message == "labels must be text, not a ndarray"

    @pytest.mark.parametrize("size", [16, (16, 16), [16, 16], "16", "16x16", np.int64(16)])
    def test_sizes(self, photos: Path, size: Any):
        assert gz.open_images(photos, size=size).size == (16, 16)

    @pytest.mark.parametrize("size", ["16x", "x", "1x2x3", None, (16,) * 3, (1.5, 2), True, (16, "a"), b"16"])
    def test_what_is_no_size(self, photos: Path, size: Any):
        with pytest.raises(UsageError, match="size"):
            gz.open_images(photos, size=size)


class TestRuns:
    """What ``check`` shows, ``train`` trains on, the run keeps, and all that reads images later uses."""

    @pytest.fixture
    def run(self, photos, tmp_path) -> gz.Run:
        return gz.train(photos, images=16, out=tmp_path / "runs", settings=SMALL, **asdict(GIVEN))

    def test_check_and_train_see_the_same(self, photos, run):
        code, told, _ = call("check", photos, "--size", 16, *words_of(GIVEN), "--json")
        assert code == 0
        assert json.loads(told)["content_hash"] == run.metadata.content_hash
        assert shlex.split(json.loads(told)["dry_run"])[-1 - len(words_of(GIVEN)) :] == [
            *words_of(GIVEN),
            "--dry-run",
        ]

    def test_the_run_keeps_them(self, run):
        kept = json.loads((run.path / "run.json").read_text())
        assert kept["preparation"] == asdict(GIVEN)
        assert kept["max_bad"] == GIVEN.max_bad
        assert run.metadata.preparation == GIVEN

    def test_resume_and_eval_use_them(self, run):
        assert gz.resume(run.path, images=32).metadata.content_hash == run.metadata.content_hash
        measured = gz.evaluate(run, num=50, only=["sliced-wasserstein"])
        assert not any("not those" in note for note in measured.notes)
        measured = gz.evaluate(run, run.metadata.data, num=50, only=["sliced-wasserstein"])
        assert measured.measurements

    def test_a_range_that_was_found_is_kept_as_numbers(self, tmp_path):
        """Later readers do not look for it anew, even where the set they read would give another one."""
        data, others = tmp_path / "set.npy", tmp_path / "others.npy"
        values = np.random.default_rng(0).integers(100, 4_000, (60, 16, 16)).astype(np.uint16)
        np.save(data, values)
        np.save(others, values // 2)
        run = gz.train(data, images=16, out=tmp_path / "runs", settings=SMALL, range="auto", progress=False)
        low, high = range_of(run.metadata.preparation.range or "")
        assert 99 < low < 120 and 3_980 < high < 4_001
        assert (
            gz.resume(run.path, images=32, progress=False).metadata.content_hash == run.metadata.content_hash
        )
        read = []
        gz.evaluate(
            run, others, num=50, only=["sliced-wasserstein"], progress=lambda *told: read.append(told)
        )
        as_the_run = gz.open_images(others, (16, 16), **asdict(run.metadata.preparation))
        by_themselves = gz.open_images(others, (16, 16), range="auto")
        assert as_the_run.range == run.metadata.preparation.range != by_themselves.range
        decoded = [told for told in read if "decoding" in told[2]]
        assert decoded, "the others were read for the run for the first time"
        assert as_the_run.manifest.seen_at and as_the_run.content_hash != by_themselves.content_hash

    def test_an_older_run_is_read(self, run):
        path = run.path / "run.json"
        metadata = json.loads(path.read_text())
        del metadata["preparation"]
        path.write_text(json.dumps(metadata))
        assert run.metadata.preparation == PreparationOptions(max_bad=GIVEN.max_bad)

    @pytest.mark.parametrize(
        "damage", [{"unknown": 1}, {"channels": 2}, {"max_bad": 7}, {"background": 3}, {"channels": "x"}]
    )
    def test_options_that_cannot_be_are_damage(self, run, damage):
        path = run.path / "run.json"
        metadata = json.loads(path.read_text())
        del metadata["max_bad"]
        path.write_text(json.dumps(metadata | {"preparation": damage}))
        with pytest.raises(DamagedError, match=next(iter(damage)).replace("_", ".")):
            print(run.metadata)
