"""The drawing of ``ring``."""

import numpy as np
from matplotlib.figure import Figure

from ganzfeld.lab.experiments.ring.toy import MEASURES
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw points of one game for each loss, the measures over seeds, and clusters in situ."""
    data = outcome.data
    names = list(data["table"])
    columns = min(6, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(2.7 * columns, 3.2 * rows + 4.2), layout="constrained")
    clouds, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(3.2 * rows, 4.2))[:, 0]
    for axes, name in zip(clouds.subplots(rows, columns, squeeze=False).flatten(), names, strict=False):
        axes.plot(*data["real"].T, ".", color="0.8", markersize=2)
        axes.plot(*data["clouds"][name].T, ".", color="C0", markersize=2)
        axes.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), xticks=[], yticks=[])
        axes.set_aspect("equal")
        modes = data["table"][name][:, 0]
        axes.set_title(
            say("{name}\n{mean:.1f} of {all} modes", name=name, mean=modes.mean(), all=data["modes"]),
            fontsize=8,
        )
    panels = below.subplots(1, 5)
    places = np.arange(len(names))
    for column, measure in enumerate(MEASURES.values()):
        for place, name in enumerate(names):
            panels[column].plot(
                data["table"][name][:, column], [place] * len(data["table"][name]), "o", alpha=0.6
            )
        panels[column].set_title(measure, fontsize=9)
        panels[column].set_yticks(places, names if column == 0 else [], fontsize=7)
        panels[column].invert_yaxis()
    panels[2].set_xscale("log")
    panels[3].set_xscale("symlog", subs=range(2, 10))
    panels[3].margins(x=0.1)
    for place, (name, shares) in enumerate(data["clusters"].items()):
        panels[4].bar(np.arange(len(shares)) + 0.27 * (place - 1), shares, 0.27, label=name)
    panels[4].set_title(say("live: share of images by cluster"), fontsize=9)
    panels[4].legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.06))
    return figure
