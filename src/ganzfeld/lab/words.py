"""Figures in words and columns, for the command line and the report."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganzfeld.lab.outcome import Measured
from ganzfeld.printable import in_shell

COLUMNS = ("figure", "measured", "claim expects", "")
"""Headings of a table of figures."""

_FINDINGS = {
    ("claim", True): "agrees",
    ("claim", False): "REFUTED",
    ("limit", True): "as claimed",
    ("limit", False): "limit",
}


def finding(figure: Measured) -> str:
    """Say in a word or two whether a figure agrees with the claim; nothing if it is only shown."""
    return _FINDINGS.get((figure.role, figure.agrees), "")


def amount(value: float, error: float = 0.0) -> str:
    """Write a number with its standard error, to the digits that the error allows: ``0.2501 ± 0.0012``."""
    if not (error > 0 and math.isfinite(error) and math.isfinite(value)):
        return f"{value:.6g}"
    if max(abs(value), error) >= 1e5 or error < 1e-6:
        return f"{value:.4g} ± {error:.1g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def row(figure: Measured) -> tuple[str, str, str, str]:
    """Return the columns of a figure, in the order of ``COLUMNS``."""
    expected = "" if figure.expected is None else amount(figure.expected)
    return figure.name, amount(figure.value, figure.error), expected, finding(figure)


def as_options(settings: Mapping[str, Any]) -> str:
    """Write settings as options of the command line, for a shell."""
    pairs = (
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in settings.items()
    )
    return " ".join(f"--set {in_shell(pair)}" for pair in pairs)


def by_part(figures: Sequence[Measured]) -> dict[str, list[tuple[str, str, str, str]]]:
    """Return the rows of all figures by part of the experiment, in the order of the parts."""
    parts: dict[str, list[tuple[str, str, str, str]]] = {}
    for part in ("closed form", "bench", "in situ"):
        rows = [row(figure) for figure in figures if figure.part == part]
        if rows:
            parts[part] = rows
    return parts
