"""The drawing of ``soft-labels``."""

import math

import numpy as np
from matplotlib.figure import Figure

from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw the gradient of D by logit, the slope of the best D in r, the pull, the toy, and live logits."""
    data, alpha = outcome.data, outcome.settings["alpha"]
    figure = Figure(figsize=(13, 9), layout="constrained")
    gradients, slopes, games, live = figure.subplots(2, 2).flatten()
    curves, middle = data["gradients"], np.abs(data["gradients"]["logits"]) <= 10
    for place, kind in enumerate(data["live"]):
        # Lines of kinds that agree lie on one another, so the first is the widest.
        colour, width = f"C{place}", 4.0 - 1.4 * place
        for side, style in ((0, "-"), (1, "--")):
            of_side = say("real") if side == 0 else say("generated")
            label = say("{kind}, {side}", kind=say(kind), side=of_side)
            gradients.plot(
                curves["logits"][middle],
                curves[kind][side][middle],
                style,
                color=colour,
                linewidth=width,
                label=label,
            )
        slopes.plot(
            data["slopes"]["log_ratio"], data["slopes"][kind], color=colour, linewidth=width, label=say(kind)
        )
        courses = data["courses"]
        rounds = np.arange(len(courses["played"][kind]))
        games.plot(rounds, courses["played"][kind], color=colour, alpha=0.3, linewidth=0.8)
        games.plot(rounds, courses["played"][kind].mean(1), color=colour, linewidth=2, label=say(kind))
        both = np.concatenate(data["live"][kind])
        live.hist(both, bins=40, histtype="step", color=colour, linewidth=1.6, label=say(kind))
    gradients.axhline(0, color="0.7")
    gradients.set(title=say("gradient of D's loss by the logit: D - y"), xlabel=say("logit"))
    if alpha:
        slopes.axvline(math.log(alpha), color="0.6", linestyle=":", label=say("r = alpha"))
    slopes.set(title=say("slope of the best logit in log r"), xlabel=say("log r = log(p_data / p_model)"))
    games.set(
        title=say("toy: distance between the generator and the data"), xlabel=say("round"), ylabel="|m|"
    )
    inset = games.inset_axes((0.55, 0.5, 0.42, 0.45))
    for place, kind in enumerate(data["live"]):
        inset.plot(
            data["courses"]["shifts"],
            data["courses"]["pulls"][kind],
            color=f"C{place}",
            linewidth=4 - 1.4 * place,
        )
    inset.set_title(say("pull of the best D, by distance"), fontsize=8)
    live.set(title=say("logits of the live D, trained alone"), xlabel=say("logit"), ylabel=say("images"))
    for axes in (gradients, slopes, live):
        axes.legend(fontsize=8)
    return figure
