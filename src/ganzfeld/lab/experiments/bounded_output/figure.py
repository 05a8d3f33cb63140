"""The drawing of ``bounded-output``."""

import math

import torch
from matplotlib.figure import Figure

from ganzfeld.lab.language import say
from ganzfeld.lab.looking import show
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw the slope in each format, the size of pre-activations, and images of tanh and clip."""
    data = outcome.data
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    slopes, sizes, images = figure.subplots(1, 3, width_ratios=(1, 1, 1.2))
    at = torch.tensor(data["inputs"])
    right = at >= 0
    slopes.plot(at[right], torch.tensor(data["exact"])[right], "k--", label=say("tanh in real numbers"))
    counts = torch.tensor(data["sizes"]).sort().values
    sizes.plot(counts, 100 * torch.linspace(1, 0, len(counts)), "k", label=say("tanh, as it trains"))
    for color, (name, end) in enumerate(data["ends"].items()):
        slope_of = torch.tensor(data["slopes"][name])[right]
        slopes.plot(at[right], slope_of.where(slope_of > 0, math.nan), f"C{color}", label=name)
        for axes in (slopes, sizes):
            axes.axvline(end, color=f"C{color}", linestyle=":")
    slopes.axvline(1, color="C3", label=say("clip ends"))
    slopes.set(yscale="log", xlabel=say("pre-activation"), ylabel=say("slope"), ylim=(1e-9, 2))
    slopes.set_title(say("Where the gradient of tanh ends"))
    slopes.legend(fontsize=8)
    sizes.set(
        xlabel=say("absolute pre-activation"),
        ylabel=say("pixel values beyond it, %"),
        xlim=(0, outcome.settings["reach"]),
    )
    sizes.set_title(say("How large pre-activations get"))
    show(
        images,
        data["images"]["tanh"] + data["images"]["clip"],
        say("tanh (above) and clip, trained the same way"),
    )
    return figure
