"""What a batch norm does in training: to covariate shift, to the surface of the loss, and to speed."""

from typing import final

from pydantic import Field

from ganzfeld.lab.language import Phrase, say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = (
    "By standardising the inputs of every layer, normalisation reduces internal covariate shift and makes "
    "the surface of the loss smoother, and so accelerates and stabilises training."
)
CLAIM_ZH = (
    "归一化层通过标准化每一层的输入，起到了减少“内部协变量偏移”和使损失曲面更平滑的作用，从而加速和稳定训练。"
)
SECTION = "归一化层：稳定深度对抗系统"

SENTENCES = {
    "inputs": Sentence(
        "Standardising the inputs of every layer keeps their distributions from moving.",
        "通过标准化每一层的输入，起到了减少“内部协变量偏移”...的作用",
    ),
    "shift": Sentence(
        "So what a layer has to learn moves less as the layers below it learn (internal covariate shift).",
        "减少“内部协变量偏移”（Internal Covariate Shift）",
    ),
    "smooth": Sentence(
        "It makes the surface of the loss smoother.",
        "使损失曲面更平滑",
    ),
    "faster": Sentence("So it accelerates training.", "从而加速...训练"),
    "steadier": Sentence("And it stabilises training, at large learning rates too.", "稳定训练"),
}

SIDES = ("generator", "discriminator")
NORMS = ("batch", "none")

SHORT = {"replicas": 2, "steps": 6, "batch": 4}
THOROUGH = {"replicas": 24, "steps": 60}


@final
class Settings(Section):
    """``replicas``: pairs of toy networks, each trained with and without norms. ``steps`` of their training;
    new networks learn for half as many. ``batch``: images per batch. ``rate``: learning rate of Adam.
    ``deviation``: standard deviation of maps before a norm, on the bench of one layer.
    """

    replicas: int = Field(default=8, ge=2, le=100)
    steps: int = Field(default=30, ge=4, le=2_000)
    batch: int = Field(default=16, ge=2, le=256)
    rate: float = Field(default=2e-3, ge=1e-5, le=1e-2)
    deviation: float = Field(default=0.3, ge=1e-2, le=100)


def advice(figures: Figures, settings: Settings) -> Phrase:
    """Say what a batch norm is good for, and what its reasons are worth."""

    def factor(key: str) -> float:
        return 10 ** figures[key].value

    return together(
        [
            say(
                "Batch norm keeps the statistics of a layer's inputs in place: they drift {g:.2g} times as "
                "much in the generator and {d:.2g} times as much in the discriminator as without it. But "
                "what a layer has to learn moves {shift_g:.2g} and {shift_d:.2g} times as much.",
                g=factor("drift-generator"),
                d=factor("drift-discriminator"),
                shift_g=factor("shift-generator"),
                shift_d=factor("shift-discriminator"),
            ),
            say(
                "Smoothness by itself is no reason for a norm, since it depends on the scale of the weights: "
                "halving the weights before a norm leaves the function and makes beta {halved:.2g} times as "
                "large, and on maps of deviation {deviation:g} a norm makes gradients {enlarged:.2g} times "
                "as large. Adam divides the scale out; what counts for it is how far the gradient turns in "
                "a step: {g:.2g} times as far in the generator with a norm, {d:.2g} times in the "
                "discriminator.",
                halved=figures["beta-halved"].value,
                deviation=settings.deviation,
                enlarged=figures["gradient-enlarged"].value,
                g=factor("unpredicted-generator"),
                d=factor("unpredicted-discriminator"),
            ),
            say(
                "Compare networks at the best learning rate of each: a norm is often credited with what a "
                "larger rate, or initial weights that keep the scale of the maps, do as well."
            ),
        ]
    )
