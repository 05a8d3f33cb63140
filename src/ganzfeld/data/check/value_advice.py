"""What to mind about the range of values: images that are almost black, without contrast, or clipped."""

import numpy as np

from ganzfeld.data.decoding.samples import LEVELS
from ganzfeld.option_values import range_of, text_of_range
from ganzfeld.printable import counted

_OUTLIERS = 0.01
"""Share of images that may be otherwise before it no longer concerns the set: hot pixels, test cards."""

_PART = 0.1
"""Share of images that have to be flat before they count as a part of the set with another range."""


def advice_on_values(records: np.ndarray, given: str | None) -> list[str]:
    """Return what to mind; ``records`` are those of the usable images, ``given`` is the range asked for."""
    if not len(records):
        return []
    darkest, brightest = records["darkest"].astype(int), records["brightest"].astype(int)
    low = int(np.quantile(darkest, _OUTLIERS, method="lower"))
    high = int(np.quantile(brightest, 1 - _OUTLIERS, method="higher"))
    few = brightest - darkest <= LEVELS // 2
    if high - low <= LEVELS // 2 and np.nanmin(records["low"]) < np.nanmax(records["high"]):
        return [_of_most(low, high, records[few], given), *_clipped(records, given)]
    # An image of one value is blank, unless what it stores was crushed to one level.
    flat = (brightest - darkest <= LEVELS // 4) & (records["most"] > records["least"])
    if flat.sum() < _PART * len(records):
        return _clipped(records, given)
    if (~flat).sum() < _PART * len(records):  # outliers, such as a hot pixel, are no other range
        low, high = int(darkest[flat].min()), int(brightest[flat].max())
        text = _of_most(low, high, records[flat], given)
        which = f"In {flat.sum():,} of {len(records):,} images:"
        return [f"{which} {text[:1].lower()}{text[1:]}", *_clipped(records, given)]
    return [_of_a_part(records[flat], len(records)), *_clipped(records, given)]


def _of_most(low: int, high: int, records: np.ndarray, given: str | None) -> str:
    """Describe images whose levels lie between ``low`` and ``high``."""
    least, most = float(np.nanmin(records["low"])), float(np.nanmax(records["high"]))
    white = float(np.nanmax(records["white"]))
    if high <= LEVELS // 2:
        what = f"The brightest value is {high} of {LEVELS} ({most:g} of {white:g} as stored): "
        what += "images almost black." if high <= LEVELS // 4 else "dark images."
    else:
        what = f"All values lie between {low} and {high} of {LEVELS} ({least:g} to {most:g} as stored): "
        what += "images almost white." if low > 3 * LEVELS // 4 else "images without contrast."
    fitting = _fitting(least, most)
    usual = given or text_of_range(0, white)
    options = "--range auto" if fitting in (None, usual) else f"--range {fitting}, or --range auto"
    return f"{what}{_outliers(records)} Scale the values first, or give {options}."


def _outliers(records: np.ndarray) -> str:
    """Say that some images have a few pixels that are nothing like the rest of them."""
    have_some = (records["least"] < records["low"]) | (records["most"] > records["high"])
    if not have_some.any():
        return ""
    least, most = float(np.nanmin(records["least"])), float(np.nanmax(records["most"]))
    which = counted(int(have_some.sum()), "image")
    return f" In {which} a few pixels lie beyond that ({least:g} to {most:g})."


def _fitting(least: float, most: float) -> str | None:
    """Return the range that shows such values best; None where they are all the same."""
    if not least < most:
        return None
    if 0 <= least < most / 4:
        least = 0
        if most > LEVELS and most == int(most):
            most = 2 ** int(most).bit_length() - 1  # of 10, 12 or 14 bits
    return text_of_range(float(f"{least:.6g}"), float(f"{most:.6g}"))


def _of_a_part(records: np.ndarray, number: int) -> str:
    most, level = float(np.nanmax(records["high"])), int(records["brightest"].max())
    return (
        f"In {len(records):,} of {number:,} images all values lie within a quarter of the range (the "
        f"brightest is {level} of {LEVELS}, {most:g} as stored): the files seem to differ in range. Bring "
        "them to one first; --range would change all alike."
    )


def _clipped(records: np.ndarray, given: str | None) -> list[str]:
    if given is None:
        return []
    low, high = range_of(given)
    beyond = (records["least"] < np.float32(low)) | (records["most"] > np.float32(high))
    if not beyond.any():
        return []
    least, most = float(np.nanmin(records["least"])), float(np.nanmax(records["most"]))
    which = counted(int(beyond.sum()), "image")
    return [
        f"Values beyond the range {given} become black or white: {which} of {len(records):,} have some "
        f"({least:g} to {most:g})."
    ]
