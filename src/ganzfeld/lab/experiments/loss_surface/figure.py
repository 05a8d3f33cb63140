"""The drawing of ``loss-surface``."""

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ganzfeld.lab.experiments.loss_surface import NORMS, SIDES
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome

DRAWN = {
    "unpredicted": say("Change of the gradient in a step"),
    "shift": say("Covariate shift of gradients"),
    "drift": say("Drift of the inputs of activations"),
}
"""Titles of the measures that are drawn."""

STYLES = ("o-", "s:")
LABELS = {"batch": say("batch norm"), "none": say("no norm")}


def draw(outcome: Outcome) -> Figure:
    """Draw the measures as networks train, on the bench above and in situ below, and how fast they learn."""
    data = outcome.data
    figure = Figure(figsize=(14, 7), layout="constrained")
    panels = figure.subplots(2, 4)
    looks = (data["looks"], data["live_looks"])
    places = (say("toy networks"), say("live networks"))
    units = (say("steps"), say("images seen"))
    for row, courses, at, place, unit in zip(
        panels, (data["courses"], data["live_courses"]), looks, places, units, strict=True
    ):
        for axes, (measure, title) in zip(row, DRAWN.items(), strict=False):
            _courses(axes, {side: courses[side][measure] for side in SIDES}, at)
            axes.set(xlabel=str(unit))
            axes.set_title(str(title), fontsize=10)
        row[0].legend(fontsize=7)
        row[0].set(ylabel=str(place))
    for row, side in zip(panels, SIDES, strict=True):
        _speed(row[3], side, data)
    return figure


def _courses(axes: Any, of_sides: dict[str, list[list[float]]], at: list[int]) -> None:
    """Draw a measure of both networks, with norms and without, at every look; the looks are at equal
    distances.
    """
    for color, (side, values) in enumerate(of_sides.items()):
        for norm, style, course in zip(NORMS, STYLES, zip(*values, strict=True), strict=True):
            label = say("{side}, {norm}", side=say(side), norm=LABELS[norm])
            axes.plot(course, style, color=f"C{color}", label=str(label))
    axes.set(yscale="log")
    axes.set_xticks(range(len(at)), [f"{look:,}" for look in at])
    low, high = axes.get_ylim()
    subs = range(1, 10) if high < 10 * low else (1, 2, 5) if high < 300 * low else (1,)
    axes.yaxis.set_major_locator(LogLocator(subs=subs))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _speed(axes: Any, side: str, data: dict[str, Any]) -> None:
    for norm, style, losses in zip(NORMS, STYLES, data["losses"][side], strict=True):
        axes.plot(losses, style, color="k", label=str(LABELS[norm]))
    axes.set_xticks(range(len(data["rates"])), [f"{rate:g}" for rate in data["rates"]])
    axes.set(xlabel=str(say("learning rate")), ylim=(0, None))
    axes.set_title(str(say("Mean loss while learning, toy {side}", side=say(side))), fontsize=9)
    axes.legend(fontsize=8)
