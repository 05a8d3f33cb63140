"""The slope of the output activation: in real numbers, and in floating point."""

from typing import final

from pydantic import Field

from ganzfeld.lab.experiments.bounded_output import theory
from ganzfeld.lab.language import say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = (
    "tanh has a gradient at every finite input, so that every pixel can still be corrected; clip has none "
    "outside [-1, 1], and clipped pixels stick."
)

CLAIM_ZH = (
    "tanh 在任何有限输入处的梯度都不为零，极端的像素仍可被缓慢修正；"
    "而硬裁剪 clip 在 [-1, 1] 之外梯度精确为零，被裁剪的像素会“卡”住。"
)

SECTION = "激活函数：塑造信号与梯度 / 生成器输出层：tanh 实现有界且可微的输出"

SENTENCES = {
    "tanh": Sentence(
        "The gradient of tanh is not zero at any finite input.",
        "对于任何有限的 a 值，它都不为零。",
    ),
    "clip": Sentence(
        "The gradient of clip is exactly zero outside [-1, 1].",
        "对于 clip 函数，当 |a| > 1 时，其输出为常数 ±1，因此导数精确地为零。",
    ),
    "corrected": Sentence(
        "A weak gradient still flows back through tanh, so that an extreme pixel can be corrected slowly.",
        "一个微弱但存在的梯度信号仍然可以流回网络，使其有机会进行缓慢的修正。",
    ),
    "stuck": Sentence(
        "A clipped pixel is stuck at the largest or smallest value and cannot be corrected.",
        "这个像素就“卡”在了最大或最小值，无法被纠正。",
    ),
    "colour": Sentence(
        "So tanh gives images of truer colour and with fewer artefacts.",
        "从而产生色彩保真度更高、伪影更少的图像。",
    ),
}

SHORT = {"pixels": 101, "steps": 100}
THOROUGH = {"pixels": 10_001}


@final
class Settings(Section):
    """``reach``: inputs from -reach to reach are measured. ``pixels``: saturated pixels, which are pulled to
    ``target`` by ``steps`` steps of gradient descent of size ``rate``.
    """

    reach: float = Field(default=12.0, gt=1, le=19)
    pixels: int = Field(default=1_001, ge=11, le=1_000_000)
    target: float = Field(default=0.0, ge=-0.9, le=0.9)
    steps: int = Field(default=1_000, ge=1, le=100_000)
    rate: float = Field(default=1.0, gt=0, le=10)


def advice(figures: Figures, settings: Settings) -> str:
    """Say in which precision to keep the output activation, and how final clipping is."""
    ends = [
        say("{end:.2f} in {name}", end=figures[f"tanh-end-{name}"].value, name=name)
        for name in theory.PRECISIONS
    ]
    bfloat16, float32 = (100 * figures[f"tanh-dead-{name}"].value for name in ("bfloat16", "float32"))
    return together(
        [
            say(
                "Keep the output activation in float32 under mixed precision, as this package does: the"
                " gradient of tanh is exactly 0 from abs(a) = {ends}.",
                ends=together(ends, ", "),
            ),
            say(
                "In the run measured here {bfloat16:.2g} % of all pixel values would have no gradient in"
                " bfloat16; in float32 {float32:.2g} % have none.",
                bfloat16=bfloat16,
                float32=float32,
            ),
            say(
                "Clipping is less final than it looks: {freed:.0f} % of the pixels that were clipped"
                " became free again, since weights are shared and other pixels move them. A pixel sticks"
                " only if every pixel that shares its weights is saturated too.",
                freed=100 * figures["clip-freed"].value,
            ),
        ]
    )
