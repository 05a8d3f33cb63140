"""The drawing of ``loss-surface``."""

from typing import Any

from matplotlib.figure import Figure

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
    for row, courses, at in zip(panels, (data["courses"], data["live_courses"]), looks, strict=True):
        for axes, (measure, title) in zip(row, DRAWN.items(), strict=False):
            for color, side in enumerate(SIDES):
                for norm, (style, values) in enumerate(
                    zip(STYLES, zip(*courses[side][measure], strict=True), strict=True)
                ):
                    label = say("{side}, {norm}", side=say(side), norm=LABELS[NORMS[norm]])
                    axes.plot(at, values, style, color=f"C{color}", label=str(label))
            axes.set(yscale="log")
            axes.set_xscale("symlog", linthresh=max(at[1], 1))
            axes.set_title(str(title), fontsize=10)
        row[0].legend(fontsize=7)
        row[0].set(ylabel=str(say("toy networks") if row is panels[0] else say("live networks")))
    for axes in panels[0][:3]:
        axes.set(xlabel=str(say("steps")))
    for axes in panels[1][:3]:
        axes.set(xlabel=str(say("images seen")))
    for axes, side in zip((panels[0][3], panels[1][3]), SIDES, strict=True):
        _speed(axes, side, data)
    return figure


def _speed(axes: Any, side: str, data: dict[str, Any]) -> None:
    for norm, style, losses in zip(NORMS, STYLES, data["losses"][side], strict=True):
        axes.plot(data["rates"], losses, style, color="k", label=str(LABELS[norm]))
    axes.set(xscale="log", xlabel=str(say("learning rate")), ylim=(0, None))
    axes.set_title(str(say("Mean loss while learning, toy {side}", side=say(side))), fontsize=10)
    axes.legend(fontsize=8)
