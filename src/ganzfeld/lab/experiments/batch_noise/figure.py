"""The drawing of ``batch-noise``."""

from matplotlib.figure import Figure

from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw the error by batch size, the effective size of maps, and what the noise does to images."""
    data = outcome.data
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    errors, sizes_of_maps, changes = figure.subplots(1, 3)
    sizes = data["curve"]["batch"]
    grid, unbiased, biased = data["formulas"]
    errors.plot(grid, unbiased, "k--", label=str(say("2/(B-1), unbiased")))
    errors.plot(grid, biased, "k:", label=str(say("$(2B-1)/B^2$, biased")))
    for color, kind in enumerate(("unbiased", "biased")):
        means, spreads, _ = zip(*data["curve"][kind], strict=True)
        errors.errorbar(
            sizes,
            means,
            spreads,
            fmt="o",
            color=f"C{color}",
            label=str(say("measured, {kind}", kind=say(kind))),
        )
    layers = data["layers"]
    for color, (name, row) in enumerate(zip(layers["name"], layers["errors"], strict=True), 2):
        errors.plot(
            data["batches"], row, ".-", color=f"C{color}", label=str(say("generator, {name}", name=name))
        )
    errors.set(
        xscale="log",
        yscale="log",
        xlabel=str(say("images per batch")),
        ylabel=str(say("relative squared error")),
    )
    errors.set_title(str(say("Error of the variance of a batch")))
    errors.legend(fontsize=7)
    places = range(len(layers["name"]))
    sizes_of_maps.bar(
        [place - 0.2 for place in places],
        layers["positions"],
        0.4,
        color="0.7",
        label=str(say("positions of a map")),
    )
    sizes_of_maps.bar(
        [place + 0.2 for place in places],
        layers["worth"],
        0.4,
        label=str(say("independent numbers they are worth")),
    )
    sizes_of_maps.set_xticks(
        places, [str(name).replace(", ", "\n").replace("，", "\n") for name in layers["name"]]
    )
    sizes_of_maps.set(yscale="log", ylim=(1, 4 * max(layers["positions"])))
    sizes_of_maps.set_title(str(say("Positions count as few independent numbers")))
    sizes_of_maps.legend(fontsize=8)
    if data["changes"]:
        means, spreads, _ = zip(*data["changes"], strict=True)
        changes.errorbar(
            data["batches"], [100 * value for value in means], [100 * value for value in spreads], fmt="o-"
        )
        changes.set(
            xscale="log",
            xlabel=str(say("images per batch")),
            ylabel=str(say("% of the spread between images")),
            ylim=(0, None),
        )
        changes.set_xticks(data["batches"], [str(size) for size in data["batches"]])
        changes.minorticks_off()
    changes.set_title(str(say("Change of an image with the rest of its batch")))
    return figure
