"""The error of the variance of a small batch, of numbers and of maps."""

from typing import final

from pydantic import Field, field_validator

from ganzfeld.errors import UsageError
from ganzfeld.lab.language import say, together
from ganzfeld.lab.outcome import Figures, Sentence, numbered
from ganzfeld.recipes.schema import Section

CLAIM = (
    "The relative squared error of the variance of a batch is 2/(B-1), which is large for small batches; "
    "instance normalisation takes its statistics within each image and so does not depend on B."
)

CLAIM_ZH = (
    "批内方差的期望平方相对误差为 2/(B-1)，批量小时非常大；"
    "实例归一化在每个样本内部计算统计量，因此完全不依赖于 B。"
)

SECTION = "归一化层：稳定深度对抗系统 / 生成器中的批量归一化"

SENTENCES = {
    "error": Sentence(
        "The expected relative squared error of the sample variance of a batch is 2/(B-1).",
        "其无偏样本方差 S² 的期望平方相对误差可以被推导为 2/(B-1)。",
    ),
    "normalised": Sentence(
        "Batch normalisation divides by this S^2, and so its noise is 2/(B-1).",
        "在 BN 中，激活值被 √(S²+ε) 归一化，这种不稳定性会作为噪声注入到网络中",
    ),
    "instance": Sentence(
        (
            "Instance normalisation takes its statistics within each image: it does not depend on B "
            "and avoids the noise of small batches."
        ),
        "它的计算完全独立于批量大小 B，从而避免了小批量带来的噪声问题",
    ),
}

SHORT = {"draws": 20_000}
THOROUGH = {"draws": 1_000_000}


@final
class Settings(Section):
    """``batch``: images per batch, measured beside 2, 4, 16 and 64. ``draws`` of the Monte Carlo, fewer for
    large batches.

    ``side``: height and width of the maps on the bench, in pixels. ``reach`` of their correlation,
    exp(-distance/reach), in pixels; 0 for white noise.
    """

    batch: int = 8
    draws: int = Field(default=200_000, ge=1_000, le=2_000_000)
    side: int = Field(default=6, ge=2, le=16)
    reach: float = Field(default=2.0, ge=0, le=1_000)

    @field_validator("batch")
    @classmethod
    def _has_a_variance(cls, batch: int) -> int:
        if not 2 <= batch <= 256:
            raise UsageError(f"batch is from 2 to 256, not {batch}: a single number has no variance")
        return batch


def advice(figures: Figures, settings: Settings) -> str:
    """Say what to expect of batch norm in small batches, and what the alternatives cost."""
    two = figures["biased-b2"].value
    layers = [figure.value for figure in numbered(figures, "error-b2-layer")]
    erased = [figure.value for figure in numbered(figures, "erased-layer")]
    changes = {size: figures.get(f"company-b{size}") for size in (2, 64)}
    by_batch = [
        say(
            "With {size} images per batch, an image changes by {change:.0f} % of the spread between images "
            "when the rest of its batch changes.",
            size=size,
            change=100 * change.value,
        )
        for size, change in changes.items()
        if change is not None
    ]
    noise = say(
        "Do not read 2/(B-1) as the noise of a convolutional batch norm: it divides by the biased variance, "
        "whose error at B = 2 is {two:.2f}, not 2, and its statistics pool the positions of all maps. At "
        "B = 2 the layers here had errors from {low:.2g} to {high:.2g}: far below 2, and far above the error "
        "of as many independent Gaussian numbers, because positions are correlated and because values have "
        "heavy tails.",
        two=two,
        low=min(layers),
        high=max(layers),
    )
    instance = say(
        "Instance norm does not depend on the batch, but it is noisy itself on small maps, cannot be used at "
        "1x1, and removes the brightness and contrast of each map: up to {erased:.2g} % of the variance of a "
        "layer here. Where batches must be small, group or layer normalisation keeps more.",
        erased=100 * max(erased),
    )
    return together([noise, *by_batch, instance])
