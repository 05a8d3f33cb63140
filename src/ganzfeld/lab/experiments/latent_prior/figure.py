"""The drawing of ``latent-prior``."""

from matplotlib.figure import Figure

from ganzfeld.lab.language import say
from ganzfeld.lab.looking import show
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw pre-activations by layer, norms, and images along both interpolations."""
    data = outcome.data
    figure = Figure(figsize=(15, 7), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.5, 1), squeeze=False)[:, 0]
    layers, gains, norms, spreads = upper.subplots(1, 4)
    for color, name in enumerate(("normal", "uniform")):
        layers.plot(
            data["stds"]["none"][color], "o-", color=f"C{color}", label=say("{name}, no norm", name=say(name))
        )
        layers.plot(
            [0, *range(len(data["stds"]["batch"][color]) - 1)],
            data["stds"]["batch"][color],
            "s:",
            color=f"C{color}",
            label=say("{name}, batch norm", name=say(name)),
        )
    layers.set(
        yscale="log",
        xlabel=say("layer (0: projection, before and after its norm)"),
        ylabel=say("standard deviation"),
    )
    layers.set_title(say("Pre-activations of untrained generators"))
    layers.legend(fontsize=8)
    for name, slopes in data["gains"]["slope"].items():
        gains.plot(data["gains"]["gain"], slopes, "o-", label=say(name))
    gains.set(xlabel=say("gain of every layer"), ylabel=say("mean slope of tanh"), ylim=(0, 1.05))
    gains.set_title(say("Saturation without norms"))
    gains.legend(fontsize=8)
    for name, label in (
        ("normal", say("normal")),
        ("uniform", say("uniform")),
        ("lerp", say("normal, half-way by lerp")),
        ("slerp", say("normal, half-way by slerp")),
    ):
        norms.hist(data["norms"][name], 50, density=True, histtype="step", label=label)
    norms.set(xlabel=say("norm of the latent"), yticks=[])
    norms.set_title(say("Latents of {size} components lie on a shell", size=outcome.settings["latent_size"]))
    norms.legend(fontsize=8)
    paths = data["paths"]
    for name in ("lerp", "slerp"):
        spreads.plot(paths["share"], paths[name], "o-", label=name)
    spreads.set(
        xlabel=say("position between the latents"),
        ylabel=say("spread, over that at the ends"),
        ylim=(0, None),
    )
    spreads.set_title(say("Spread of the images along the path"))
    spreads.legend(fontsize=8)
    for axes, name in zip(lower.subplots(2, 1), ("lerp", "slerp"), strict=True):
        show(axes, paths["images"][name], say("from one latent to another by {name}", name=say(name)))
    return figure
