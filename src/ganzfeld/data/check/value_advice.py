"""Advise on the range of values: images that are almost black, without contrast, or clipped."""

import numpy as np

from ganzfeld.data.decoding.samples import LEVELS
from ganzfeld.option_values import range_of, text_of_range
from ganzfeld.printable import counted

_OUTLIERS = 0.01
"""The share of images that may differ, such as test images, without changing the advice on the dataset."""

_PART = 0.1
"""The share of images that must be flat to count as a part of the dataset with another range."""


def advice_on_values(records: np.ndarray, value_range: str | None) -> list[str]:
    """Return the advice on usable images with these ``records``, read with ``value_range`` (LOW:HIGH)."""
    if not len(records):
        return []
    darkest, brightest = records["darkest"].astype(int), records["brightest"].astype(int)
    low = int(np.quantile(darkest, _OUTLIERS, method="lower"))
    high = int(np.quantile(brightest, 1 - _OUTLIERS, method="higher"))
    few = brightest - darkest <= LEVELS // 2
    if high - low <= LEVELS // 2 and np.nanmin(records["low"]) < np.nanmax(records["high"]):
        return [_describe_all(low, high, records[few], value_range), *_clipped(records, value_range)]
    # An image of a single level is blank, unless its stored values differ and were crushed to one level.
    flat = (brightest - darkest <= LEVELS // 4) & (records["most"] > records["least"])
    if flat.sum() < _PART * len(records):
        return _clipped(records, value_range)
    if (~flat).sum() < _PART * len(records):  # a few images with outliers do not have another range
        low, high = int(darkest[flat].min()), int(brightest[flat].max())
        text = _describe_all(low, high, records[flat], value_range)
        which = f"In {flat.sum():,} of {len(records):,} images:"
        return [f"{which} {text[:1].lower()}{text[1:]}", *_clipped(records, value_range)]
    return [_describe_part(records[flat], len(records)), *_clipped(records, value_range)]


def _describe_all(low: int, high: int, records: np.ndarray, value_range: str | None) -> str:
    """Describe images whose levels lie between ``low`` and ``high``."""
    least, most = float(np.nanmin(records["low"])), float(np.nanmax(records["high"]))
    white = float(np.nanmax(records["white"]))
    if high <= LEVELS // 2:
        what = f"The brightest value is {high} of {LEVELS} ({most:g} of {white:g} as stored): "
        what += "the images are almost black." if high <= LEVELS // 4 else "the images are dark."
    else:
        what = f"All values lie between {low} and {high} of {LEVELS} ({least:g} to {most:g} as stored): "
        what += (
            "the images are almost white." if low > 3 * LEVELS // 4 else "the images have little contrast."
        )
    fitting = _fitting_range(least, most)
    usual = value_range or text_of_range(0, white)
    options = "--range auto" if fitting in (None, usual) else f"--range {fitting}, or --range auto"
    return f"{what}{_outliers(records)} Scale the values first, or give {options}."


def _outliers(records: np.ndarray) -> str:
    """Return a sentence about images in which a few pixels lie far from the rest, or ``""``."""
    has_outliers = (records["least"] < records["low"]) | (records["most"] > records["high"])
    if not has_outliers.any():
        return ""
    least, most = float(np.nanmin(records["least"])), float(np.nanmax(records["most"]))
    which = counted(int(has_outliers.sum()), "image")
    return f" In {which} a few pixels lie beyond that ({least:g} to {most:g})."


def _fitting_range(least: float, most: float) -> str | None:
    """Return the range that shows these values best; None if they are all the same."""
    if not least < most:
        return None
    if 0 <= least < most / 4:
        least = 0
        if most > LEVELS and most == int(most):
            most = 2 ** int(most).bit_length() - 1  # of 10, 12 or 14 bits
    return text_of_range(float(f"{least:.6g}"), float(f"{most:.6g}"))


def _describe_part(records: np.ndarray, number: int) -> str:
    most, level = float(np.nanmax(records["high"])), int(records["brightest"].max())
    return (
        f"In {len(records):,} of {number:,} images all values lie within a quarter of the range (the "
        f"brightest is {level} of {LEVELS}, {most:g} as stored): the files seem to differ in range. Convert "
        "them to one range first; --range would change all files alike."
    )


def _clipped(records: np.ndarray, value_range: str | None) -> list[str]:
    if value_range is None:
        return []
    low, high = range_of(value_range)
    beyond = (records["least"] < np.float32(low)) | (records["most"] > np.float32(high))
    if not beyond.any():
        return []
    least, most = float(np.nanmin(records["least"])), float(np.nanmax(records["most"]))
    which = counted(int(beyond.sum()), "image")
    return [
        f"Values beyond the range {value_range} become black or white: {which} of {len(records):,} have some "
        f"({least:g} to {most:g})."
    ]
