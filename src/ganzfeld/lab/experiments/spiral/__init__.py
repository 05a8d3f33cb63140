"""Rotation in training: the eigenvalues of the linearised game, and the effect of the step size.

The games are played by ``ganzfeld.lab.game``.
"""

from typing import Any, final

from pydantic import Field

from ganzfeld.errors import UsageError
from ganzfeld.lab.language import Phrase, say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = "Near its rest point a GAN rotates: its linearised game has complex eigenvalues, so training spirals."
CLAIM_ZH = "在平衡点附近线性化后的博弈具有一对共轭复特征值，训练呈螺旋式振荡：振荡是 GAN 训练固有的倾向。"
SECTION = "训练动态与损失函数：极小极大优化的挑战：振荡"

SENTENCES = {
    "eigenvalues": Sentence(
        (
            "Over a wide range of parameters the eigenvalues of the linearised game are a pair of "
            "complex conjugates."
        ),
        "在很宽的参数范围内，该雅可比矩阵的特征值是一对共轭复数。",
    ),
    "frequency": Sentence(
        "The angular frequency of the oscillation is omega = sqrt(4 - (lg - ld)^2) / 2.",
        "振荡的角频率 ω 可以被精确推导出来，例如 ω = √(4 - (λ_g - λ_d)²) / 2",
    ),
    "stable": Sentence("This is a stable spiral point.", "这对应于一个稳定的螺旋点"),
    "spirals": Sentence(
        "Parameters circle the rest point while they converge to it.",
        "意味着参数在收敛到平衡点的过程中会围绕它进行螺旋式振荡。",
    ),
    "inherent": Sentence(
        "Oscillation is an inherent tendency of GAN training, not an accident of numerics.",
        "振荡是 GAN 训练固有的倾向，而非偶然的数值问题。",
    ),
}


@final
class Settings(Section):
    """``lg`` and ``ld``: the weight decays of generator and discriminator. ``step``: the step size h.
    ``strength`` of the consensus term. ``beta``: the momentum, as Adam's first beta. ``cells`` of the map of
    convergence along each axis. ``fan``: number of step sizes that are tried around a predicted limit; an
    even number leaves out the limit itself.
    """

    lg: float = Field(default=0.1, ge=0, le=10)
    ld: float = Field(default=0.5, ge=0, le=10)
    step: float = 0.2
    strength: float = 1.0
    beta: float = Field(default=0.5, ge=0, lt=1)
    cells: int = Field(default=6, ge=2, le=20)
    fan: int = Field(default=12, ge=4, le=100, multiple_of=2)

    def model_post_init(self, context: Any) -> None:
        """Raise ``UsageError`` for a step or strength out of range."""
        for name in ("step", "strength"):
            if not 0 < getattr(self, name) <= 10:
                raise UsageError(
                    f"{name} is above 0 and at most 10, not {getattr(self, name)}",
                    "In one unit of time the game turns by one radian.",
                )


SHORT = {"cells": 2, "fan": 4}
THOROUGH = {"cells": 10, "fan": 40}


def advice(figures: Figures, settings: Settings) -> Phrase:
    """Say what to do about rotation."""
    parts = [
        say(
            "Rotation itself does no harm; what matters is whether the steps turn it inwards or outwards. "
            "Without damping, simultaneous steps always spiral outwards (here by a factor of {factor:.3f} "
            "per step): alternate the updates, as the trainer does, and give the discriminator R1, which is "
            "the damping ld of this game.",
            factor=figures["undamped-factor"].value,
        ),
        say("Momentum makes an undamped rotation slower and its growth faster: keep Adam's first beta low."),
        say(
            "Adam with a constant learning rate does not come to rest but circles at a distance proportional "
            "to its rate, so let the rate fall or average the weights."
        ),
    ]
    if chance := figures.get("rhythm-chance"):
        parts.append(
            say(
                "Noise with the same autocorrelation shows as strong a rhythm as the logits of this run with "
                "probability {chance:.2f}.",
                chance=chance.value,
            )
        )
    return together(parts)
