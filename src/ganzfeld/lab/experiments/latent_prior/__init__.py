"""What the prior of the latent does to the first maps, and what a normalisation leaves of that."""

from typing import final

from pydantic import Field

from ganzfeld.lab.language import Phrase, say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = (
    "N(0, I) has variance 1 and heavy tails, and U(-1, 1) has variance 1/3, so normal latents make larger "
    "pre-activations: at the start more variety, and more risk of saturation."
)

CLAIM_ZH = (
    "N(0, I) 每个分量的方差为 1，且具有“重尾”；U(-1, 1) 的方差为 1/3。"
    "因此高斯隐向量使生成器初始前激活值的方差更大："
    "初始多样性更高，饱和风险也更高。"
)

SECTION = "隐空间 / 隐分布的选择：均匀分布 vs. 高斯分布"

SENTENCES = {
    "variance": Sentence(
        "Every component of N(0, I) has variance 1, of U(-1, 1) it has 1/3.",
        "标准正态分布的每个分量的方差为 1……而 [-1, 1] 上的均匀分布，其方差为 1/3",
    ),
    "tails": Sentence(
        "A normal distribution is unbounded, that is, heavy-tailed.",
        "其支撑集是无界的（即具有“重尾”）",
    ),
    "preactivation": Sentence(
        "Gaussian latents give the activations inside the generator a larger variance.",
        "使用高斯分布作为输入会导致生成器内部激活值具有更大的方差。",
    ),
    "variety": Sentence(
        "The larger variance means that the first images are more diverse.",
        "更大的激活值方差意味着初始生成的样本在特征空间中更分散，可能表现出更丰富的多样性",
    ),
    "saturation": Sentence(
        "It also means that values are more likely to fall into the saturated region of tanh.",
        "更大的激活值方差也意味着，这些值更有可能落入 tanh 等饱和激活函数的饱和区域。",
    ),
}

SHORT = {"latents": 64, "networks": 12, "width": 4, "draws": 4_000}
THOROUGH = {"networks": 64, "latents": 512, "draws": 200_000}


@final
class Settings(Section):
    """``latent_size``: components of a latent. ``networks``: untrained generators (32 px) that are measured,
    with ``width`` channels next to the image, each on ``latents`` latents. ``threshold``: the t of
    P(abs(a) > t) at the projection. ``draws``: latents whose components and norms are measured; fewer if they
    have many components.
    """

    latent_size: int = Field(default=100, ge=2, le=4_096)
    threshold: float = Field(default=0.4, gt=0, le=100)
    width: int = Field(default=16, ge=2, le=128)
    networks: int = Field(default=16, ge=2, le=200)
    latents: int = Field(default=128, ge=16, le=8_192)
    draws: int = Field(default=40_000, ge=1_000, le=1_000_000)


def advice(figures: Figures, settings: Settings) -> Phrase:
    """Say when the prior matters, and how to interpolate."""
    return together(
        [
            say(
                "With a normalisation after the projection the prior does not change the scale: three times "
                "the variance before the first batch norm is {behind:.3f} times after it.",
                behind=figures["behind-norm-ratio"].value,
            ),
            say(
                "Only a generator without normalisation is affected, and there it depends on the initial "
                "weights: with the usual ones tanh is far from saturation with either prior, but with "
                "weights that keep the scale of the maps its mean slope is {normal:.2f} with normal and "
                "{uniform:.2f} with uniform latents: then take a smaller gain, or uniform latents.",
                normal=figures["slope-100-normal"].value,
                uniform=figures["slope-100-uniform"].value,
            ),
            say(
                "A normal vector is not heavy-tailed: its norm lies within a few per cent of sqrt(n). So "
                "interpolate between latents by slerp: half-way, lerp leaves {lerp:.0f} % of the spread that "
                "the images have at the ends, slerp {slerp:.0f} %.",
                lerp=100 * figures["middle-spread-lerp"].value,
                slerp=100 * figures["middle-spread-slerp"].value,
            ),
        ]
    )
