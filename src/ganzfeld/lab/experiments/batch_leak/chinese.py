"""The Chinese of ``batch-leak``; see ``ganzfeld.lab.language``."""

TABLE = {
    "mixed 1:1": "真伪各半",
    "mixed at random": "随机混合",
    "separate": "分开",
    "as it trains": "训练时的原样",
    "with batch norm": "带批量归一化",
    (
        "Give the discriminator no statistics across images: without a norm, and with "
        "spectral, layer, group or instance norm, no logit depends on another image at all."
    ): (
        "判别器中不要使用跨样本的统计量：不归一化，或采用谱、层、组、实例归一化时，任何对数几"
        "率都完全不依赖其他图像。"
    ),
    (
        "In the live discriminator with batch norm, the statistics of its first norm alone "
        "predict the share of fakes with R^2 = {r2:.3f}."
    ): ("在训练中的带批量归一化的判别器里，仅凭第一个归一化层的统计量就能以 R² = {r2:.3f} 推断伪造比例。"),
    (
        "Taught and tested in mixed 1:1 batches of toy images, a discriminator with batch "
        "norm classified {even:.0f} % correctly, where single images allow {best:.0f} %. In "
        "separate batches of real and of fake images, which most code uses, it classified "
        "{separate:.0f} % correctly: there every image carries the label of its batch."
    ): (
        "在真伪各半的混合批次上训练并测试时，带批量归一化的判别器判对 {even:.0f}%，而单张图像"
        "最多允许 {best:.0f}%。在多数代码所用的分开批次上，它判对 {separate:.0f}%：那里每张图"
        "像都带有所在批次的标签。"
    ),
    "One value in other batches": "同一个值，不同的批次",
    "The logits of 16 real images, in situ": "训练现场：16 张真实图像的对数几率",
    "Taught and tested in such batches (dotted: best)": ("在这样的批次上训练并测试（点线：上限）"),
    "batch norm": "批量归一化",
    "no norm": "不归一化",
    "share of fakes in the batch": "批次中的伪造比例",
    "the value 0.5 after the norm": "0.5 经归一化后的值",
    "share of fakes among the other images": "其他图像中的伪造比例",
    "shift, in spreads of the logits": ("移动量（以对数几率的离散程度为单位）"),
    "best for single images": "单张图像的上限",
    "classified correctly, %": "判对的比例（%）",
    ("derivative of a logit by other images, over that by its own, {words}"): (
        "对数几率对其他图像的导数与对自身图像的导数之比，{words}"
    ),
    ("shift of a real image's logit as the others turn fake, over the spread of logits, {words}"): (
        "其他图像由真变伪时，真实图像的对数几率的移动与离散程度之比，{words}"
    ),
    "{name}: by finite differences over autograd": "{name}：有限差分与自动微分之比",
    ("R^2 of a probe on the statistics of the first norm alone, {words}"): (
        "仅凭第一个归一化层统计量的探针的 R²，{words}"
    ),
    "across a batch norm": "经过批量归一化",
    "fixed value, fake share f": "固定的值，伪造比例 f",
    "probe on the batch mean": "基于批次均值的探针",
    "most that whole batches allow to classify correctly, {words}": "已知整批时判对比例的上限，{words}",
    ("derivatives across a batch norm, largest error of the formula"): (
        "经过批量归一化的导数，公式的最大误差"
    ),
    ("derivative of a logit by other images, over that by its own, {name}"): (
        "对数几率对其他图像的导数与对自身图像的导数之比，{name}"
    ),
    "output of a batch norm for 0.5 among {share:.0%} fakes": (
        "伪造比例为 {share:.0%} 时，批量归一化对 0.5 的输出"
    ),
    "R^2 of a probe on the mean of {batch} values alone": "仅凭 {batch} 个值的均值的探针的 R²",
    ("classified correctly in mixed 1:1 batches with batch norm, taught and tested in such"): (
        "带批量归一化，在真伪各半的混合批次上训练并测试，判对的比例"
    ),
    ("classified correctly in mixed batches of random composition with batch norm, taught in such"): (
        "带批量归一化，在组成随机的混合批次上训练并测试，判对的比例"
    ),
    "classified correctly, batches {words}, {norm}": "判对的比例，批次{words}，{norm}",
    ("change of that output without a norm, from all real to all fake"): (
        "不归一化时，从全真到全伪该输出的变化"
    ),
    "the same by finite differences over autograd, {name}": ("同上，有限差分与自动微分之比，{name}"),
}
"""Chinese by English template."""
