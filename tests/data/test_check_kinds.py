"""``ganzfeld check`` of maps and sequences: what it finds, and the command that it ends with."""

from pathlib import Path

import numpy as np
import pytest

from ganzfeld.cli.options import words_of
from ganzfeld.data.check.survey import survey
from ganzfeld.data.images import open_images
from ganzfeld.options import PreparationOptions, TrainOptions
from ganzfeld.training.setup import resolve_options, with_recipe
from tests.cli.test_cli import call

COMPLEMENT = str.maketrans("ACGT", "TGCA")


@pytest.fixture
def genes(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    rows = ["".join(random.choice(list("ACGT"), 40)) for _ in range(60)]
    rows[1] = rows[0].translate(COMPLEMENT)[::-1]
    rows[2], rows[3], rows[4] = rows[2][:20], rows[3].lower(), "N" + rows[4]
    path = tmp_path / "genes.fa"
    path.write_text("".join(f">s{number}\n{row}\n" for number, row in enumerate(rows)))
    return path


def test_sequences(genes: Path):
    code, said, _ = call("check", genes, "--size", 40)
    assert code == 0
    assert "sizes       40 (58), 41 (1)" in said or "sizes       40 (58)" in said
    for words in (
        "letters that stand for several (N 1): windows with one are left out",
        "1 sequences have fewer than 40 letters, and are left out",
        "40 letters in lower case (soft-masked) are read as capitals",
        "1 sequence of 58 repeat others, or are their reverse complements",
        "1 group, 1 sequence more than needed",
        f"ganzfeld train {genes} --size 40 --dry-run",
    ):
        assert words in said, (words, said)


@pytest.mark.parametrize("scale", ["linear", "standard"])
def test_the_dry_run_that_a_check_of_maps_names_is_accepted(tmp_path: Path, scale: str):
    values = np.random.default_rng(0).normal(size=(60, 2, 16, 16)).astype(np.float32)
    values[:, 1] = 3
    path = tmp_path / "maps.npy"
    np.save(path, values)
    options = PreparationOptions(kind="map", axes="NCHW", scale=scale)
    code, said, _ = call("check", path, "--size", 16, *words_of(options))
    assert code == 0 and "channel 1 is the same everywhere" in said
    line = said.strip().splitlines()[-1].removeprefix("to measure the time and memory of training: ")
    words = line.split()
    assert words[:3] == ["ganzfeld", "train", str(path)] and words[-1] == "--dry-run"
    settings = [words[at + 1] for at, word in enumerate(words) if word == "--set"]
    assert settings == (["generator.output=linear"] if scale == "standard" else [])
    small = ["generator.width=2", "discriminator.width=2", "batch=4"]
    named = with_recipe(TrainOptions(size=16, settings=[*settings, *small], device="cpu"), path, options)
    assert resolve_options(named).build(path, options).recipe.name == "maps"


def test_zeros_under_a_logarithm_are_counted(tmp_path: Path):
    values = np.ones((60, 1, 16, 16), np.float32)
    values[3, 0, 0, :5] = 0
    np.save(tmp_path / "maps.npy", values)
    words = [
        "check",
        tmp_path / "maps.npy",
        "--size",
        16,
        "--kind",
        "map",
        "--axes",
        "NCHW",
        "--scale",
        "log",
    ]
    code, _, complaint = call(*words)
    assert code == 3 and "5 of 15,360 are not (the least is 0)" in complaint
    assert "asinh" in complaint


def test_unused_bits_are_noted(tmp_path: Path):
    values = np.random.default_rng(0).integers(0, 4096, (60, 16, 16)).astype(np.uint16)
    np.save(tmp_path / "maps.npy", values)
    dataset = open_images(tmp_path / "maps.npy", 16, kind="map", scale="bytes", axes="NHW", progress=False)
    assert "12-bit data" in " ".join(advice.text for advice in survey(dataset).warnings)
