"""The cells of the table of ablations: each changes one thing of another cell, in most cases of the base."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError
from ganzfeld.recipes import Recipe, resolve

BASE = "base"
IMAGES = 60_000
SEEDS = 5


@dataclass(frozen=True)
class Conditions:
    """What all runs of a table share: how many images they see, and where these are (None: the
    built-in faces). ``num_measured`` images are generated at the end, and compared with as many real ones if
    there are as many.
    """

    images: int = IMAGES
    data: str | None = None
    num_measured: int = 1000


@dataclass(frozen=True)
class Cell:
    """One cell: ``settings`` of the recipe, and ``change``, the name of a change that no setting makes.

    ``against`` is the cell that it is compared with and differs from in one thing. ``name`` and ``name_zh``
    say what is changed.
    """

    key: str
    group: str
    name: str
    name_zh: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    change: str = ""
    against: str = BASE

    @property
    def recipe(self) -> Recipe:
        """The recipe of its runs."""
        return resolve("seed", {**BASE_SETTINGS, **self.settings})


BASE_SETTINGS: Mapping[str, Any] = {
    "size": 32,
    "batch": 16,
    "generator.width": 32,
    "discriminator.width": 32,
}

GROUPS: Mapping[str, tuple[str, str]] = {
    "base": ("Base", "基准"),
    "activation": ("Hidden activations", "隐藏层激活函数"),
    "output": ("Output of the generator", "生成器的输出激活"),
    "generator-norm": (
        "Normalisation of the generator, and size of the batch",
        "生成器的归一化与批量大小",
    ),
    "discriminator-norm": (
        "Normalisation of the discriminator, with separate and with mixed batches",
        "判别器的归一化：真假分批与混合批次",
    ),
    "labels": ("Labels", "标签"),
    "prior": ("Prior", "先验"),
    "loss": ("Loss", "损失函数"),
    "upsampling": ("Upsampling in the generator", "生成器的上采样"),
    "downsampling": ("Downsampling in the discriminator", "判别器的下采样"),
    "optimizer": ("Optimiser of both networks", "两个网络的优化器"),
    "before": ("Before DCGAN", "DCGAN 之前"),
}
"""The groups of the table in their order, each with its title in English and in Chinese."""


def _batch_cells() -> list[Cell]:
    """Return every normalisation of the generator at three sizes of the batch, each against batch norm at
    that size; batch norm against the base.
    """
    of_size = {4: "batch-4", 16: BASE, 64: "batch-64"}
    cells = [
        Cell(
            f"batch-{size}",
            "generator-norm",
            f"batch norm, batches of {size}",
            f"批量归一化，批量 {size}",
            {"batch": size},
        )
        for size in (4, 8, 64)
    ]
    kinds = {"none": ("none", "无归一化"), "layer": ("layer norm", "层归一化")}
    kinds |= {"instance": ("instance norm", "实例归一化")}
    return cells + [
        Cell(
            f"g-{kind}-batch-{size}",
            "generator-norm",
            f"{name}, batches of {size}",
            f"{name_zh}，批量 {size}",
            {"generator.normalisation": kind, "batch": size},
            against=other,
        )
        for kind, (name, name_zh) in kinds.items()
        for size, other in of_size.items()
    ]


def _discriminator_cells() -> list[Cell]:
    group = "discriminator-norm"
    norm = "discriminator.normalisation"
    return [
        Cell(
            "d-batch-separate", group, "batch norm, separate batches", "批量归一化，真假分批", {norm: "batch"}
        ),
        Cell(
            "d-batch-mixed",
            group,
            "batch norm, mixed batches (1:1)",
            "批量归一化，混合批次（1:1）",
            {norm: "batch"},
            "mixed-batches",
            "d-batch-separate",
        ),
        Cell("d-instance", group, "instance norm", "实例归一化", {norm: "instance"}),
        Cell("d-layer", group, "layer norm", "层归一化", {norm: "layer"}),
        Cell("d-group", group, "group norm", "组归一化", {norm: "group"}),
        Cell("d-spectral", group, "spectral norm", "谱归一化", {norm: "spectral"}),
    ]


def _loss_cells() -> list[Cell]:
    """Return every other loss with hard labels, since some take no others."""
    hard = {"loss.smoothing": 0.0}
    names = {
        "minimax": ("minimax (zero-sum)", "极小极大（零和）"),
        "least-squares": ("least squares", "最小二乘"),
        "hinge": ("hinge", "合页"),
        "relativistic-pairing": ("relativistic pairing", "相对配对"),
        "wasserstein": ("Wasserstein, without a penalty", "Wasserstein，无惩罚"),
    }
    cells = [
        Cell(
            f"loss-{loss}",
            "loss",
            f"{name}, hard labels",
            f"{name_zh}，硬标签",
            hard | {"loss.name": loss},
            against="labels-hard",
        )
        for loss, (name, name_zh) in names.items()
    ]
    penalised = hard | {"loss.name": "wasserstein", "stabilisers": [{"name": "wgan-gp"}]}
    return [
        *cells,
        Cell(
            "loss-wasserstein-gp",
            "loss",
            "Wasserstein with the penalty of WGAN-GP",
            "Wasserstein，加 WGAN-GP 惩罚",
            penalised,
            against="loss-wasserstein",
        ),
    ]


def _of_both(setting: str, value: Any) -> dict[str, Any]:
    """Return the same setting of the optimizers of both networks."""
    return {f"{network}.optimizer.{setting}": value for network in ("generator", "discriminator")}


CELLS: Sequence[Cell] = (
    Cell(BASE, "base", "the chapter's recommendations", "教材的建议"),
    Cell(
        "g-relu", "activation", "ReLU in the generator", "生成器用 ReLU", {"generator.activation": "relu"}
    ),
    Cell(
        "d-relu",
        "activation",
        "ReLU in the discriminator",
        "判别器用 ReLU",
        {"discriminator.activation": "relu"},
    ),
    Cell(
        "both-relu",
        "activation",
        "ReLU in both, against ReLU in the generator",
        "两者都用 ReLU（与仅生成器用 ReLU 比）",
        {"generator.activation": "relu", "discriminator.activation": "relu"},
        against="g-relu",
    ),
    Cell("clip", "output", "clip", "截断（clip）", {"generator.output": "clip"}),
    *_batch_cells(),
    *_discriminator_cells(),
    Cell("labels-hard", "labels", "hard labels", "硬标签", {"loss.smoothing": 0.0}),
    Cell("labels-one-sided", "labels", "one-sided, 0.1", "单侧平滑 0.1", {"loss.smooth_sides": 1}),
    Cell("labels-softer", "labels", "two-sided, 0.3", "双侧平滑 0.3", {"loss.smoothing": 0.3}),
    Cell("temperature-4", "labels", "temperature 4", "温度 4", {"loss.temperature": 4.0}),
    Cell("prior-uniform", "prior", "uniform on [-1, 1]", "[-1, 1] 上的均匀分布", {"latent.prior": "uniform"}),
    Cell("prior-sphere", "prior", "uniform on the sphere", "球面上的均匀分布", {"latent.prior": "sphere"}),
    *_loss_cells(),
    Cell("up-nearest", "upsampling", "nearest, then 3x3", "最近邻，再 3x3 卷积", change="nearest"),
    Cell("up-bilinear", "upsampling", "bilinear, then 3x3", "双线性插值，再 3x3 卷积", change="bilinear"),
    Cell(
        "up-pixel-shuffle",
        "upsampling",
        "3x3, then pixel shuffle, ICNR",
        "3x3 卷积，再像素重排，ICNR 初始化",
        change="pixel-shuffle",
    ),
    Cell("up-kernel-5", "upsampling", "transposed, k=5 s=2", "转置卷积，k=5 s=2", change="kernel-5"),
    Cell("up-kernel-2", "upsampling", "transposed, k=2 s=2", "转置卷积，k=2 s=2", change="kernel-2"),
    Cell(
        "down-average", "downsampling", "average pooling", "平均池化", change="average-pooling"
    ),
    Cell("down-maximum", "downsampling", "maximum pooling", "最大池化", change="maximum-pooling"),
    Cell(
        "adam-beta-0.9",
        "optimizer",
        "Adam with beta1 = 0.9 (base: 0.5)",
        "Adam，beta1 = 0.9（基准为 0.5）",
        _of_both("betas", (0.9, 0.999)),
    ),
    Cell(
        "adam-rate-0.001",
        "optimizer",
        "learning rate 0.001 (base: 0.0002)",
        "学习率 0.001（基准为 0.0002）",
        _of_both("lr", 0.001),
    ),
    Cell(
        "fully-connected",
        "before",
        "fully connected networks, two hidden layers of 256",
        "全连接网络，两个 256 维隐藏层",
        change="fully-connected",
    ),
)  # fmt: skip
"""All cells, those of a group together, each after the cell that it is compared with or in another group."""

FIRST: Sequence[str] = (
    BASE,
    *("g-none-batch-16", "g-layer-batch-16", "g-instance-batch-16"),
    *("d-batch-separate", "d-batch-mixed"),
    *("g-relu", "d-relu"),
    *("adam-beta-0.9", "labels-hard", "prior-uniform", "loss-minimax", "up-nearest", "fully-connected"),
)
"""The cells whose runs are made first, all seeds of them, each after the cell that it is compared with: the
recommendations of the chapter by themselves. An incomplete table then has whole rows on these.
"""

BY_KEY: Mapping[str, Cell] = {cell.key: cell for cell in CELLS}


def chosen_cells(keys: Sequence[str]) -> list[Cell]:
    """Return the cells of these keys, or all without any, with those that they are compared with.

    Raises ``UsageError`` for an unknown key.
    """
    for key in keys:
        if key not in BY_KEY:
            raise UsageError(f"unknown cell {key!r}", did_you_mean(key, BY_KEY))
    wanted = set(keys or BY_KEY)
    while missing := {BY_KEY[key].against for key in wanted} - wanted:
        wanted |= missing
    return [cell for cell in CELLS if cell.key in wanted]
