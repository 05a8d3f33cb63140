"""The drawing of ``saturating-loss``."""

import numpy as np
from matplotlib.figure import Figure

from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw slopes by logit, with the limits of 32 bits, and gradients at the generator while D learns."""
    data = outcome.data
    figure = Figure(figsize=(13, 9), layout="constrained")
    places = figure.subplots(2, 2)
    for axes, name in zip(places[0], data["scans"], strict=True):
        logits, measured, exact = data["scans"][name]
        axes.plot(logits, exact, color="0.7", linewidth=5, label=say("formula, and loss from logits"))
        axes.plot(
            logits,
            np.where(np.isfinite(measured), measured, np.nan),
            color="C0",
            label=say("loss from 32-bit D"),
        )
        broken = ~np.isfinite(measured)
        axes.fill_between(logits, -1.05, 0.05, where=broken, color="C3", alpha=0.25, label=say("not finite"))
        axes.set(
            title=say("{name}: slope of the generator's loss", name=name),
            xlabel=say("logit of a generated image"),
        )
        axes.legend(loc="center", fontsize=9)
    panels = (
        (
            places[1, 0],
            data["moments"],
            {name: course.mean(1) for name, course in data["courses"].items()},
            say("toy"),
        ),
        (places[1, 1], data["live_moments"], data["live_courses"], say("live networks")),
    )
    for axes, moments, courses, where in panels:
        for name, course in courses.items():
            # Losses with the same slope have the same line, so the later ones are thinner.
            width = 2.5 if name in data["scans"] else 1.2
            style = "--" if name == "wasserstein" else "-"
            sizes = np.array(course).reshape(len(moments), -1).mean(1)
            axes.plot(np.array(moments) + 1, sizes, f".{style}", label=name, linewidth=width)
        axes.set(
            xscale="log",
            yscale="log",
            xlabel=say("steps of D alone + 1"),
            ylabel=say("gradient at the generator"),
        )
        axes.legend(fontsize=8)
        axes.set_title(say("{where}: the generator is frozen, its discriminator learns", where=where))
    return figure
