"""The Chinese of ``leaky-slope``; see ``ganzfeld.lab.language``."""

TABLE = {
    (
        "The two mean slopes are right, but a gradient does not scale with them: its norm "
        "scales with the root mean square slope, and there LeakyReLU and ReLU are {rms:.1f} "
        "% apart, not {mean:.0f} %."
    ): (
        "两个期望导数正确，但梯度的大小并不由它决定：梯度范数取决于导数的均方根，在这一点上 "
        "LeakyReLU 只比 ReLU 高 {rms:.1f}%，而不是 {mean:.0f}%。"
    ),
    (
        "With batch norms a layer multiplies the gradient by {relu:.3g} with ReLU and by "
        "{leaky:.3g} with LeakyReLU: above 1, it grows towards the input."
    ): (
        "有批量归一化时，每层使梯度乘以 {relu:.3g}（ReLU）或 {leaky:.3g}（LeakyReLU）：大于 "
        "1 时，梯度在传向输入的过程中增大。"
    ),
    (
        "So do not choose LeakyReLU for the size of gradients, which Adam divides out in any "
        "case. Of the discriminator's units (a channel at a position) with ReLU {first:.2g} "
        "% were positive on no real or generated image before training, and {last:.2g} % "
        "after it, against {leaking:.2g} % with LeakyReLU, where such units still learn."
    ): (
        "因此不要为了梯度的大小选择 LeakyReLU，Adam 反正会把它除掉。使用 ReLU 的判别器中，在"
        "任何真实图像和生成图像上都不为正的单元（某通道的某个位置）训练前占 {first:.2g}%，训"
        "练后占 {last:.2g}%；使用 LeakyReLU 时占 {leaking:.2g}%，但这些单元照样学习。"
    ),
    "Gradient norm with LeakyReLU ({alpha:g}) over that with ReLU": (
        "LeakyReLU（{alpha:g}）与 ReLU 的梯度范数之比"
    ),
    "Units that are positive on no real or generated image": ("在任何真实图像和生成图像上都不为正的单元"),
    "mean slopes (the claim)": "期望导数（论断）",
    "root mean square slopes": "导数的均方根",
    "layers that the gradient has passed": "梯度经过的层数",
    "LeakyReLU over ReLU": "LeakyReLU 与 ReLU 之比",
    "images seen": "已见图像数",
    "units, %": "单元（%）",
    "measured, {norm}": "实测，{norm}",
    "{side}, {activation}": "{side}，{activation}",
    "discriminator": "判别器",
    "generator": "生成器",
    "units": "单元",
    "channels": "通道",
    ("mean slope in the {side}, with slope alpha on the negative side"): "{side}中的期望导数，负半轴斜率为 α",
    "root mean square slope in the {side}, LeakyReLU over ReLU": (
        "{side}中导数的均方根，LeakyReLU 与 ReLU 之比"
    ),
    ("share of the {side}'s units never positive, relu less leaky-relu"): (
        "{side}中从不为正的单元的比例，ReLU 减 LeakyReLU"
    ),
    "before training": "训练前",
    "after it": "训练后",
    ("share of the {side}'s {what} never positive, {activation}, {when}"): (
        "{side}中从不为正的{what}的比例，{activation}，{when}"
    ),
    ("share of the {side}'s units without any gradient, {activation}"): (
        "{side}中完全没有梯度的单元的比例，{activation}"
    ),
    "mean slope": "期望导数",
    "root mean square slope": "导数的均方根",
    "gain of a batch-normalised layer": "批量归一化的一层的增益",
    ("gain of the gradient per layer, LeakyReLU over ReLU, {behind}"): (
        "每层的梯度增益，LeakyReLU 与 ReLU 之比，{behind}"
    ),
    ("gain of the gradient per layer, LeakyReLU over ReLU, {behind}: by root mean square slopes"): (
        "每层的梯度增益，LeakyReLU 与 ReLU 之比，{behind}：按导数的均方根"
    ),
    "gradient after {depth} layers, ReLU over LeakyReLU, {behind}": (
        "{depth} 层之后的梯度，ReLU 与 LeakyReLU 之比，{behind}"
    ),
    "factor of a layer on the gradient's norm, {words}": "一层使梯度范数乘以的倍数，{words}",
    "no normalisation": "无归一化",
    "{name} normalisation": "{name} 归一化",
    "{activation}, {behind}": "{activation}，{behind}",
    ("slope of LeakyReLU at negative inputs, largest difference from alpha"): (
        "LeakyReLU 在负输入处的导数，与 α 的最大差"
    ),
    "mean slope of ReLU": "ReLU 的期望导数",
    "mean slope of LeakyReLU": "LeakyReLU 的期望导数",
    "root mean square slope, LeakyReLU over ReLU": ("导数的均方根，LeakyReLU 与 ReLU 之比"),
    ("root mean square slope, LeakyReLU over ReLU: by its own formula"): (
        "导数的均方根，LeakyReLU 与 ReLU 之比：按其自身的公式"
    ),
}
"""Chinese by English template."""
