"""The drawing of ``leaky-slope``."""

from typing import Any

from matplotlib.figure import Figure

from ganzfeld.lab.experiments.leaky_slope import SIDES
from ganzfeld.lab.experiments.leaky_slope.toy import in_words
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw gradient norms through depth, and the units that are never positive."""
    alpha, depth = outcome.settings["alpha"], outcome.settings["depth"]
    figure = Figure(figsize=(10, 5), layout="constrained")
    passed, units = figure.subplots(1, 2)
    below: Any = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.14), "ncols": 2}
    layers = range(depth + 1)
    passed.plot(layers, [(1 + alpha) ** k for k in layers], "k--", label=say("mean slopes (the claim)"))
    passed.plot(
        layers, [(1 + alpha**2) ** (k / 2) for k in layers], "k:", label=say("root mean square slopes")
    )
    for color, (normalisation, norms) in enumerate(outcome.data["through"].items()):
        ratio = [leaky / relu for leaky, relu in zip(norms["leaky-relu"], norms["relu"], strict=True)]
        passed.plot(
            layers, ratio[::-1], f"C{color}", label=say("measured, {norm}", norm=in_words(normalisation))
        )
    passed.set(
        yscale="log", xlabel=say("layers that the gradient has passed"), ylabel=say("LeakyReLU over ReLU")
    )
    passed.set_title(
        say("Gradient norm with LeakyReLU ({alpha:g}) over that with ReLU", alpha=alpha), fontsize="medium"
    )
    passed.legend(fontsize=8, **below)
    for color, side in enumerate(SIDES):
        for style, activation in (("o-", "relu"), ("s:", "leaky-relu")):
            shares = [100 * share for share in outcome.data["dead"][f"{activation}, {side}"]]
            units.plot(
                outcome.data["stages"][activation],
                shares,
                style,
                color=f"C{color}",
                label=say("{side}, {activation}", side=say(side), activation=activation),
            )
    units.set_xscale("symlog", linthresh=outcome.data["stages"]["relu"][1])
    units.set(xlabel=say("images seen"), ylabel=say("units, %"), ylim=(0, None))
    units.set_title(say("Units that are positive on no real or generated image"), fontsize="medium")
    units.legend(fontsize=8, **below)
    return figure
