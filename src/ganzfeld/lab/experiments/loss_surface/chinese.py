"""The Chinese of ``loss-surface``; see ``ganzfeld.lab.language``."""

TABLE = {
    "generator": "生成器",
    "discriminator": "判别器",
    "batch norm": "批量归一化",
    "no norm": "无归一化",
    "{side}, {norm}": "{side}，{norm}",
    "squared gradient behind a batch norm": "经过批量归一化的梯度的平方",
    "weights before a norm, times a": "归一化之前的权重乘以 a",
    "effective beta": "有效 β",
    "variation of the loss along the gradient": "损失沿梯度的变化幅度",
    "change of the gradient along the gradient, over the gradient": "梯度沿自身方向的变化，与梯度之比",
    "effective beta (change of the gradient over the length)": "有效 β（梯度的变化与步长之比）",
    "change of a layer's gradient when the layers below it make a step": (
        "下面各层更新一步时，一层的梯度的变化"
    ),
    "drift of mean and deviation of the inputs of activations in a step": (
        "一步之中，激活函数输入的均值和标准差的偏移"
    ),
    "log10 of {what}, {side}, batch over no norm": "{what}，{side}，有与无批量归一化之比的 log10",
    "squared gradient behind a batch norm, largest relative error of the formula": (
        "经过批量归一化的梯度的平方，公式的最大相对误差"
    ),
    "gradient behind a batch norm over that before, maps of deviation {deviation:g}": (
        "经过批量归一化之后与之前的梯度之比，特征图的标准差为 {deviation:g}"
    ),
    "effective beta with the weights before a norm scaled, largest relative error of 1/a^2": (
        "缩放归一化之前的权重时的有效 β，1/a^2 的最大相对误差"
    ),
    "effective beta with the weights before a norm halved, over that before": (
        "归一化之前的权重减半，有效 β 与原来之比"
    ),
    "mean loss of the {side} over {steps} steps at its best rate, batch norm less none": (
        "{side}在各自最佳学习率下 {steps} 步的平均损失，有批量归一化减去没有"
    ),
    "mean loss of the {side} over {steps} steps at the largest rate, batch norm less none": (
        "{side}在最大学习率下 {steps} 步的平均损失，有批量归一化减去没有"
    ),
    "Change of the gradient in a step": "一步之中梯度的变化",
    "Covariate shift of gradients": "梯度的协变量偏移",
    "Drift of the inputs of activations": "激活函数输入的偏移",
    "toy networks": "玩具网络",
    "live networks": "训练中的网络",
    "steps": "步数",
    "images seen": "已见图像数",
    "learning rate": "学习率",
    "Mean loss while learning, toy {side}": "学习时的平均损失，玩具{side}",
    (
        "Batch norm keeps the statistics of a layer's inputs in place: they drift {g:.2g} times as much in "
        "the generator and {d:.2g} times as much in the discriminator as without it. But what a layer has to "
        "learn moves {shift_g:.2g} and {shift_d:.2g} times as much."
    ): (
        "批量归一化使每层输入的统计量保持不动：与没有它时相比，生成器中的偏移为 {g:.2g} 倍，判别器中为 "
        "{d:.2g} 倍。但每层所要学习的内容，其变化为 {shift_g:.2g} 倍和 {shift_d:.2g} 倍。"
    ),
    (
        "Smoothness by itself is no reason for a norm, since it depends on the scale of the weights: halving "
        "the weights before a norm leaves the function and makes beta {halved:.2g} times as large, and on "
        "maps of deviation {deviation:g} a norm makes gradients {enlarged:.2g} times as large. Adam divides "
        "the scale out; what counts for it is how far the gradient turns in a step: {g:.2g} times as far in "
        "the generator with a norm, {d:.2g} times in the discriminator."
    ): (
        "平滑度本身不是使用归一化的理由，因为它取决于权重的尺度：归一化之前的权重减半，函数不变，β 却变为 "
        "{halved:.2g} 倍；在标准差为 {deviation:g} 的特征图上，归一化使梯度变为 {enlarged:.2g} 倍。Adam 会"
        "除掉尺度，对它重要的是梯度在一步之中改变多少：有归一化时，生成器中为 {g:.2g} 倍，判别器中为 "
        "{d:.2g} 倍。"
    ),
    (
        "Compare networks at the best learning rate of each: a norm is often credited with what a larger "
        "rate, or initial weights that keep the scale of the maps, do as well."
    ): (
        "应在各自最佳的学习率下比较网络：常归功于归一化的效果，用更大的学习率或保持特征图尺度的初始权重也能得到。"
    ),
}
"""Chinese by English template."""
