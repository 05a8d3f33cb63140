"""Whatever an array holds: ``check`` reads it with all assumptions said, or refuses it for its reason."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganzfeld.cli import main

DTYPES = ("bool", "uint8", "int8", "uint16", "int16", "int32", "uint32", "float16", "float32", "float64")
SIDE = 16


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """(N, [C,] side, side [, C]) of any dtype, range, number of channels and layout."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    channels = draw(st.sampled_from([None, 1, 2, 3, 4, 5, 7]))
    if dtype.kind == "b":
        low, high = 0.0, 1.0
    elif dtype.kind == "f":
        low, width = (
            draw(st.sampled_from([0.0, -1.0, -3.0, 0.4])),
            draw(st.sampled_from([0.06, 0.5, 1.0, 2.0, 5000.0])),
        )
        low, high = low, low + width
    else:
        ends = [0, 1, 20, 127, 255, 1_023, 4_095, 30_000, 33_000, 65_535, -1, -900]
        fitting = [end for end in ends if np.iinfo(dtype).min <= end <= np.iinfo(dtype).max]
        low, high = sorted(draw(st.lists(st.sampled_from(fitting), min_size=2, max_size=2, unique=True)))
    number = draw(st.integers(1, 4))
    values = np.random.default_rng(draw(st.integers(0, 9))).uniform(
        low, high, (number, SIDE, SIDE, channels or 1)
    )
    values[:, 0, 0], values[:, 0, 1] = low, high
    values = (values if dtype.kind == "f" else np.rint(values)).astype(dtype)
    if channels is None:
        return values[..., 0]
    return np.moveaxis(values, 3, 1) if draw(st.booleans()) else values


def checked(path: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code of ``check`` and what it told."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()), pytest.raises(SystemExit) as ended:
        main(["check", str(path), "--size", str(SIDE), "--json", *words])
    return int(ended.value.code or 0), json.loads(out.getvalue())


def channels_of(array: np.ndarray) -> int:
    if array.ndim == 3:
        return 1
    return array.shape[3] if array.shape[1:3] == (SIDE, SIDE) else array.shape[1]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=arrays(),
    option=st.sampled_from([(), ("--range", "auto"), ("--alpha", "none"), ("--alpha", "over")]),
)
def test_read_with_every_assumption_said_or_refused_for_its_reason(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, option: tuple[str, ...]
):
    path = tmp_path_factory.mktemp("arrays") / "a.npy"
    np.save(path, array)
    code, told = checked(path, *option)
    channels = channels_of(array)
    if channels not in (1, 3, 4):
        assert code == 2 and "--kind" in told["hint"] and "--axes" in told["hint"]
        assert f"{channels} channels, but only 1, 3 or 4 are read" in told["error"]
        return
    # The last channel of four may be opacity, and is no colour.
    colours = array if channels < 4 else (array[..., :3] if array.shape[3] == 4 else array[:, :3])
    least, most = float(array.min()), float(array.max())
    black, white = agreed(array.dtype, least, most)
    if option[:1] != ("--range",) and white is None:
        assert code == 2 and "no agreed meaning" in told["error"]
        assert all(option in told["hint"] for option in ("--range", "--kind", "--axes"))
        return
    assert code == 0, told
    names = {each["name"]: each["text"] for each in told["warnings"]}
    assert ("alpha-assumed" in names) == (channels == 4 and "--alpha" not in option)
    if "auto" in option:
        assert told["range"]
        return
    if array.dtype not in (np.uint8,):
        assert any(
            f"{array.dtype.name}, {black:g} read as black, {white:g} as white" in each
            for each in told["notes"]
        )
    assert white is not None
    span = (float(colours.max()) - float(colours.min())) / (white - black) * 255
    if channels < 4 and abs(span - 127.5) > 1.5:  # opacity changes what is seen
        assert ("value-range" in names) == (span < 127.5), (names, span)
        if span < 127.5:
            assert "--range" in names["value-range"]


def agreed(dtype: np.dtype, least: float, most: float) -> tuple[float, float | None]:
    """What is black and white by docs/data.md; None where nobody can know."""
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        return (-1 if least < 0 else 0), (1 if least >= -1 and most <= 1 else None)
    if least < 0 or most > (65_535 if dtype.itemsize == 2 else 255):
        return 0, None
    return 0, 255 if most <= 255 else 65_535
