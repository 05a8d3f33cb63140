"""The slope of the output activation: in real numbers, and in floating point."""

from typing import final

from pydantic import Field

from ganzfeld.lab.experiments.bounded_output import theory
from ganzfeld.lab.outcome import Figures
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
    "tanh": "tanh has a gradient at every finite input, so that every pixel can still be corrected.",
    "clip": "clip has none outside [-1, 1], and clipped pixels stick.",
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
    ends = ", ".join(f"{figures[f'tanh-end-{name}'].value:.2f} in {name}" for name in theory.PRECISIONS)
    bfloat16, float32 = (100 * figures[f"tanh-dead-{name}"].value for name in ("bfloat16", "float32"))
    freed = figures["clip-freed"].value
    return (
        "Keep the output activation in float32 under mixed precision, as this package does: the gradient of "
        f"tanh is exactly 0 from abs(a) = {ends}. In the run measured here {bfloat16:.2g} % of all pixel "
        f"values would have no gradient in bfloat16; in float32 {float32:.2g} % have none. Clipping is less "
        f"final than it looks: {100 * freed:.0f} % of the pixels that were clipped became free again, since "
        "weights are shared and other pixels move them. A pixel sticks only if every pixel that shares its "
        "weights is saturated too."
    )
