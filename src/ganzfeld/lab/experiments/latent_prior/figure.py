"""The drawing of ``latent-prior``."""

from matplotlib.figure import Figure

from ganzfeld.lab.looking import show
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw pre-activations by layer, norms, and images along both interpolations."""
    data = outcome.data
    figure = Figure(figsize=(12, 7), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.5, 1), squeeze=False)[:, 0]
    layers, norms, spreads = upper.subplots(1, 3)
    for color, name in enumerate(("normal", "uniform")):
        layers.plot(data["stds"]["none"][color], "o-", color=f"C{color}", label=f"{name}, no norm")
        layers.plot(
            [0, *range(len(data["stds"]["batch"][color]) - 1)],
            data["stds"]["batch"][color],
            "s:",
            color=f"C{color}",
            label=f"{name}, batch norm",
        )
    layers.set(
        yscale="log", xlabel="layer (0: projection, before and after its norm)", ylabel="standard deviation"
    )
    layers.set_title("Pre-activations of untrained generators")
    layers.legend(fontsize=8)
    for name, label in (
        ("normal", "normal"),
        ("uniform", "uniform"),
        ("lerp", "normal, half-way by lerp"),
        ("slerp", "normal, half-way by slerp"),
    ):
        norms.hist(data["norms"][name], 50, density=True, histtype="step", label=label)
    norms.set(xlabel="norm of the latent", yticks=[])
    norms.set_title(f"Latents of {outcome.settings['latent_size']} components lie on a shell")
    norms.legend(fontsize=8)
    paths = data["paths"]
    for name in ("lerp", "slerp"):
        spreads.plot(paths["share"], paths[name], "o-", label=name)
    spreads.set(xlabel="position between the latents", ylabel="spread, over that at the ends", ylim=(0, None))
    spreads.set_title("Spread of the images along the path")
    spreads.legend(fontsize=8)
    for axes, name in zip(lower.subplots(2, 1), ("lerp", "slerp"), strict=True):
        show(axes, paths["images"][name], f"from one latent to another by {name}")
    return figure
