"""The drawing of ``batch-leak``."""

from matplotlib.figure import Figure

from ganzfeld.lab.experiments.batch_leak import BATCHINGS, NORMS
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Outcome


def draw(outcome: Outcome) -> Figure:
    """Draw how a value and logits change with the rest of their batch, and what is learned in
    batches of every composition."""
    data = outcome.data
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    drift, logits, right = figure.subplots(1, 3)
    drift.plot(data["drift"]["share"], data["drift"]["exact"], "k--", label=say("closed form"))
    means, errors, _ = zip(*data["drift"]["measured"], strict=True)
    drift.errorbar(data["drift"]["share"], means, errors, fmt="o", label=say("batch norm"))
    drift.axhline(0.5, color="C2", label=say("no norm"))
    drift.set(xlabel=say("share of fakes in the batch"), ylabel=say("the value 0.5 after the norm"))
    drift.set_title(say("One value in other batches"))
    drift.legend(fontsize=8)
    for color, (words, curve) in enumerate(data["curves"].items()):
        for number, shifts in enumerate(curve["way"]):
            logits.plot(curve["share"], shifts, color=f"C{color}", alpha=0.6, label=None if number else words)
    logits.set(
        xlabel=say("share of fakes among the other images"), ylabel=say("shift, in spreads of the logits")
    )
    logits.set_title(say("The logits of 16 real images, in situ"))
    logits.legend(fontsize=8)
    for place, norm in enumerate(NORMS):
        for color, (batching, words) in enumerate(BATCHINGS.items()):
            value, error = data["cells"][batching, norm][:2]
            across = place + (color - 1) * 0.27
            label = None if place else words
            right.bar(across, 100 * value, 0.27, yerr=100 * error, color=f"C{color}", label=label)
            most = 100 * data["limits"][batching]
            right.plot((place - 0.4, place + 0.4), (most, most), f"C{color}:", linewidth=1)
    right.axhline(100 * data["best"], color="k", linestyle="--", label=say("best for single images"))
    right.set(ylim=(50, 115), ylabel=say("classified correctly, %"))
    right.set_yticks(range(50, 101, 10))
    right.set_xticks(range(len(NORMS)), NORMS)
    right.set_title(say("Taught and tested in such batches (dotted: best)"), fontsize=9)
    right.legend(fontsize=8, loc="upper right")
    return figure
