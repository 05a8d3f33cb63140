"""Soft labels keep the discriminator's gradient alive where it saturates, but move its optimum.

A temperature is shown to be a rescaling of the last layer.
"""

from typing import Any, final

from pydantic import Field

from ganzfeld.errors import UsageError
from ganzfeld.lab.language import say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.lab.words import amount
from ganzfeld.losses import LARGEST_TEMPERATURE, Loss
from ganzfeld.recipes.schema import Section

CLAIM = (
    "Soft targets keep |D-y| >= alpha when D saturates; a temperature T >= 1 widens the unsaturated region."
)
CLAIM_ZH = "软标签使判别器饱和时梯度 (D-ỹ) 不会完全消失；温度 T≥1 扩大非饱和区域。"
SECTION = "训练动态与损失函数：判别器饱和与稳定化技术"

SENTENCES = {
    "targets": Sentence(
        (
            "Even when D saturates at 1 or 0, soft labels leave a gap of alpha to the target, so "
            "that the gradient does not vanish."
        ),
        (
            "即使判别器的输出 D 饱和到 1 或 0，目标与输出之间仍然存在一个微小的差距（α），"
            "从而保证了梯度……不会完全消失。"
        ),
    ),
    "confident": Sentence(
        "This keeps the discriminator from becoming overconfident.",
        "这可以防止判别器变得过于自信",
    ),
    "generator": Sentence(
        "It gives the generator a steadier gradient.",
        "并为生成器提供更稳定的梯度。",
    ),
    "temperature": Sentence(
        "A temperature T >= 1 softens the sigmoid and widens its unsaturated region.",
        "可以软化 sigmoid 函数的输出，扩大其非饱和区域。",
    ),
}

KINDS = {"hard": (0.0, 1), "one-sided": (None, 1), "two-sided": (None, 2)}
"""Kinds of labels: the smoothing (None: that of the settings) and the number of sides that are smoothed."""


@final
class Settings(Section):
    """``alpha``: the smoothing. ``temperature``: T. ``distance``: standard deviations between the data and
    the start of the toy's generator. ``num_rounds``: rounds of a toy game. ``seeds``: number of toy games.
    """

    alpha: float = 0.1
    temperature: float = 2.0
    distance: float = Field(default=4.0, gt=0, le=20)
    num_rounds: int = Field(default=300, ge=2, le=100_000)
    seeds: int = Field(default=5, ge=2, le=100)

    def model_post_init(self, context: Any) -> None:
        """Raise ``UsageError`` for a smoothing or temperature out of range."""
        if not 0 <= self.alpha < 0.5:
            raise UsageError(
                f"alpha is at least 0 and below 0.5, not {self.alpha}",
                "At 0 labels are hard; at 0.5 real and generated images have the same target.",
            )
        if not 0 < self.temperature <= LARGEST_TEMPERATURE:
            raise UsageError(
                f"temperature is above 0 and at most {LARGEST_TEMPERATURE:,}, not {self.temperature}"
            )

    def loss(self, kind: str) -> Loss:
        """Build the non-saturating loss with labels of a kind."""
        smoothing, sides = KINDS[kind]
        return Loss("non-saturating", self.alpha if smoothing is None else smoothing, sides)


SHORT = {"num_rounds": 20}
THOROUGH = {"seeds": 20}


def advice(figures: Figures, settings: Settings) -> str:
    """Say whether to soften labels, on which side, and what to do with a temperature."""
    behind, pull = figures["left-behind"], figures.get("pull")
    parts = [
        say(
            "Soft labels do not keep the gradient of D alive everywhere: they pull back a logit that is"
            " too large, and at the optimum the gradient D - y is 0 again (a strong live D has {left:.2g}"
            " left). If you soften at all, soften the real side alone.",
            left=figures["live-lesson-two-sided"].value,
        )
    ]
    if pull is not None:
        far = amount(behind.value, behind.error)
        lag = (
            say(
                "and the generator of the toy stayed behind by {far} standard deviations",
                far=far,
            )
            if behind.departs
            else say("but the toy lags only by {far} standard deviations", far=far)
        )
        parts.append(
            say(
                "Two-sided labels flatten the discriminator where there are many generated images and"
                " little data: the pull there falls to {pull:.2f} of what hard labels give, {lag}.",
                pull=pull.value,
                lag=lag,
            )
        )
    parts.append(
        say(
            "A temperature is a smaller last layer with a smaller learning rate and nothing else, unless a"
            " penalty or a constraint depends on the logit itself: then change its weight instead."
        )
    )
    return together(parts)
