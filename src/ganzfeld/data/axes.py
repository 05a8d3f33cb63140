"""The axes of an array, by letters: N items, C channels, H rows and W columns, L places of a sequence."""

import numpy as np

from ganzfeld.errors import UsageError
from ganzfeld.printable import printable

LETTERS_OF = {1: "L", 2: "HW"}
"""The letters of the axes of an item, by their number, in the order of tensors."""
EXAMPLES = {1: "NCL or NLC", 2: "NCHW, NHWC or NHW"}
HINT = "Say what the data are and what their axes mean: --kind map --axes NCHW, or NHWC, NHW, CHW, HW."


def axes_of(axes: str | None, num: int, dims: int, where: str) -> str:
    """Return the axes of an array with ``num`` axes, in capitals; without ``axes`` the only possible ones.

    Raises ``UsageError`` for letters that do not fit, and where several readings are possible.
    """
    sides = LETTERS_OF[dims]
    if axes is None:
        if num == dims + 1:
            return "N" + sides
        raise UsageError(f"{where} has {num} axes, and nothing says what they mean", HINT)
    letters = axes.upper()
    if "?" in letters:
        raise UsageError(f"{where} has {num} axes, and nothing says what they mean", HINT)
    if len(letters) != num:
        raise UsageError(
            f"axes {printable(axes, 20)} name {len(letters)} axes, but {where} has {num}",
            f"Name each axis once, such as {EXAMPLES[dims]}.",
        )
    if len(set(letters)) != num or not set(sides) <= set(letters) <= set(sides) | {"N", "C"}:
        raise UsageError(
            f"axes {printable(axes, 20)} are invalid here: {' and '.join(sides)} are needed, N and C may be",
            f"Name each axis once, such as {EXAMPLES[dims]}.",
        )
    if "N" in letters and letters[0] != "N":
        raise UsageError(
            f"axes {letters}: the items must be the first axis",
            'Move it: numpy.save("moved.npy", numpy.moveaxis(array, AXIS, 0)).',
        )
    return letters


def channels_last_by(axes: str, values: np.ndarray) -> np.ndarray:
    """Bring the values of one item, whose axes have these letters (without N), to (*size, channels)."""
    letters = axes.removeprefix("N")
    if "C" not in letters:
        values, letters = values[..., None], letters + "C"
    wanted = sorted(letters, key="HWLC".index)
    return values.transpose([letters.index(letter) for letter in wanted])
