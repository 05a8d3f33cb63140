"""The figures of ``loss-surface`` that the bench and live networks share: a measure with norms over that
without."""

from ganzfeld.lab.estimate import Estimate
from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Measured, Part, claim, shown

WORDS = {
    "variation": say("variation of the loss along the gradient"),
    "unpredicted": say("change of the gradient along the gradient, over the gradient"),
    "beta": say("effective beta (change of the gradient over the length)"),
    "shift": say("change of a layer's gradient when the layers below it make a step"),
    "drift": say("drift of mean and deviation of the inputs of activations in a step"),
}
"""By measure; see ``surface.Landscape``."""

OF = {"unpredicted": "smooth", "beta": "smooth", "shift": "shift", "drift": "inputs"}
"""The sentence that a measure tests; the variation of the loss is shown, since a fast descent has it too."""


def figure_of(measure: str, side: str, ratio: Estimate | float, part: Part = "bench") -> Measured:
    """Build the figure of the log10 of a measure with batch norm over that without."""
    key = f"{measure}-{side}" if part == "bench" else f"live-{measure}-{side}"
    name = say("log10 of {what}, {side}, batch over no norm", what=WORDS[measure], side=say(side))
    if measure not in OF:
        return shown(key, name, ratio, part=part)
    return claim(key, name, ratio, 0.0, of=OF[measure], relation="<", part=part)
