"""The Chinese of ``upsampling``."""

TABLE = {
    "sizes from 1 to 64 that k=4, s=2, p=1 does not double": (
        "从 1 到 64，k=4、s=2、p=1 没有恰好放大一倍的尺寸个数"
    ),
    "size after {layers} layers from {size}": "从 {size} 开始经过 {layers} 层之后的尺寸",
    "largest |<Ax, y> - <x, A'y>| for whole numbers": "整数情形下 |<Ax, y> - <x, A'y>| 的最大值",
    "projective field of one cell after {depth} layers, px": ("一个格点经过 {depth} 层之后的投射场（像素）"),
    "side of the field of one base map cell, over the side of the image": (
        "初始特征图一个格点的投射场边长与图像边长之比"
    ),
    "largest difference of counted and calculated coverage": "数出的与算出的覆盖数之间的最大差别",
    "{form}: most over least inputs of an interior pixel, one axis": (
        "{form}：内部像素最多与最少输入数之比，单轴"
    ),
    "{form}, overlap {items}: most over least inputs of an interior pixel": (
        "{form}，重叠 {items}：内部像素最多与最少输入数之比"
    ),
    "p={p}: least over most inputs of a pixel, border included": (
        "p={p}：像素最少与最多输入数之比，包括边缘"
    ),
    "untrained, {name}: power at the stride's harmonics over that beside them, log10": (
        "未训练，{name}：步长谐波处与其旁边的功率之比，log10"
    ),
    "untrained, {name}: power of the most over the least covered pixels, log10": (
        "未训练，{name}：覆盖最多与最少的像素的功率之比，log10"
    ),
    "low pass after it": "之后加低通",
    "resize, convolve": "先缩放再卷积",
    "checkerboard beyond that of real images, log10": "超出真实图像的棋盘格强度，log10",
    "after {stage:,} images: {what}": "见过 {stage:,} 张图像之后：{what}",
    "{kind}, {num} runs over {images:,} images: {what}": (
        "{kind}，{num} 次运行，各见 {images:,} 张图像：{what}"
    ),
    "rows of the base map whose reach is not as calculated": "到达范围与计算不符的初始特征图行数",
    "rows of the image that the row of the base map with the widest reach changes": (
        "初始特征图中到达最远的一行所改变的图像行数"
    ),
    "share of the image's rows that this row changes": "这一行所改变的图像行数的比例",
    "rows of the image that hold 95 % of the change by the middle cell": (
        "集中了中间格点 95 % 变化的图像行数"
    ),
    "share of all pixels that one component of z changes": "z 的一个分量所改变的像素比例",
    "inputs that reach each output\n{name}": "到达每个输出的输入数\n{name}",
    "frequency, periods per pixel": "频率（每像素周期数）",
    "power over its median": "功率与其中位数之比",
    "untrained generators with random kernels: power along rows and columns": (
        "卷积核随机、未训练的生成器：沿行和列的功率"
    ),
    "change by {what}\n(log10)": "{what}引起的变化\n(log10)",
    "a cell of the base map": "初始特征图的一个格点",
    "a component of z": "z 的一个分量",
    "latent a": "隐向量 a",
    "latent b": "隐向量 b",
    "left cells of a,\nright cells of b": "左半取自 a，\n右半取自 b",
    "checkerboard beyond that of real images,\nthe live generator": (
        "超出真实图像的棋盘格强度，\n训练中的生成器"
    ),
    "images seen": "已见图像数",
    "the same by kind of layer,\nshorter runs": "各种层的同一数值，\n较短的运行",
    "Let the stride divide the kernel, but do not expect that to prevent a checkerboard: even overlap "
    "prints none on average over all kernels, but a single kernel prints the differences between its "
    "phases.": (
        "让步长整除核大小，但不要指望这能避免棋盘格：重叠均匀时，"
        "对所有卷积核平均而言不产生网格状图案，而单个卷积核会把各相位之间的差别表现出来。"
    ),
    "Untrained, {own} has {power:.1f} times as much power at the harmonics of its stride as beside "
    "them, and {other}, without any overlap, {other_power:.1f} times.": (
        "未训练时，{own} 在步长谐波处的功率是旁边的 {power:.1f} 倍，"
        "完全没有重叠的 {other} 是 {other_power:.1f} 倍。"
    ),
    "Look at the spectrum of trained images; where the harmonics stand out, resize and convolve, or "
    "put a mean over one stride after the layer, which is zero there by construction.": (
        "观察训练后图像的频谱；如果谐波突出，就先缩放再卷积，或在该层之后加上宽度为一个步长的平均，"
        "它在谐波处必然为零。"
    ),
    "One cell of the base map reaches {reached:.0%} of the side of the image: whatever must agree "
    "across the whole image has to come through the projection of z.": (
        "初始特征图的一个格点只能到达图像边长的 {reached:.0%}：凡是必须在整张图像上一致的东西，"
        "都要经由 z 的投影得到。"
    ),
    "size after a transposed convolution": "转置卷积之后的尺寸",
    "adjoint of the convolution": "卷积的伴随",
    "projective field after one more layer": "再加一层之后的投射场",
    "inputs that reach an output of phase r, one axis": "到达相位 r 的输出的输入数，单轴",
    "a constant map comes out constant if and only if": "常数特征图仍输出常数，当且仅当",
}
"""Chinese by English template; see ``ganzfeld.lab.language``."""
