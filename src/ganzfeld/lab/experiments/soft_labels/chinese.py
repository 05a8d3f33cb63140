"""The Chinese of ``soft-labels``."""

TABLE = {
    "hard": "硬标签",
    "one-sided": "单侧平滑",
    "two-sided": "双侧平滑",
    "gradient D - y": "梯度 D - y",
    "smallest |D - y| where D saturates, two-sided": "D 饱和处最小的 |D - y|，双侧平滑",
    "smallest |D - y| where D saturates, generated images, one-sided": (
        "D 饱和处最小的 |D - y|，生成图像，单侧平滑"
    ),
    "smallest |D - y| at any logit, two-sided": "任意对数几率处最小的 |D - y|，双侧平滑",
    "best D, largest error of the formula, {kind}": "最优的 D，公式的最大误差，{kind}",
    "d logit / d log r, largest error of the formula, {kind}": (
        "d 对数几率 / d log r，公式的最大误差，{kind}"
    ),
    "slope at r = alpha/1000 over its first order, r (1 - 2 alpha) / (alpha (1 - alpha))": (
        "r = α/1000 处的斜率与其一阶近似 r (1 - 2α) / (α (1 - α)) 之比"
    ),
    "pull on a generated image at r = alpha/10, two-sided over hard": (
        "r = α/10 处对生成图像的拉力，双侧平滑与硬标签之比"
    ),
    "distance from the data after the game, {kind}": "博弈结束时与数据的距离，{kind}",
    "distance from the data after the game, two-sided minus hard": (
        "博弈结束时与数据的距离，双侧平滑减硬标签"
    ),
    "peak slope of sigma(l/T)": "σ(l/T) 的最大斜率",
    "width of the unsaturated region of sigma(l/T), over that at T = 1": (
        "σ(l/T) 非饱和区域的宽度，与 T = 1 时之比"
    ),
    "gradient D - y at the logit 0, over that at T = 1": ("对数几率为 0 处的梯度 D - y，与 T = 1 时之比"),
    "difference between T and a last layer divided by T: {words}": (
        "使用 T 与把最后一层除以 T 之间的差别：{words}"
    ),
    "gradient descent, rate / T^2": "梯度下降，学习率 / T²",
    "Adam, rate / T": "Adam，学习率 / T",
    "gradient descent with R1, its weight times T^2": "梯度下降加 R1，其权重乘以 T²",
    "gradient descent with R1, its weight unchanged": "梯度下降加 R1，其权重不变",
    "mean |D - y| of a strong live D, {kind}": "训练现场很强的 D 的平均 |D - y|，{kind}",
    "largest live logit, {kind}": "训练现场最大的对数几率，{kind}",
    "largest live logit, two-sided minus hard": "训练现场最大的对数几率，双侧平滑减硬标签",
    "gradient of D's loss by the logit: D - y": "D 的损失对对数几率的梯度：D - y",
    "r = alpha": "r = α",
    "slope of the best logit in log r": "最优对数几率对 log r 的斜率",
    "log r = log(p_data / p_model)": "log r = log(p_data / p_model)",
    "toy: distance between the generator and the data": "玩具问题：生成器与数据的距离",
    "pull of the best D, by distance": "最优的 D 的拉力，按距离",
    "logits of the live D, trained alone": "训练现场单独训练的 D 的对数几率",
    "real": "真实",
    "generated": "生成",
    "{kind}, {side}": "{kind}，{side}",
    "round": "轮次",
    "logit": "对数几率",
    "images": "图像数",
    "Soft labels do not keep the gradient of D alive everywhere: they pull back a logit that is too "
    "large, and at the optimum the gradient D - y is 0 again (a strong live D has {left:.2g} left). If "
    "you soften at all, soften the real side alone.": (
        "软标签并不能在所有地方保留 D 的梯度：它们把过大的对数几率拉回来，"
        "而在最优处梯度 D - y 仍为 0（训练现场很强的 D 只剩 {left:.2g}）。如果要平滑，"
        "只平滑真实一侧。"
    ),
    "and the generator of the toy stayed behind by {far} standard deviations": (
        "玩具问题的生成器因此落后 {far} 个标准差"
    ),
    "but the toy lags only by {far} standard deviations": ("但玩具问题只落后 {far} 个标准差"),
    "Two-sided labels flatten the discriminator where there are many generated images and little data: "
    "the pull there falls to {pull:.2f} of what hard labels give, {lag}.": (
        "在生成图像很多而数据很少的地方，双侧平滑使判别器变平：那里的拉力降到硬标签的 {pull:.2f} 倍，{lag}。"
    ),
    "A temperature is a smaller last layer with a smaller learning rate and nothing else, unless a "
    "penalty or a constraint depends on the logit itself: then change its weight instead.": (
        "温度只不过是更小的最后一层加更小的学习率，除非有惩罚或约束直接依赖于对数几率：那时应当改变其权重。"
    ),
    "gradient of D's loss by the logit": "D 的损失对对数几率的梯度",
    "the best discriminator": "最优判别器",
    "temperature": "温度",
}
"""Chinese by English template; see ``ganzfeld.lab.language``."""
