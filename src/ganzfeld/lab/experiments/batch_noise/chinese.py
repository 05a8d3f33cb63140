"""The Chinese of ``batch-noise``; see ``ganzfeld.lab.language``."""

TABLE = {
    "unbiased variance": "无偏方差",
    "variance that batch norm divides by": "批量归一化所除的方差",
    "heavy tails, excess kurtosis": "重尾，超额峰度",
    "correlated maps": "相关的特征图",
    "independent numbers that a pool is worth": "一组数相当于多少个独立的数",
    "error of the variance that batch norm divides by, B = {batch}": (
        "批量归一化所除方差的误差，B = {batch}"
    ),
    "error of the unbiased variance, B = {batch}": "无偏方差的误差，B = {batch}",
    "{name}: (2B-1)/B^2": "{name}：(2B-1)/B²",
    "error of the variance over {batch} maps of {side}x{side}, correlated over {reach:g} px": (
        "{batch} 张 {side}x{side} 特征图的方差误差，相关长度 {reach:g} 像素"
    ),
    "{name}: by tr(A Sigma A Sigma)": "{name}：按 tr(AΣAΣ)",
    "independent numbers that these {num} are worth": "这 {num} 个数相当于多少个独立的数",
    "error of instance norm's variance on white maps of {side}x{side}": (
        "实例归一化在 {side}x{side} 白噪声特征图上的方差误差"
    ),
    "{name}: (2n-1)/n^2": "{name}：(2n-1)/n²",
    "change of instance norm's output as the rest of the batch changes": (
        "同批其他样本改变时，实例归一化输出的变化"
    ),
    "images of 1x1 that instance norm can normalise": "实例归一化能处理的 1x1 图像",
    "variance of brightness that instance norm leaves": "实例归一化留下的亮度方差",
    "variance of contrast that instance norm leaves": "实例归一化留下的对比度方差",
    "change of an image with the rest of its batch, over the spread of images, B = {batch}": (
        "同批其他样本改变时图像的变化，与图像离散程度之比，B = {batch}"
    ),
    "layer {number}, {size}": "第 {number} 层，{size}",
    "independent numbers that {batch} images are worth, {layer}": (
        "{batch} 张图像相当于多少个独立的数，{layer}"
    ),
    "independent numbers that as many uncorrelated ones with these tails would be worth, {layer}": (
        "同样多、不相关但同样重尾的数相当于多少个独立的高斯数，{layer}"
    ),
    "error of the variance at B = 2, {layer}": "B = 2 时的方差误差，{layer}",
    "share of the variance that instance norm would remove, {layer}": ("实例归一化会抹去的方差比例，{layer}"),
    "2/(B-1), unbiased": "2/(B-1)，无偏",
    "$(2B-1)/B^2$, biased": "$(2B-1)/B^2$，有偏",
    "images per batch": "每批图像数",
    "relative squared error": "相对平方误差",
    "Error of the variance of a batch": "批内方差的误差",
    "positions of a map": "特征图的位置数",
    "independent numbers they are worth": "相当于多少个独立的数",
    "Positions count as few independent numbers": "许多位置只相当于少数独立的数",
    "% of the spread between images": "占图像离散程度的 %",
    "Change of an image with the rest of its batch": "同批其他样本改变时图像的变化",
    "measured, {kind}": "测得，{kind}",
    "unbiased": "无偏",
    "biased": "有偏",
    "generator, {name}": "生成器，{name}",
    (
        "With {size} images per batch, an image changes by {change:.0f} % of the spread between "
        "images when the rest of its batch changes."
    ): ("每批 {size} 张图像时，换掉同批的其他样本，一张图像的变化为图像离散程度的 {change:.0f} %。"),
    (
        "Do not read 2/(B-1) as the noise of a convolutional batch norm: it divides by the biased "
        "variance, whose error at B = 2 is {two:.2f}, not 2, and its statistics pool the positions "
        "of all maps. At B = 2 the layers here had errors from {low:.2g} to {high:.2g}: far below "
        "2, and far above the error of as many independent Gaussian numbers, because positions are "
        "correlated and because values have heavy tails."
    ): (
        "不要把 2/(B-1) 当作卷积批量归一化的噪声：它除以的是有偏方差，B = 2 时其误差为 {two:.2f}"
        "，而不是 2；它的统计量还汇集了所有特征图的各个位置。B = 2 时这里各层的误差为 {low:.2g} "
        "到 {high:.2g}：远小于 2，又远大于同样多独立高斯数的误差，因为各位置彼此相关，而且数值的"
        "分布是重尾的。"
    ),
    (
        "Instance norm does not depend on the batch, but it is noisy itself on small maps, cannot "
        "be used at 1x1, and removes the brightness and contrast of each map: up to {erased:.2g} % "
        "of the variance of a layer here. Where batches must be small, group or layer "
        "normalisation keeps more."
    ): (
        "实例归一化不依赖于批量，但它在小特征图上自身也有噪声，不能用于 1x1，并且抹去每张特征图的"
        "亮度和对比度：这里最多占一层方差的 {erased:.2g} %。必须使用小批量时，组归一化或层归一化"
        "保留得更多。"
    ),
}
"""Chinese by English template."""
