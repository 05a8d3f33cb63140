"""The drawing of ``batch-noise``."""

from matplotlib.figure import Figure

from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw the error over the size of a batch, what maps are worth, and what that does to images."""
    data = outcome.data
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    errors, worths, changes = figure.subplots(1, 3)
    sizes = data["curve"]["batch"]
    grid, unbiased, biased = data["formulas"]
    errors.plot(grid, unbiased, "k--", label="2/(B-1), unbiased")
    errors.plot(grid, biased, "k:", label="$(2B-1)/B^2$, biased")
    for color, kind in enumerate(("unbiased", "biased")):
        means, spreads = zip(*data["curve"][kind], strict=True)
        errors.errorbar(sizes, means, spreads, fmt="o", color=f"C{color}", label=f"measured, {kind}")
    layers = data["layers"]
    for color, (name, row) in enumerate(zip(layers["name"], layers["errors"], strict=True), 2):
        errors.plot(data["batches"], row, ".-", color=f"C{color}", label=f"generator, {name}")
    errors.set(xscale="log", yscale="log", xlabel="images in a batch", ylabel="relative squared error")
    errors.set_title("How wrong the variance of a batch is")
    errors.legend(fontsize=7)
    places = range(len(layers["name"]))
    worths.bar(
        [place - 0.2 for place in places], layers["positions"], 0.4, color="0.7", label="positions of a map"
    )
    worths.bar(
        [place + 0.2 for place in places], layers["worth"], 0.4, label="independent numbers it is worth"
    )
    worths.set_xticks(places, [name.replace(", ", "\n") for name in layers["name"]])
    worths.set(yscale="log", ylim=(1, 4 * max(layers["positions"])))
    worths.set_title("A map is worth few numbers")
    worths.legend(fontsize=8)
    if data["changes"]:
        means, spreads = zip(*data["changes"], strict=True)
        changes.errorbar(
            data["batches"], [100 * value for value in means], [100 * value for value in spreads], fmt="o-"
        )
        changes.set(
            xscale="log",
            xlabel="images in a batch",
            ylabel="% of the spread between images",
            ylim=(0, None),
        )
    if data["changes"]:
        changes.set_xticks(data["batches"], [str(size) for size in data["batches"]])
        changes.minorticks_off()
    changes.set_title("Change of an image with its company")
    return figure
