"""Upsampling by transposed convolutions: sizes, projective fields, and overlap against checkerboards."""

from typing import final

from pydantic import Field, model_validator

from ganzfeld.lab.experiments.upsampling import theory
from ganzfeld.lab.experiments.upsampling.upsamplers import kinds
from ganzfeld.lab.language import say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = (
    "A transposed convolution takes H to s(H-1)+k-2p, so that k=4, s=2, p=1 doubles exactly; k>s makes the"
    " projective fields of neighbours overlap, which avoids checkerboards; stacking makes fields grow, which"
    " gives an image global coherence."
)

CLAIM_ZH = (
    "转置卷积把 H 变为 s(H-1)+k-2p，因此 k=4、s=2、p=1 恰好放大一倍；"
    "k>s 使相邻像素的投射场重叠，从而避免棋盘格伪影；"
    "逐层堆叠使投射场不断扩展，为全局一致性提供结构基础。"
)

SECTION = "DCGAN 的核心架构原则：生成器，从隐空间到图像空间"

SENTENCES = {
    "size": Sentence(
        "A transposed convolution takes H to s(H-1)+k-2p.",
        "H_out = s(H_in - 1) + k - 2p",
    ),
    "adjoint": Sentence(
        "Its effect on sizes follows from its being the adjoint of a convolution.",
        "转置卷积对空间维度的影响可以通过其与标准卷积的伴随（adjoint）关系来理解。",
    ),
    "doubles": Sentence(
        "With k=4, s=2, p=1 every layer doubles height and width exactly.",
        "每一层都能将输入特征图的空间维度（高度和宽度）精确地放大一倍。",
    ),
    "overlap": Sentence(
        "When k > s the projective fields of neighbouring inputs overlap.",
        "当 k > s 时，确保了相邻输入像素在输出层上的“投射场”（Projective Field）会发生重叠。",
    ),
    "checkerboard": Sentence(
        "This overlap avoids checkerboard artifacts.",
        "这种重叠对于生成平滑、连续的图像至关重要，能有效避免棋盘格伪影（Checkerboard Artifacts）",
    ),
    "grow": Sentence(
        (
            "Layer by layer the projective field grows, so that a single initial feature reaches "
            "ever larger regions of the image."
        ),
        "通过逐层扩展投射场，单个初始特征能够影响到最终生成图像中越来越大的区域",
    ),
    "coherence": Sentence(
        "This gives the structural basis for the global coherence of an image.",
        "从而为实现图像的全局一致性（Global Coherence）提供了结构基础。",
    ),
}

SHORT = {"networks": 3, "trainings": 2, "images": 64}
THOROUGH = {"networks": 48, "trainings": 8}


@final
class Settings(Section):
    """``kernel``, ``stride``, ``padding`` of every layer; ``size`` of the base map; number of ``layers``.

    ``networks``: untrained generators of each kind of layer. ``trainings``: runs of each kind, each over
    ``images`` images.
    """

    kernel: int = Field(default=4, ge=1, le=16)
    stride: int = Field(default=2, ge=1, le=8)
    padding: int = Field(default=1, ge=0, le=16)
    size: int = Field(default=4, ge=1, le=64)
    layers: int = Field(default=4, ge=1, le=6)
    networks: int = Field(default=12, ge=2, le=1000)
    trainings: int = Field(default=3, ge=2, le=100)
    images: int = Field(default=1024, ge=1, le=10_000_000)

    @model_validator(mode="after")
    def _leaves_an_output(self) -> "Settings":
        if self.padding >= self.kernel:
            raise ValueError(
                f"padding must be below the kernel, {self.kernel}, not {self.padding}: more removes whole"
                " projective fields at the border"
            )
        theory.sizes(self.size, self.kernel, self.stride, self.padding, self.layers)
        return self


def advice(figures: Figures, settings: Settings) -> str:
    """Say which kernels to choose, and what to do about a checkerboard."""
    parts = [
        say(
            "Let the stride divide the kernel, but do not expect that to prevent a checkerboard: even"
            " overlap prints none on average over all kernels, but a single kernel prints the differences"
            " between its phases."
        )
    ]
    if settings.stride > 1:
        compared = kinds(settings.kernel, settings.stride)
        own, without = compared[0], next(kind for kind in compared if kind.kernel == kind.stride)
        power = [10 ** figures[f"untrained-{kind.key}"].value for kind in (own, without)]
        parts.append(
            say(
                "Untrained, {own} has {power:.1f} times as much power at the harmonics of its stride as"
                " beside them, and {other}, without any overlap, {other_power:.1f} times.",
                own=own.name,
                power=power[0],
                other=without.name,
                other_power=power[1],
            )
        )
    parts.append(
        say(
            "Look at the spectrum of trained images; where the harmonics stand out, resize and convolve,"
            " or put a mean over one stride after the layer, which is zero there by construction."
        )
    )
    reached = figures["field-over-picture"].value
    if reached < 1:
        parts.append(
            say(
                "One cell of the base map reaches {reached:.0%} of the side of the image: whatever must"
                " agree across the whole image has to come through the projection of z.",
                reached=reached,
            )
        )
    return together(parts)
