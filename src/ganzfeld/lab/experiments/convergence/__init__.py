"""Which methods come to rest: every loss, penalty and order of updates on the smallest game.

The games are played by ``ganzfeld.lab.game``; ``ganzfeld lab play`` writes a page on which they can be tried.
"""

from typing import final

from pydantic import Field

from ganzfeld.lab.language import say
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = (
    "Near its rest point a GAN without a penalty does not converge by gradient steps, whatever its loss. "
    "R1 and R2 make it converge; WGAN-GP does not."
)
CLAIM_ZH = (
    "在平衡点附近，不加惩罚的 GAN 无论用哪种损失，梯度更新都不会收敛；R1 和 R2 使之收敛，WGAN-GP 则不能。"
)
SECTION = "训练动态与损失函数：极小极大优化的挑战：振荡"

SENTENCES = {
    "no-rate": Sentence(
        "Without a penalty, near rest, an alternating round keeps the distance from rest, and a simultaneous "
        "round enlarges it.",
        "不加惩罚时，在平衡点附近，交替更新保持到平衡点的距离，同时更新使之变大。",
    ),
    "keeps-distance": Sentence(
        "So without a penalty no alternating game comes nearer to rest, whatever its loss.",
        "因此不加惩罚时，无论用哪种损失，交替更新的博弈都不会靠近平衡点。",
    ),
    "steps-of-d": Sentence(
        "More steps of D per step of G do not change that.",
        "增加判别器的更新次数也不改变这一点。",
    ),
    "momentum": Sentence(
        "Positive momentum makes alternating rounds grow; negative momentum makes them converge.",
        "正动量使交替更新逐轮放大，负动量使之收敛。",
    ),
    "penalties": Sentence("With R1 or R2 every loss converges.", "加上 R1 或 R2，每种损失都收敛。"),
    "wgan-gp": Sentence(
        "With the penalty of WGAN-GP the Wasserstein game does not come to rest.",
        "加上 WGAN-GP 的惩罚，Wasserstein 博弈不会停下来。",
    ),
}


@final
class Settings(Section):
    """``step``: the step size h. ``weight``: that of the penalties. ``rounds``: the length of the games.
    ``steps_of_d``: steps of D per step of G where these are more than one. ``momentum``: its size, of both
    signs.
    """

    step: float = Field(default=0.1, ge=0.01, le=1)
    weight: float = Field(default=1.0, ge=0.01, le=1000)
    rounds: int = Field(default=200, ge=50, le=20_000)
    steps_of_d: int = Field(default=5, ge=2, le=20)
    momentum: float = Field(default=0.5, ge=0.05, le=0.9)


SHORT = {"rounds": 60}
THOROUGH = {"rounds": 3000}


def advice(figures: Figures, settings: Settings) -> str:
    """Say what to do so that a game comes to rest."""
    return say(
        "Give the discriminator R1 or R2 and alternate the updates: here {rounds} rounds leave {left:.2g} of "
        "the distance from rest, and {kept:.2g} without a penalty (minimax). The weight of R1 has an upper "
        "limit: times the step size it must stay below {limit:.3g}. WGAN-GP holds the slope of D at 1, which "
        "is not its slope at rest, so its game circles: average the weights, or let the rate fall. The "
        "non-saturating loss and least squares creep towards rest by themselves, but the distance falls only "
        "as the inverse square root of time. Momentum helps only if it is negative.",
        rounds=settings.rounds,
        left=figures["left-r1-non-saturating"].value,
        kept=figures["left-none-minimax"].value,
        limit=2 - settings.step**2 / 8,
    )
