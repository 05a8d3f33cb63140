"""Downsampling by strided convolutions: sizes, receptive fields, pixels that are lost, and pooling."""

from typing import final

from pydantic import Field, field_validator, model_validator

from ganzfeld.errors import UsageError
from ganzfeld.lab.experiments.downsampling import theory
from ganzfeld.lab.experiments.downsampling.downsamplers import KINDS
from ganzfeld.lab.language import say, together
from ganzfeld.lab.outcome import Figures, Sentence
from ganzfeld.recipes.schema import Section

CLAIM = (
    "A discriminator shrinks images by strided convolutions instead of pooling: N becomes"
    " floor((N+2p-k)/s)+1, as in 96, 32, 16, 8, 3, then one linear layer gives a logit; so it learns its own"
    " downsampling and keeps more of the useful spatial information."
)

CLAIM_ZH = (
    "判别器用步长卷积代替池化来缩小图像：N 变为 floor((N+2p-k)/s)+1，例如 96、32、16、8、3，"
    "展平后由一个全连接层给出对数几率；这样网络学习自己的降采样方式，从而保留更多有用的空间信息。"
)

SECTION = "DCGAN 的核心架构原则：判别器，从图像空间到概率得分"

SENTENCES = {
    "size": Sentence(
        "A convolution takes N to floor((N+2p-k)/s)+1.",
        "N_out = ⌊(N_in + 2p - k) / s⌋ + 1",
    ),
    "example": Sentence(
        "Strided layers shrink 96 x 96 to 32, 16, 8 and 3.",
        "例如从 96×96 降至 32×32，再到 16×16、8×8，最后可能得到一个如 3×3 的小特征图。",
    ),
    "logit": Sentence(
        "The last map is flattened, and one linear layer gives a single logit of the whole image.",
        (
            "这个最终的特征图随后被展平（Flatten）为一个长向量，并输入到一个全连接层，"
            "最终产生一个单一的对数几率（logit），用以判断图像的真伪。"
        ),
    ),
    "information": Sentence(
        (
            "With strides in place of pooling the network learns its own downsampling and keeps more "
            "useful spatial information."
        ),
        "这种设计使得网络能够学习自己的空间降采样方式，从而保留更多有用的空间信息。",
    ),
}

SHORT = {"steps": 2, "seeds": 2, "images": 64}
THOROUGH = {"steps": 400, "seeds": 8, "images": 4096}

TASKS = {
    "telling": say("loss on new images, real or generated"),
    "shift": say("error of a shift, px"),
    "lost": say("share of small images that a probe of the features cannot predict"),
}
"""What strides and pooling are compared in: the key in figures, and the words for people; less is better.
The first two are tasks that they are trained on. The third asks for the information that the features of a
discriminator keep which was trained on the first.
"""


@final
class Settings(Section):
    """``size`` of the images, px. ``layers``: (kernel, stride, padding) of each, the one at the image first.

    ``steps`` and ``seeds`` of the comparison with pooling; to tell real from generated, half as many steps.
    ``images``: how many a generator sees that is trained against a discriminator that loses pixels.
    """

    size: int = Field(default=96, ge=1, le=4096)
    layers: tuple[theory.Form, ...] = ((3, 3, 0), (4, 2, 1), (4, 2, 1), (4, 2, 0))
    steps: int = Field(default=100, ge=1, le=100_000)
    seeds: int = Field(default=3, ge=2, le=100)
    images: int = Field(default=1024, ge=1, le=10_000_000)

    @field_validator("layers")
    @classmethod
    def _not_none(cls, layers: tuple[theory.Form, ...]) -> tuple[theory.Form, ...]:
        if not layers:
            raise UsageError("layers must hold at least one layer", "For example layers=[[4, 2, 1]].")
        return layers

    @model_validator(mode="after")
    def _leaves_an_output(self) -> "Settings":
        theory.sizes(self.size, self.layers)
        return self


def advice(figures: Figures, settings: Settings) -> str:
    """Say which sizes and kernels to choose, and where pooling did better."""
    lost, unread = figures.get("unread-last-layer"), figures.get("blind-unread")
    parts = [
        say(
            "Choose sizes at which the stride divides N + 2p - k in every layer, and no kernel below the"
            " stride; ganzfeld plan makes only such ladders."
        )
    ]
    if lost is not None and lost.value:
        parts.append(
            say(
                "With another last layer the same ladder loses {lost:.0f} rows of pixels at the border.",
                lost=lost.value,
            )
        )
    if unread is not None and unread.value:
        parts.append(
            say(
                "G gets no gradient where D does not read ({share:.0%} of the pixels in the example), and"
                " learns nothing there.",
                share=unread.value,
            )
        )
    better = [
        say("{task} ({kind})", task=words, kind=KINDS[key].name)
        for task, words in TASKS.items()
        for key in list(KINDS)[1:]
        if figures[f"{task}-{key}-better"].departs
    ]
    parts.append(
        say("Pooling did better here at: {tasks}.", tasks=together(better, "; "))
        if better
        else say("Pooling did better at nothing here.")
    )
    parts.append(say("At equal parameters pooling costs the square of the stride in multiplications."))
    return together(parts)
