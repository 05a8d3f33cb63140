"""What a discriminator with batch statistics learns from the other images of a batch."""

from typing import final

from pydantic import Field, field_validator

from ganzfeld.errors import UsageError
from ganzfeld.lab.experiments.batch_leak import theory
from ganzfeld.lab.language import Phrase, say, together
from ganzfeld.lab.outcome import Figures, Sentence
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
    "depends": Sentence(
        (
            "With batch normalisation the normalised activation of a sample depends on all other "
            "samples of its batch."
        ),
        (
            "一个真实样本的归一化激活值，现在不仅取决于它自身，"
            "还取决于同一批次中其他所有样本——包括那些伪造的样本。"
        ),
    ),
    "signal": Sentence(
        "The statistics of a batch tell the share of fakes in it.",
        "它可能发现某个特定的 μ_B 值暗示了批次中伪造样本的比例",
    ),
    "cheats": Sentence(
        "So the discriminator learns to use the statistics of the batch as a signal of real and fake.",
        "判别器就可以学会利用批次统计量 μ_B 和 σ_B² 本身作为区分真伪的信号。",
    ),
    "composition": Sentence(
        (
            "Where the share of fakes changes from batch to batch, it decides by that share in place of the "
            "features of a single sample."
        ),
        "从而做出判断，而不是去学习区分单个样本的内在特征。",
    ),
    "others": Sentence(
        (
            "Layer and instance normalisation keep every sample independent in the discriminator, "
            "which removes the risk of a leak."
        ),
        "这些方法保持了每个样本在判别过程中的独立性，从而消除了信息泄露的风险",
    ),
}

SHORT = {"draws": 2_000, "steps": 12, "batch": 8, "replicas": 2}
THOROUGH = {"draws": 100_000, "steps": 600, "replicas": 10}

BATCHINGS = {
    "even": say("mixed 1:1"),
    "random": say("mixed at random"),
    "separate": say("separate"),
}
"""The batches that toy discriminators are taught and tested in: the key in figures, and words for people."""

NORMS = ("batch", "layer", "instance", "none")
"""The normalisations of toy discriminators."""

NETWORKS = {"as-trained": say("as it trains"), "batch-norm": say("with batch norm")}
"""The discriminators that are measured in situ: the key in their figures, and the words for people."""


@final
class Settings(Section):
    """``batch``: images per batch. ``distance`` between the means of real and fake values, in standard
    deviations. ``draws``: batches for the probe. ``steps``: training steps of discriminators of toy images.
    ``replicas`` of each of these, with weights and images of their own.
    """

    batch: int = 16
    distance: float = Field(default=1.0, gt=0, le=10)
    draws: int = Field(default=20_000, ge=500, le=1_000_000)
    steps: int = Field(default=200, ge=1, le=10_000)
    replicas: int = Field(default=5, ge=2, le=100)

    @field_validator("batch")
    @classmethod
    def _has_company(cls, batch: int) -> int:
        if not 2 <= batch <= 256:
            raise UsageError(f"batch is from 2 to 256, not {batch}: a leak is between images of one batch")
        return batch


def advice(figures: Figures, settings: Settings) -> Phrase:
    """Say which normalisation to give the discriminator."""
    parts = [
        say(
            "Give the discriminator no statistics across images: without a norm, and with spectral, layer, "
            "group or instance norm, no logit depends on another image at all."
        )
    ]
    for key in NETWORKS:
        if f"probe-{key}" in figures:
            parts.append(
                say(
                    "In the live discriminator with batch norm, the statistics of its first norm alone "
                    "predict the share of fakes with R^2 = {r2:.3f}.",
                    r2=figures[f"probe-{key}"].value,
                )
            )
    parts.append(
        say(
            "Taught and tested in mixed 1:1 batches of toy images, a discriminator with batch norm "
            "classified {even:.0f} % correctly, where single images allow {best:.0f} %. In separate batches "
            "of real and of fake images, which most code uses, it classified {separate:.0f} % correctly: "
            "there every image carries the label of its batch.",
            even=100 * figures["even-batch"].value,
            best=100 * theory.BEST,
            separate=100 * figures["separate-batch"].value,
        )
    )
    return together(parts)
