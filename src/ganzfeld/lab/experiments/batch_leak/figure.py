"""The drawing of ``batch-leak``."""

from matplotlib.figure import Figure

from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw how a value and logits change with the rest of their batch, and the effect of separate batches."""
    data = outcome.data
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    drift, logits, right = figure.subplots(1, 3)
    drift.plot(data["drift"]["share"], data["drift"]["exact"], "k--", label="closed form")
    means, errors, _ = zip(*data["drift"]["measured"], strict=True)
    drift.errorbar(data["drift"]["share"], means, errors, fmt="o", label="batch norm")
    drift.axhline(0.5, color="C2", label="no norm")
    drift.set(xlabel="share of fakes in the batch", ylabel="the value 0.5 after the norm")
    drift.set_title("One value in other batches")
    drift.legend(fontsize=8)
    for color, (words, curve) in enumerate(data["curves"].items()):
        for number, shifts in enumerate(curve["way"]):
            logits.plot(curve["share"], shifts, color=f"C{color}", alpha=0.6, label=None if number else words)
    logits.set(xlabel="share of fakes among the other images", ylabel="shift, in spreads of the logits")
    logits.set_title("The logits of 16 real images, in situ")
    logits.legend(fontsize=8)
    for place, (separate, mixed) in enumerate(data["accuracies"].values()):
        for offset, color, batches, (value, error, _) in (
            (-0.2, "C0", "separate batches", separate),
            (0.2, "C1", "mixed batches", mixed),
        ):
            label = None if place else batches
            right.bar(place + offset, 100 * value, 0.4, yerr=100 * error, color=color, label=label)
    right.axhline(100 * data["best"], color="k", linestyle="--", label="best for single images")
    right.set(
        ylim=(50, 100),
        ylabel="classified correctly, %",
    )
    right.set_xticks((0, 1), ("no norm", "batch norm"))
    right.set_title("Trained on separate batches")
    right.legend(fontsize=8, loc="upper left")
    return figure
