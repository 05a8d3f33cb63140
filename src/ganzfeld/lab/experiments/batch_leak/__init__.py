"""What a discriminator with statistics across the batch learns from the company an image is in."""

from typing import final

from pydantic import Field, field_validator

from ganzfeld.errors import UsageError
from ganzfeld.lab.experiments.batch_leak import theory
from ganzfeld.lab.outcome import Figures
from ganzfeld.recipes.schema import Section

CLAIM = (
    "Batch normalisation in a discriminator that is fed mixed batches lets the composition of the batch leak "
    "into the logit of every image; layer or instance normalisation, or none, does not."
)

CLAIM_ZH = (
    "判别器中的批量归一化在真伪混合的批次上会泄露批次组成信息：一个样本的输出取决于同批的其他样本；"
    "层归一化、实例归一化或不归一化则不会。"
)

SECTION = "归一化层：稳定深度对抗系统 / 判别器中批量归一化的陷阱"

SENTENCES = {
    "leaks": (
        "Batch normalisation in a discriminator that is fed mixed batches lets the composition of the batch"
        " leak into the logit of every image."
    ),
    "others": "Layer or instance normalisation, or none, does not.",
}

SHORT = {"draws": 2_000, "steps": 12, "batch": 8}
THOROUGH = {"draws": 100_000, "steps": 1_000}

NETWORKS = {"as-trained": "as it trains", "batch-norm": "with batch norm"}
"""Discriminators that are measured in situ: the key in their figures, and in words."""


@final
class Settings(Section):
    """``batch``: images in a batch. ``distance``: between the means of real and fake values, in standard
    deviations. ``draws``: batches for the probe. ``steps``: for which discriminators are trained on toys.
    """

    batch: int = 16
    distance: float = Field(default=1.0, gt=0, le=10)
    draws: int = Field(default=20_000, ge=500, le=1_000_000)
    steps: int = Field(default=250, ge=1, le=10_000)

    @field_validator("batch")
    @classmethod
    def _has_company(cls, batch: int) -> int:
        if not 2 <= batch <= 256:
            raise UsageError(f"in a batch of {batch} nothing can leak that we could measure: from 2 to 256")
        return batch


def advice(figures: Figures, settings: Settings) -> str:
    """Say which normalisation to give the discriminator."""
    apart, mixed = figures["separate-batch"].value, figures["mixed-batch"].value
    leaking = [key for key in NETWORKS if f"probe-{key}" in figures]
    moved = [figures[f"shift-{key}"].value for key in leaking]
    probe = [figures[f"probe-{key}"].value for key in leaking]
    text = (
        "Give the discriminator no statistics across images: without a norm, and with spectral, layer, "
        "group or instance norm, no logit depends on another image, exactly."
    )
    if leaking:
        text += (
            f" In the live discriminator with batch norm, the statistics of its first norm alone tell the "
            f"share of fakes with R^2 = {probe[0]:.3f}, and the logit of a real image moves by "
            f"{abs(moved[0]):.2g} times the spread of all logits as its company turns from real to fake."
        )
    if apart > theory.BEST:
        text += (
            " Separate batches of reals and of fakes are no cure: taught in them, a discriminator with batch "
            f"norm told {100 * apart:.0f} % right where single images allow {100 * theory.BEST:.0f} % at "
            f"most, by the company that each image is in, and {100 * mixed:.0f} % once the batches were "
            "mixed."
        )
    return text
