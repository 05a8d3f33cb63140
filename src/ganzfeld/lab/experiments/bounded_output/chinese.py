"""The Chinese of ``bounded-output``."""

TABLE = {
    "share of saturated pixels up to {reach:g} that are pulled at all in float32, {output}": (
        "float32 下、预激活值不超过 {reach:g} 的饱和像素中受到梯度的比例，{output}"
    ),
    "time until tanh is within 0.1 from the pre-activation {start:g}, float64": (
        "从预激活值 {start:g} 出发，tanh 到达 0.1 以内所需的时间，float64"
    ),
    "tanh": "tanh",
    "clip": "clip",
    "slope of tanh in float64, largest error of 1 - tanh^2": ("float64 中 tanh 的斜率，1 - tanh² 的最大误差"),
    "logarithm of tanh's slope at 1000, in real numbers": "实数中 tanh 在 1000 处斜率的对数",
    "share of inputs up to {reach:g} at which tanh has no gradient, float64": (
        "绝对值不超过 {reach:g} 的输入中 tanh 没有梯度的比例，float64"
    ),
    "slope of clip, largest difference from 1 inside and 0 outside": (
        "clip 的斜率与内部 1、外部 0 的最大差别"
    ),
    "share of inputs up to {reach:g} at which tanh has no gradient, {name}": (
        "绝对值不超过 {reach:g} 的输入中 tanh 没有梯度的比例，{name}"
    ),
    "input from which tanh's gradient is exactly 0, {name}": "tanh 的梯度从何处起恰为 0，{name}",
    "share of saturated pixels that {steps} steps move at all, {output}": (
        "饱和像素中 {steps} 步之后有所移动的比例，{output}"
    ),
    "share of saturated pixels that {steps} steps bring within 0.1, {output}": (
        "饱和像素中 {steps} 步之后接近到 0.1 以内的比例，{output}"
    ),
    "pixel values without a gradient, tanh in {name}": "没有梯度的像素值，{name} 中的 tanh",
    "pixel values without a gradient, clip": "没有梯度的像素值，clip",
    "share of the pixels clipped after {earlier} images that are free after {later}": (
        "见过 {earlier} 张图像后被裁剪的像素中，见过 {later} 张后又自由的比例"
    ),
    "distance of the colours from those of real images": "颜色与真实图像的距离",
    "distance of the energy of single pixels from that of real images, log10": (
        "单像素能量与真实图像的距离，log10"
    ),
    "{words}, {name}": "{words}，{name}",
    "{words}, tanh minus clip": "{words}，tanh 减 clip",
    "tanh in real numbers": "实数中的 tanh",
    "tanh, as it trains": "训练中的 tanh",
    "clip ends": "clip 的边界",
    "pre-activation": "前激活值",
    "slope": "斜率",
    "Where the gradient of tanh ends": "tanh 的梯度在何处终止",
    "absolute pre-activation": "前激活值的绝对值",
    "pixel values beyond it, %": "超出它的像素值，%",
    "How large pre-activations get": "前激活值有多大",
    "tanh (above) and clip, trained the same way": "tanh（上）与 clip，训练方式相同",
    "{end:.2f} in {name}": "{name} 中 {end:.2f}",
    "Keep the output activation in float32 under mixed precision, as this package does: the gradient "
    "of tanh is exactly 0 from abs(a) = {ends}.": (
        "在混合精度下让输出激活函数保持 float32，本软件就是如此：tanh 的梯度恰为 0 的起点 |a| 为 {ends}。"
    ),
    "In the run measured here {bfloat16:.2g} % of all pixel values would have no gradient in bfloat16; "
    "in float32 {float32:.2g} % have none.": (
        "在这里测量的运行中，用 bfloat16 会有 {bfloat16:.2g} % 的像素值没有梯度；"
        "用 float32 则为 {float32:.2g} %。"
    ),
    "Clipping is less final than it looks: {freed:.0f} % of the pixels that were clipped became free "
    "again, since weights are shared and other pixels move them. A pixel sticks only if every pixel "
    "that shares its weights is saturated too.": (
        "裁剪并不像看上去那样不可挽回：被裁剪的像素中有 {freed:.0f} % 又自由了，因为权重是共享的，"
        "其他像素会移动它们。只有共享其权重的每个像素也都饱和时，一个像素才会卡住。"
    ),
    "where rounding ends the slope of tanh, p binary digits": ("舍入使 tanh 的斜率终止之处，p 位二进制数"),
}
"""Chinese by English template; see ``ganzfeld.lab.language``."""
