"""How much of a gradient passes an activation: the mean slope, and the root mean square slope."""

from typing import final

from pydantic import Field, field_validator, model_validator

from ganzfeld.errors import UsageError
from ganzfeld.lab.language import Phrase, say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = (
    "The mean slope of ReLU under a zero-mean Gaussian is 0.5 and that of LeakyReLU 0.5 (1 + alpha), so that "
    "after k layers 0.5^k of a gradient is left against 0.6^k at alpha = 0.2."
)

CLAIM_ZH = (
    "在零均值高斯前激活下，ReLU 的期望导数为 0.5，LeakyReLU 为 0.5(1+α)；因此 α=0.2 时经过 k 层后，"
    "梯度的总衰减因子分别为 0.5^k 与 0.6^k。"
)

SECTION = "激活函数：塑造信号与梯度 / 中间层：LeakyReLU 实现鲁棒的梯度流"

SENTENCES = {
    "leak": Sentence(
        "LeakyReLU passes a small gradient alpha even where its input is negative.",
        "即使在输入为负时，梯度也不会完全消失，而是有一个小的非零值 α。",
    ),
    "mean-slope": Sentence(
        "The expected slope of ReLU under a zero-mean Gaussian is 0.5 and that of LeakyReLU 0.5 (1 + alpha).",
        "E[ReLU'(a)] = 0.5；E[LeakyReLU'(a)] = 0.5(1+α)。",
    ),
    "depth": Sentence(
        "After k such layers the gradient is reduced by 0.5^k and 0.6^k.",
        "在经过 k 个这样的层后，梯度信号的总衰减因子分别为 (0.5)^k 和 (0.6)^k。",
    ),
    "further": Sentence(
        "LeakyReLU carries a gradient better through deep networks.",
        "LeakyReLU 能够让梯度信号更有效地在深层网络中传播",
    ),
    "dying": Sentence(
        "This reduces the risk that units die.",
        "从而减少了神经元“死亡”的风险",
    ),
}

SHORT = {"draws": 20_000, "networks": 4, "width": 48}
THOROUGH = {"draws": 2_000_000, "networks": 40}
SIDES = ("discriminator", "generator")


@final
class Settings(Section):
    """``alpha``: slope of LeakyReLU's negative side. ``mean`` and ``std`` of the Gaussian pre-activation.

    ``networks``: random networks through which gradients are sent, of ``depth`` layers and ``width``
    channels. ``draws`` of the Monte Carlo.
    """

    alpha: float = 0.2
    mean: float = Field(default=0.0, ge=-1_000, le=1_000)
    std: float = Field(default=1.0, gt=0, le=1_000)
    depth: int = Field(default=20, ge=1, le=200)
    width: int = Field(default=96, ge=2, le=1_024)
    networks: int = Field(default=12, ge=2, le=1_000)
    draws: int = Field(default=400_000, ge=1_000, le=10_000_000)

    @field_validator("alpha")
    @classmethod
    def _is_a_slope(cls, alpha: float) -> float:
        if not 0 <= alpha <= 1:
            raise UsageError(f"alpha is from 0 to 1, not {alpha}: it is the slope of the negative side")
        return alpha

    @model_validator(mode="after")
    def _has_both_sides(self) -> "Settings":
        if abs(self.mean) > 2 * self.std:
            raise UsageError(
                f"mean is at most two standard deviations ({self.std:g} each) from 0, not {self.mean:g}: "
                "nearly all pre-activations would have the same sign"
            )
        return self


def advice(figures: Figures, settings: Settings) -> Phrase:
    """Say what LeakyReLU is good for, and what it is not."""
    mean_ratio = figures["mean-leaky-relu"].value / figures["mean-relu"].value
    parts = [
        say(
            "The two mean slopes are right, but a gradient does not scale with them: its norm scales with "
            "the root mean square slope, and there LeakyReLU and ReLU are {rms:.1f} % apart, not "
            "{mean:.0f} %.",
            rms=100 * (figures["rms-ratio"].value - 1),
            mean=100 * (mean_ratio - 1),
        )
    ]
    if "gradient-batch" in figures:
        parts.append(
            say(
                "With batch norms a layer multiplies the gradient by {relu:.3g} with ReLU and by {leaky:.3g} "
                "with LeakyReLU: above 1, it grows towards the input.",
                relu=figures["per-layer-batch-relu"].value,
                leaky=figures["per-layer-batch-leaky-relu"].value,
            )
        )
    first, last, leaking = (
        100 * figures[f"never-positive-units-discriminator-{key}"].value
        for key in ("relu-first", "relu-last", "leaky-relu-last")
    )
    parts.append(
        say(
            "So do not choose LeakyReLU for the size of gradients, which Adam divides out in any case. Of "
            "the discriminator's units (a channel at a position) with ReLU {first:.2g} % were positive on no "
            "real or generated image before training, and {last:.2g} % after it, against {leaking:.2g} % "
            "with LeakyReLU, where such units still learn.",
            first=first,
            last=last,
            leaking=leaking,
        )
    )
    return together(parts)
