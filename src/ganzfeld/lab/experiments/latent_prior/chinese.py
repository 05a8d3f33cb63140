"""The Chinese of ``latent-prior``; see ``ganzfeld.lab.language``."""

TABLE = {
    (
        "With a normalisation after the projection the prior does not change the scale: "
        "three times the variance before the first batch norm is {behind:.3f} times after it."
    ): (
        "投影之后有归一化时，隐分布不改变尺度：第一个批量归一化之前方差的 3 倍，在它之后只有 "
        "{behind:.3f} 倍。"
    ),
    (
        "Only a generator without normalisation is affected, and there it depends on the "
        "initial weights: with the usual ones tanh is far from saturation with either prior, "
        "but with weights that keep the scale of the maps its mean slope is {normal:.2f} "
        "with normal and {uniform:.2f} with uniform latents: then take a smaller gain, or "
        "uniform latents."
    ): (
        "受影响的只是没有归一化的生成器，影响取决于初始权重：按惯例初始化时，无论哪种隐分布，"
        "tanh 都离饱和很远；若权重保持特征图的尺度，则 tanh 的平均斜率在高斯隐向量下为 "
        "{normal:.2f}，在均匀隐向量下为 {uniform:.2f}：此时应减小增益，或使用均匀隐向量。"
    ),
    (
        "A normal vector is not heavy-tailed: its norm lies within a few per cent of "
        "sqrt(n). So interpolate between latents by slerp: half-way, lerp leaves {lerp:.0f} "
        "% of the spread that the images have at the ends, slerp {slerp:.0f} %."
    ): (
        "高斯向量并不重尾：它的范数与 √n 只差百分之几。因此插值请用 slerp：在中点，lerp 只留"
        "下两端图像离散程度的 {lerp:.0f}%，slerp 为 {slerp:.0f}%。"
    ),
    "Pre-activations of untrained generators": "未训练的生成器的前激活值",
    "Saturation without norms": "无归一化时的饱和",
    "Latents of {size} components lie on a shell": "{size} 维的隐向量位于球壳上",
    "Spread of the images along the path": "沿插值路径的图像离散程度",
    "layer (0: projection, before and after its norm)": "层（0：投影，归一化之前和之后）",
    "standard deviation": "标准差",
    "gain of every layer": "每层的增益",
    "mean slope of tanh": "tanh 的平均斜率",
    "normal": "高斯",
    "uniform": "均匀",
    "lerp": "直线插值",
    "slerp": "球面插值",
    "normal, half-way by lerp": "高斯，lerp 的中点",
    "normal, half-way by slerp": "高斯，slerp 的中点",
    "norm of the latent": "隐向量的范数",
    "position between the latents": "两个隐向量之间的位置",
    "spread, over that at the ends": "离散程度与两端之比",
    "from one latent to another by {name}": "从一个隐向量到另一个，{name}",
    "{name}, no norm": "{name}，无归一化",
    "{name}, batch norm": "{name}，批量归一化",
    ("share of outputs that saturate tanh at unit gain, normal less uniform"): (
        "单位增益下使 tanh 饱和的输出的比例，高斯减均匀"
    ),
    ("share of tanh's slope that is lost at unit gain, normal less uniform"): (
        "单位增益下 tanh 斜率的损失，高斯减均匀"
    ),
    ("share of tanh's slope that is lost with the usual initial weights, normal"): (
        "按惯例初始化时 tanh 斜率的损失，高斯"
    ),
    "spread of the images at unit gain, normal over uniform": ("单位增益下图像的离散程度，高斯与均匀之比"),
    "at gain {gain:g}, {prior}": "增益 {gain:g}，{prior}",
    "share of outputs that saturate tanh {words}": "使 tanh 饱和的输出的比例，{words}",
    "mean slope of tanh {words}": "tanh 的平均斜率，{words}",
    "variance before the first activation, normal over uniform": ("第一个激活之前的方差，高斯与均匀之比"),
    ("standard deviation of the projection at the beginning, {name}"): "训练开始时投影的标准差，{name}",
    "spread of images half-way, over that at the ends, {name}": ("中点处图像的离散程度与两端之比，{name}"),
    ("spread of the base map half-way, over that at the ends, {name}"): (
        "中点处基础特征图的离散程度与两端之比，{name}"
    ),
    "variance of a component": "分量的方差",
    "pre-activations of the projection": "投影的前激活值",
    "pre-activations of the next layer": "下一层的前激活值",
    "saturation": "饱和",
    "norm of a normal vector": "高斯向量的范数",
    ("share of the projection's pre-activations beyond {threshold:g}, {name}"): (
        "投影的前激活值超过 {threshold:g} 的比例，{name}"
    ),
    ("excess kurtosis of normal components, clearly above 0 for a heavy-tailed distribution"): (
        "高斯分量的超额峰度，重尾分布应明显大于 0"
    ),
    "mean norm of normal latents": "高斯隐向量的平均范数",
    "standard deviation of the norm of normal latents": "高斯隐向量范数的标准差",
    "norm half-way between two latents, {name}": "两个隐向量中点的范数，{name}",
    ("how far lerp's norm half-way is below the mean norm, in standard deviations of the norm"): (
        "lerp 中点的范数比平均范数低多少（以范数的标准差为单位）"
    ),
    "variance before the output, normal over uniform, no norm": ("输出之前的方差，高斯与均匀之比，无归一化"),
    "after the first batch norm": "第一个批量归一化之后",
    "before the output, with batch norm": "输出之前，有批量归一化",
    "variance of a component, {name}": "分量的方差，{name}",
    "the projection": "投影层",
    "layer {number}": "第 {number} 层",
    ("standard deviation of pre-activations of {layer}, no norm, {name}"): (
        "{layer}前激活值的标准差，无归一化，{name}"
    ),
    "standard deviation before the first batch norm, {name}": ("第一个批量归一化之前的标准差，{name}"),
    "standard deviation after the first batch norm, {name}": ("第一个批量归一化之后的标准差，{name}"),
    "variance {where}, normal over uniform": "{where}的方差，高斯与均匀之比",
}
"""Chinese by English template."""
