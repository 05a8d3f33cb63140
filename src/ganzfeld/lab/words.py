"""Figures in words and columns, for the command line and the report."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ganzfeld.lab.language import Phrase, say
from ganzfeld.lab.measured import Measured
from ganzfeld.printable import in_shell

COLUMNS = (say("figure"), say("measured"), say("claim expects"), "")
"""Headings of a table of figures."""

_FINDINGS = {
    ("claim", "agrees"): say("agrees"),
    ("claim", "departs"): say("REFUTED"),
    ("limit", "agrees"): say("as claimed"),
    ("limit", "departs"): say("limit"),
}

Row = tuple[str, str, str, str]
"""The columns of a figure, as phrases."""


def finding(figure: Measured) -> Phrase | str:
    """Say in a word or two whether a figure agrees with the claim; nothing if it is only shown."""
    if figure.role == "shown" or figure.state is None:
        return ""
    if figure.is_example:
        return say("one run, decides nothing")
    return _FINDINGS.get((figure.role, figure.state), say("open"))


def amount(value: float, error: float = 0.0) -> str:
    """Write a number with its standard error, to the digits that the error allows: ``0.2501 ± 0.0012``."""
    if not (error > 0 and math.isfinite(error) and math.isfinite(value)):
        return f"{value:.6g}"
    if max(abs(value), error) >= 1e5 or error < 1e-6:
        return f"{value:.4g} ± {error:.1g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def measured(figure: Measured) -> Phrase | str:
    """Write what was measured: with the ends of its interval where it is a mean over runs."""
    if figure.is_example:
        return say("{value} in one run", value=f"{figure.value:.4g}")
    own = amount(figure.value, figure.error)
    low, high = figure.interval
    if not (figure.num_trainings and figure.error and math.isfinite(high - low)):
        return own
    ends = {"low": rounded(low, figure.error), "high": rounded(high, figure.error)}
    return say("{own}, {low} to {high}", own=own, **ends)


def rounded(value: float, error: float) -> str:
    """Write a number to the digits that an error allows, without the error."""
    return amount(value, error).partition(" ")[0]


def expected(figure: Measured) -> Phrase | str:
    """Write what a sentence claims of a figure: ``0.5``, ``> 0.65``; ``8 to within 1`` where the value agrees
    because the claim is an approximation.
    """
    if figure.expected is None:
        return ""
    number = amount(figure.expected, figure.expected_error)
    if figure.relation != "=":
        return f"{figure.relation} {number}"
    if figure.agrees_by_tolerance:
        return say("{number} to within {slack}", number=number, slack=f"{figure.slack:.2g}")
    return number


def row(figure: Measured) -> Row:
    """Return the columns of a figure, in the order of ``COLUMNS``."""
    return figure.name, measured(figure), expected(figure), finding(figure)


def as_options(settings: Mapping[str, Any]) -> str:
    """Write settings as options of the command line, for a shell."""
    pairs = (
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in settings.items()
    )
    return " ".join(f"--set {in_shell(pair)}" for pair in pairs)


def by_part(figures: Sequence[Measured]) -> dict[str, list[Row]]:
    """Return the rows of all figures by part of the experiment, in the order of the parts; the names of
    the parts are phrases.
    """
    parts: dict[str, list[Row]] = {}
    for part in (say("closed form"), say("bench"), say("in situ")):
        rows = [row(figure) for figure in figures if figure.part == part]
        if rows:
            parts[part] = rows
    return parts
