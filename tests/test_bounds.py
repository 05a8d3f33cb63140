"""FAULTS 40: every number that a schema takes has two ends, and files have one meaning."""

import json
import os
from collections.abc import Iterator
from typing import Any, get_args

import annotated_types
import pytest
from pydantic import BaseModel

import ganzfeld as gz
from ganzfeld.errors import UsageError
from ganzfeld.lab import experiments
from ganzfeld.recipes import Recipe, read_recipe, resolve
from ganzfeld.stabilisers import stabilisers

SCHEMAS: dict[str, type[BaseModel]] = {
    "recipe": Recipe,
    **{f"stabiliser {name}": stabilisers.load(name).Stabiliser for name in stabilisers.names()},
    **{f"experiment {name}": experiments.load(name).Settings for name in experiments.names()},
}
LOSS = {f"recipe.loss.{name}" for name in ("smoothing", "temperature", "smooth_sides")}
CHECKED = {"recipe.size", "recipe.ladder", *LOSS}
"""By ``plan`` and ``Loss``; see the cases below."""


def numbers(schema: type[BaseModel], prefix: str) -> Iterator[tuple[str, type, list[Any]]]:
    """Every number of a schema: its path, its type and what limits it."""
    for name, field in schema.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from numbers(kind, f"{prefix}.{name}")
        elif kind in (int, float):
            yield f"{prefix}.{name}", kind, field.metadata
        elif {int, float} & set(get_args(kind)):
            yield f"{prefix}.{name}", float, field.metadata


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_number_has_two_ends(name):
    """By its declaration, or by refusing what nobody can mean."""
    schema = SCHEMAS[name]
    for path, _, limits in numbers(schema, name):
        if path in CHECKED or any(isinstance(limit, annotated_types.MultipleOf) for limit in limits):
            continue
        has_lower = any(isinstance(limit, annotated_types.Ge | annotated_types.Gt) for limit in limits)
        has_upper = any(isinstance(limit, annotated_types.Le | annotated_types.Lt) for limit in limits)
        if not (has_lower and has_upper):
            field = path.split(".")[-1]
            for value in (10**30, -(10**30), float("inf"), float("nan")):
                with pytest.raises((ValueError, UsageError)):
                    schema(**{field: value})


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-1", "1e400", "1" + "0" * 30, "9" * 5_000, '{"a":1,"a":2}']
)
@pytest.mark.parametrize(
    "path",
    [
        *(
            "generator.optimizer.lr",
            "ema",
            "batch",
            "size",
            "latent.size",
            "loss.temperature",
            "loss.smoothing",
        ),
        *("schedule.warmup_images", "generator.width", "generator.slope", "ladder", "crop"),
    ],
)
def test_a_setting_that_nobody_can_mean(path, value):
    with pytest.raises(UsageError):
        resolve("modern", [f"{path}={value}"])


@pytest.mark.parametrize("ladder", [list(range(5_000, 2, -1)), [64, *[8] * 40], [10**30, 8]])
def test_a_ladder_has_an_end(ladder):
    with pytest.raises(UsageError):
        gz.plan(ladder[0], ladder=ladder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"base": ["modern"]}', "base of .* must be the name of a recipe"),
        (b'{"base": 3}', "must be the name"),
        (b'{"base": null}', "must be the name"),
        (b'{"base": "modern", "batch": 8, "batch": 16}', "occurs twice"),
        (b'{"base": "modern", "generator": {"width": 8, "width": 16}}', "occurs twice"),
        (b'{"base": "modern", "ema": NaN}', "NaN"),
        (b'{"base": "modern", "ema": 1e999}', "too large"),
        (b'{"base": "modern", "batch": ' + b"9" * 55 + b"}", "64 bits"),
        (b'{"base": "modern", "stabilisers": [{"name": "r1", "weight": 1e300}]}', "weight"),
        (b'{"base": "modern", "description": "\\ud800"}', "surrogate"),
        (b'{"a":' * 5_000, "nested"),
        (b'{"base": "modern"} x', "not JSON"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b" " * 1_000_001, "too large"),
    ],
)
def test_a_recipe_file_has_one_meaning_or_none(tmp_path, content, words):
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(UsageError, match=words):
        read_recipe(tmp_path / "r.json")


def test_a_recipe_file_of_windows_is_read(tmp_path):
    (tmp_path / "r.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"base": "modern", "batch": 16}).encode())
    assert read_recipe(tmp_path / "r.json").batch == 16


@pytest.mark.parametrize("name", ["r.json", "r"])
def test_a_recipe_that_is_no_file(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match="a pipe"):
        read_recipe(tmp_path / name)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError, match="a folder"):
        read_recipe(tmp_path / "folder.json")
