"""Scales: what goes in comes out, in the units of the data, and images are scaled as they always were."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ganzfeld.data.scales import BYTES, Summary, fitted_scale, scale_of, scales, settings_of, summarise
from ganzfeld.data.scales._base import CentredScale, Scale
from ganzfeld.errors import DataError, UsageError

FLOATS = [name for name in scales.names() if name not in ("bytes", "letters")]

values = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False)


def fields(channels: int = 2) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.float32, (3, 2, 4, channels), elements=values)


def fitted(name: str, stored: np.ndarray) -> Scale:
    return fitted_scale(name, summarise([stored]))


def tolerance(scale: Scale, stored: np.ndarray) -> np.ndarray:
    """The rounding of a few float32 operations: relative to a value, and to what the scale adds to it."""
    eps = 8 * np.finfo(np.float32).eps
    assert isinstance(scale, CentredScale)
    if scale.name in ("log", "asinh"):  # an error of the exponent is a relative error of the value
        reach = np.abs(scale.centre).max() + np.abs(scale.half).max()
        size = np.abs(stored) + (
            np.abs(np.array(scale.model_dump()["softening"])) if scale.name == "asinh" else 0
        )
        return eps * (1 + reach) * size
    return eps * (np.abs(stored) + np.abs(scale.centre) + np.array(scale.half))


@pytest.mark.parametrize("name", FLOATS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_floats_come_back_and_torch_agrees(name: str, data: st.DataObject):
    stored = data.draw(fields())
    stored = np.abs(stored) + np.float32(1e-30) if name == "log" else stored
    scale = fitted(name, stored)
    seen = scale.encode(stored.copy())
    low, high = scale.INTERVAL
    assert isinstance(scale, CentredScale)
    # Values that differ by little more than the rounding of float32 cannot be distinguished any better.
    slack = 1e-5 + 8 * np.finfo(np.float32).eps * np.max(np.abs(scale.centre) / np.array(scale.half))
    assert seen.dtype == np.float32 and seen.shape == stored.shape
    assert np.all((seen >= low - slack) & (seen <= high + slack))
    back = scale.decode(seen)
    assert back.dtype == np.float32
    assert np.all(np.abs(back.astype(np.float64) - stored) <= tolerance(scale, stored))
    by_torch = scale.encode(torch.from_numpy(stored.copy()), torch)
    assert by_torch.dtype == torch.float32 and np.allclose(by_torch.numpy(), seen, rtol=1e-5, atol=slack)
    back = scale.decode(by_torch, torch).numpy().astype(np.float64)
    assert np.all(np.abs(back - stored) <= tolerance(scale, stored))


@pytest.mark.parametrize("name", [name for name in FLOATS if name != "log"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_level_is_lost(name: str, dtype: Any):
    """Nor with ``log``, on all levels but 0."""
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)[:, None]
    scale = fitted(name, levels)
    back = np.rint(scale.decode(scale.encode(levels.astype(np.float32))))
    assert np.array_equal(back.astype(dtype), levels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_level_is_lost_by_log_and_bytes(dtype: Any):
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)[:, None]
    log = fitted("log", levels[1:])
    assert np.array_equal(np.rint(log.decode(log.encode(levels[1:].astype(np.float32)))), levels[1:])
    whole = fitted_scale("bytes", summarise([levels], full=float(levels[-1, 0])))
    for xp in (np, torch):
        seen = whole.encode(
            levels.astype(np.float32) if xp is np else torch.from_numpy(levels.astype("f4")), xp
        )
        assert np.array_equal(np.rint(np.asarray(whole.decode(seen, xp))), levels)
        assert float(seen.min()) == -1 and float(seen.max()) == 1


def test_images_are_scaled_bit_for_bit_as_before_there_were_scales():
    levels = torch.arange(256, dtype=torch.uint8)[:, None]
    scale = scale_of(BYTES)
    before = levels.float().div_(127.5).sub_(1)
    assert torch.equal(scale.encode(levels.float(), torch), before)
    made = torch.linspace(-1.2, 1.2, 999)[:, None]
    assert torch.equal(scale.decode(made, torch), (made.float() + 1) * 127.5)


@pytest.mark.parametrize("name", ["linear", "standard", "peak", "asinh"])
def test_a_constant_channel_is_no_trouble(name: str):
    stored = np.full((4, 3, 2), 7.0, np.float32)
    stored[..., 1] = 0
    scale = fitted(name, stored)
    assert np.allclose(scale.decode(scale.encode(stored.copy())), stored)


@pytest.mark.parametrize("name", scales.names())
def test_settings_are_plain_and_complete(name: str):
    numbers = np.array([[0], [1], [3]], np.uint8)
    summary = summarise([numbers + (name == "log")], full=255, letters="ACGT")
    scale = fitted_scale(name, summary)
    assert scale_of(settings_of(scale)) == scale and scale.name == name
    assert settings_of(scale)["name"] == name


def test_letters_become_shares_and_come_back():
    stored = np.array([[[0], [1], [2], [3], [3]]], np.uint8)
    scale = fitted_scale("letters", summarise([stored], letters="ACGT"))
    assert scale.num_channels(1) == 4 and scale.SUMS_TO_ONE
    seen = scale.encode(stored.astype(np.float32))
    assert seen.shape == (1, 5, 4) and seen.dtype == np.float32
    assert np.array_equal(seen[0].argmax(1), stored[0, :, 0]) and np.all(seen.sum(-1) == 1)
    by_torch = scale.encode(torch.from_numpy(stored).float(), torch)
    assert np.array_equal(by_torch.numpy(), seen)
    for xp, shares in ((np, seen), (torch, by_torch)):
        assert np.array_equal(np.asarray(scale.decode(shares * 0.7 + 0.1, xp)), stored)


class TestFit:
    def test_zeros_under_a_log_are_named(self):
        stored = np.array([[1.0, 1.0], [2.0, 0.0], [3.0, -1.5]], np.float32)
        with pytest.raises(DataError, match=r"2 of 3 in channel 1 are not \(the least is -1.5\)") as caught:
            fitted("log", stored)
        assert "asinh" in caught.value.hint

    def test_bytes_refuse_floats_and_negative_numbers(self):
        with pytest.raises(DataError, match="whole numbers"):
            fitted("bytes", np.ones((2, 1), np.float32))
        with pytest.raises(DataError, match="whole numbers"):
            fitted_scale("bytes", summarise([np.array([[-1], [2]])], full=255))

    def test_letters_refuse_numbers(self):
        for stored, letters in (
            (np.ones((2, 1)), ""),
            (np.full((2, 1), 4), "ACGT"),
            (np.ones((2, 2)), "ACGT"),
        ):
            with pytest.raises(DataError, match="sequences of letters"):
                fitted_scale("letters", summarise([stored], letters=letters))

    def test_asinh_is_linear_within_the_noise_and_a_logarithm_above(self):
        noise = np.random.default_rng(0).normal(0, 2, (5_000, 1))
        scale = fitted("asinh", np.concatenate([noise, [[1e6]]]).astype(np.float32))
        assert 1.8 < scale.model_dump()["softening"][0] < 2.3
        low, twice, far, ten_times = scale.encode(np.array([[0.1], [0.2], [1e4], [1e5]], np.float32))[:, 0]
        assert twice / low == pytest.approx(2, rel=1e-2)
        assert (ten_times - far) * scale.half[0] == pytest.approx(math.log(10), rel=1e-3)  # pyright: ignore

    def test_unknown_names_and_fields(self):
        with pytest.raises(UsageError, match="unknown scale"):
            scale_of({"name": "logg"})
        with pytest.raises(UsageError, match=r"scale log: low\.0"):
            scale_of({"name": "log", "low": [-1.0], "high": [2.0]})
        with pytest.raises(UsageError, match="scale peak: nothing"):
            scale_of({"name": "peak", "peak": [1.0], "nothing": 1})


class TestSummary:
    @settings(max_examples=20, deadline=None)
    @given(
        st.lists(
            arrays(np.float32, (2, 3, 2), elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False)),
            min_size=1,
            max_size=4,
        )
    )
    def test_equals_that_of_all_values_at_once(self, parts: list[np.ndarray]):
        whole = np.concatenate(parts).reshape(-1, 2).astype(np.float64)
        summary = summarise(parts)
        assert summary.num_values == len(whole)
        assert summary.least == tuple(whole.min(0)) and summary.most == tuple(whole.max(0))
        assert np.allclose(summary.mean, whole.mean(0), rtol=1e-9, atol=1e-6)
        assert np.allclose(summary.deviation, whole.std(0), rtol=1e-6, atol=1e-5)
        assert summary.middle == tuple(np.median(whole, 0))
        assert summary.num_not_positive == tuple((whole <= 0).sum(0))

    def test_keeps_the_digits_of_small_differences_on_a_large_mean(self):
        stored = 1e6 + np.random.default_rng(0).normal(0, 0.25, (40, 1_000, 1))
        assert summarise(list(stored)).deviation[0] == pytest.approx(stored.std(), rel=1e-9)

    def test_needs_a_value(self):
        with pytest.raises(ValueError, match="no values"):
            summarise([])

    def test_is_made_of_plain_numbers(self):
        summary = summarise([np.ones((2, 1), np.uint8)])
        assert isinstance(summary, Summary) and type(summary.least[0]) is float
