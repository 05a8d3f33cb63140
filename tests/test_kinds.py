"""Arguments of wrong kinds in Python are told by name, before any work is done."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganzfeld as gz
from ganzfeld.errors import UsageError
from ganzfeld.kinds import BY_NAME
from ganzfeld.options import ResumeOptions, TrainOptions, declared, defaults
from ganzfeld.value_kinds import ANYTHING
from tests.training.conftest import small

WRONG = (3, 2.5, "1", None, True, b"x", ["x"], object(), {3: 4})
RIGHT_NONE = {"minutes", "images", "batch"}


@pytest.mark.parametrize("name", sorted(set(BY_NAME) & set(defaults(TrainOptions))))
def test_every_wrong_kind_is_told_by_name(array_file, tmp_path, name):
    kind = BY_NAME[name]
    wrong = [value for value in WRONG if not kind.fits(value) and not (value is None and name in RIGHT_NONE)]
    assert wrong
    for value in wrong:
        with pytest.raises(UsageError, match=f"^{name} must be .*, not ") as told:
            gz.train(array_file, **{"out": tmp_path / "runs", name: value})
        assert kind.expected in told.value.message
    assert not (tmp_path / "runs").exists()


def test_every_option_is_checked_as_it_is_declared():
    for options in (TrainOptions, ResumeOptions):
        for name, declaration in declared(options).items():
            assert BY_NAME.get(name, ANYTHING) is declaration.kind


@pytest.mark.parametrize("function", [gz.load, gz.open_run, gz.Run, gz.resume])
def test_what_is_no_path_is_told(function):
    for value in (None, 3, b"x", ["x"]):
        with pytest.raises(UsageError, match="path must be a path"):
            function(value)


def test_more_public_functions(tmp_path):
    wrong: dict[str, Any] = {"settings": 3}
    with pytest.raises(UsageError, match="settings must be a mapping"):
        gz.resolve(**wrong)
    wrong = {"num": "50"}
    with pytest.raises(UsageError, match="num must be a whole number"):
        gz.evaluate(tmp_path, **wrong)
    wrong = {"image": 3}
    with pytest.raises(TypeError, match="unexpected keyword argument 'image'"):
        gz.train(**wrong)
    assert gz.Run(str(tmp_path)).path == tmp_path.resolve()


def test_numbers_of_numpy_are_numbers(array_file, tmp_path):
    numbers: dict[str, Any] = {"images": np.int64(8), "minutes": np.float32(5), "seed": np.uint8(3)}
    run = gz.train(array_file, recipe=small(), out=Path(tmp_path), progress=False, **numbers)
    assert (run.metadata.images, run.metadata.minutes, run.metadata.seed) == (8, 5.0, 3)
