"""What ``run.sample`` may be asked for, and what it says to everything else."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ganzfeld.errors import GanzfeldError, UsageError
from ganzfeld.runs import Run
from tests.model.test_ordinary_module import written


@pytest.fixture
def run(tmp_path: Path) -> Run:
    written(tmp_path / "model" / "last", num_classes=3)
    return Run(tmp_path)


@pytest.mark.parametrize("of", [2, "owl", [2, 2, 2], ["owl"] * 3, np.array([2, 2, 2]), torch.tensor(2)])
def test_a_class_in_every_form(run, of):
    assert np.array_equal(run.sample(3, of=of), run.sample(3, of="owl"))


def test_a_class_per_image(run):
    mixed = run.sample(seeds=[5, 5], of=["cat", 1])
    assert np.array_equal(mixed[0], run.sample(seeds=[5], of="cat")[0])
    assert np.array_equal(mixed[1], run.sample(seeds=[5], of="dog")[0])


@pytest.mark.parametrize("seeds", [[3, 1], (3, 1), np.array([3, 1]), torch.tensor([3, 1]), range(3, 0, -2)])
def test_seeds_in_every_form(run, seeds):
    assert np.array_equal(run.sample(seeds=seeds), run.sample(seeds=[3, 1]))


@pytest.mark.parametrize(
    "wrong",
    [
        {"num": 0},
        {"num": -1},
        {"num": True},
        {"num": 2.0},
        {"num": "3"},
        {"num": [1]},
        {"num": 3, "seeds": [1]},
        {"seeds": 5},
        {"seeds": "123"},
        {"seeds": {1: 2}},
        {"seeds": [1.5]},
        {"seeds": [True]},
        {"seeds": ["1"]},
        {"seeds": [None]},
        {"seeds": [-1]},
        {"seeds": [2**63]},
        {"seeds": np.zeros((2, 2), int)},
        {"seeds": np.array([1.0])},
        {"seeds": torch.tensor([1.5])},
        {"precision": "float16"},
        {"precision": None},
        {"truncation": -1},
        {"truncation": float("nan")},
        {"truncation": "0.5"},
        {"truncation": None},
        {"truncation": [0.5]},
        {"truncation": np.array([0.5, 0.7])},
        {"num": 3, "of": 3},
        {"num": 3, "of": -1},
        {"num": 3, "of": 1.0},
        {"num": 3, "of": True},
        {"num": 3, "of": "cow"},
        {"num": 3, "of": [0, 1]},
        {"num": 3, "of": [0, 1, 9]},
        {"num": 3, "of": {}},
        {"num": 3, "of": b"cat"},
    ],
)
def test_what_cannot_be_asked_for(run, wrong):
    with pytest.raises(UsageError) as caught:
        run.sample(**wrong)
    assert isinstance(caught.value, GanzfeldError) and caught.value.message


def test_bfloat16_rounds_the_same_images(run):
    exact, rounded = (run.sample(8, precision=each).astype(int) for each in ("float32", "bfloat16"))
    levels = np.abs(exact - rounded)
    # A value has eight bits: roundings of the layers add up to some, but not to another image.
    assert 0 < levels.max() <= 32 and levels.mean() < 4
    assert np.array_equal(run.sample(seeds=[5], precision="bfloat16")[0], rounded[5]), "whatever else is made"


def test_a_class_of_a_model_without_classes(tmp_path):
    written(tmp_path / "model" / "last")
    for of in ("cat", 0, [0, 0, 0]):
        with pytest.raises(UsageError, match="has no classes") as caught:
            Run(tmp_path).sample(3, of=of)
        assert "classes=projection" in caught.value.hint
