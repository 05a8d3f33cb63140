"""The gradient of the minimax loss fades where the generator is worst; the non-saturating one does not.

Both claims are about the derivative by the logit. The generator gets that derivative times the slope of the
logit in the image, and only if the loss is computed from logits.
"""

from typing import final

from pydantic import Field

from ganzfeld.lab.language import Phrase, say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = (
    "The minimax loss gives the generator a logit gradient of -D, which fades as D wins; -log D gives -(1-D)."
)

CLAIM_ZH = "极小极大损失对判别器对数几率的梯度因子是 -D，当 D→0 时消失；非饱和损失是 -(1-D)，保持了强度。"
SECTION = "训练动态与损失函数：生成器损失：克服梯度消失"

SENTENCES = {
    "minimax": Sentence(
        "For the minimax loss the factor of the logit gradient is -D, which vanishes as D goes to 0.",
        "对于极小极大损失，梯度因子是 -D，当 D → 0 时梯度消失",
    ),
    "non-saturating": Sentence(
        "For the non-saturating loss it is -(1-D), which goes to -1 as D goes to 0 and stays strong.",
        "对于非饱和损失，梯度因子是 -(1-D)，当 D → 0 时梯度接近 -1，保持了强度",
    ),
    "reason": Sentence(
        "The value of log(1-D) is near log(1) = 0, and therefore its gradient becomes very small.",
        "log(1-D(G(z))) 的值接近 log(1)=0，其梯度也因此变得非常小。",
    ),
    "fades": Sentence(
        "When the generator needs a strong gradient most, what it gets is weakest.",
        "当生成器最需要强有力的梯度信号来改进时，它得到的反馈却最弱。",
    ),
    "large": Sentence(
        "Where D is near 0, log D goes to minus infinity, and its gradient is very large.",
        "D(G(z)) 接近 0 时，log D(G(z)) 会趋向负无穷，其梯度会非常大。",
    ),
    "keeps": Sentence(
        "So it gives the strongest signal just when the generator needs it.",
        "这恰好在生成器最需要指导的时候提供了最强的学习信号。",
    ),
}
"""Sentences; those on the two derivatives have the names of the losses."""

TWO = ("minimax", "non-saturating")
"""The losses that the claim compares."""


@final
class Settings(Section):
    """``num_steps`` of the toy's discriminator while the generator is frozen; in situ a quarter of them.
    ``num_points``: points per batch of the toy. ``seeds``: toy generators, side by side.
    """

    num_steps: int = Field(default=256, ge=1, le=100_000)
    num_points: int = Field(default=128, ge=2, le=10_000)
    seeds: int = Field(default=5, ge=2, le=100)


SHORT = {"num_steps": 32, "num_points": 32}
THOROUGH = {"num_steps": 1_024, "seeds": 20}


def advice(figures: Figures, settings: Settings) -> Phrase:
    """Say which loss to choose, and what to compute it from."""
    return together(
        [
            say(
                "Do not use minimax for the generator: a strong discriminator leaves it {toy:.2g} of the "
                "gradient that it leaves the non-saturating loss.",
                toy=10 ** figures["strong-ratio"].value,
            ),
            say(
                "The reason is not that log(1-D) is near 0: its slope in D is {slope:.4f} at a logit of -5. "
                "It is the slope of the sigmoid that vanishes, {sigmoid:.4f} there.",
                slope=figures["by-d-minimax"].value,
                sigmoid=figures["sigmoid-slope"].value,
            ),
            say(
                "And -D and -(1-D) are derivatives by the logit: the gradient at the weights also contains "
                "the slope of the discriminator. While D learned, the minimax gradient on the toy changed by "
                "a factor of {minimax:.2g} and the non-saturating one by {other:.2g} (in situ {live:.2g}).",
                minimax=10 ** figures["left-minimax"].value,
                other=10 ** figures["left-non-saturating"].value,
                live=10 ** figures["live-left-non-saturating"].value,
            ),
            say(
                "Compute losses from logits, as every loss of the catalogue does: from 32-bit probabilities "
                "minimax is infinite above a logit of {upper:.1f} and the non-saturating loss below "
                "{lower:.1f}.",
                upper=figures["break-minimax-direct"].value,
                lower=figures["break-non-saturating-direct"].value,
            ),
        ]
    )
