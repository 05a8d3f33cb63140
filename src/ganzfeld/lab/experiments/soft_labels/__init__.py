"""Soft labels keep the discriminator's lesson alive where it saturates, at the price of another optimum.

With temperature it is shown what else it is: a rescaling of the last layer.
"""

from typing import Any, final

from pydantic import Field

from ganzfeld.errors import UsageError
from ganzfeld.lab.outcome import Figures
from ganzfeld.lab.words import amount
from ganzfeld.losses import LARGEST_TEMPERATURE, Loss
from ganzfeld.recipes.schema import Section

CLAIM = "Soft targets keep |D-y| >= alpha when D saturates; a temperature T >= 1 widens the live region."
CLAIM_ZH = "软标签使判别器饱和时梯度 (D-ỹ) 不会完全消失；温度 T≥1 扩大非饱和区域。"
SECTION = "训练动态与损失函数：判别器饱和与稳定化技术"

SENTENCES = {
    "targets": "Soft targets keep |D-y| >= alpha when D saturates.",
    "temperature": "A temperature T >= 1 widens the live region.",
}

KINDS = {"hard": (0.0, 1), "one-sided": (None, 1), "two-sided": (None, 2)}
"""Smoothing (None: that of the settings) and sides."""


@final
class Settings(Section):
    """``alpha``: the smoothing. ``temperature``: T. ``distance``: how many standard deviations the generator
    of the toy begins away from the data. ``num_rounds``: of the toy games, of which ``seeds`` are played.
    """

    alpha: float = 0.1
    temperature: float = 2.0
    distance: float = Field(default=4.0, gt=0, le=20)
    num_rounds: int = Field(default=300, ge=2, le=100_000)
    seeds: int = Field(default=5, ge=2, le=100)

    def model_post_init(self, context: Any) -> None:
        """Refuse what means nothing."""
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
        """Build the non-saturating loss with labels of that kind."""
        smoothing, sides = KINDS[kind]
        return Loss("non-saturating", self.alpha if smoothing is None else smoothing, sides)


SHORT = {"num_rounds": 20}
THOROUGH = {"seeds": 20}


def advice(figures: Figures, settings: Settings) -> str:
    """Say whether to soften, which side, and what to do with a temperature."""
    behind, pull = figures["left-behind"], figures.get("pull")
    slower = (
        "and the generator of the toy stayed behind by" if not behind.agrees else "though the toy shows only"
    )
    flattened = ""
    if pull is not None:
        flattened = (
            "Two-sided labels flatten the discriminator where there are many generated images and little "
            f"data: the pull there falls to {pull.value:.2f} of what hard labels give, {slower} "
            f"{amount(behind.value, behind.error)} standard deviations. "
        )
    lesson_left = figures["live-lesson-two-sided"].value
    return (
        "Soft labels do not keep a lesson alive for its own sake: they pull a logit that is too large back, "
        f"and at its optimum the lesson is 0 again (a strong live D is left with {lesson_left:.2g}). Soften "
        f"the real side alone if at all. {flattened}A temperature is a smaller "
        "last layer with a smaller rate and nothing else, unless a penalty or a constraint looks at the "
        "logit itself: then change its weight instead."
    )
