"""The Chinese of ``downsampling``."""

TABLE = {
    "share of small images that a probe of the features cannot predict": (
        "由特征作线性探测所不能预测的缩小图像的比例"
    ),
    "sizes of the text's example that torch makes otherwise": "原文例子中与 torch 不符的尺寸个数",
    "size after layer {number}": "第 {number} 层之后的尺寸",
    "receptive field after layer {number}, px": "第 {number} 层之后的感受野（像素）",
    "effective stride after layer {number}, px": "第 {number} 层之后的有效步长（像素）",
    "small layers that lose another number of border pixels than calculated": (
        "边缘丢失像素数与计算不符的小型层的个数"
    ),
    "pixels whose number of paths to the logit is not as calculated": (
        "到对数几率的路径数与计算不符的像素个数"
    ),
    "rows of pixels that never reach the logit": "永远到不了对数几率的像素行数",
    "rows of pixels that never reach the logit, with {form} in the last layer": (
        "最后一层为 {form} 时，永远到不了对数几率的像素行数"
    ),
    "share of rows unread by one layer of {form} on 96 px": ("96 像素上 {form} 的一层未读取的行的比例"),
    "live layers whose receptive field is not as calculated": "训练现场感受野与计算不符的层数",
    "live maps have sizes that are not by the formula (0: no, 1: yes)": (
        "训练现场特征图尺寸与公式不符（0：否，1：是）"
    ),
    "pixels that the live logit does not depend on": "训练现场对数几率不依赖的像素个数",
    "rows that hold 95 % of the gradient of a middle cell of the last map": (
        "集中了最后特征图中间格点 95 % 梯度的行数"
    ),
    "weakest over strongest gradient of the live logit by a pixel": (
        "训练现场对数几率对像素的最弱与最强梯度之比"
    ),
    "loss on new images, real or generated": "判断新图像真伪的损失",
    "error of a shift, px": "平移量的误差（像素）",
    "stride": "步长",
    "average pooling": "平均池化",
    "maximum pooling": "最大池化",
    "{task}, {kind}": "{task}，{kind}",
    "{task}: by how much {kind} is better than a stride": "{task}：{kind}比步长好多少",
    "share of pixels without a gradient from a D that ends in k=3, s=2": (
        "以 k=3、s=2 结尾的 D 没有梯度的像素比例"
    ),
    "error of the generator's mean colour there, over that elsewhere": ("那里生成器平均颜色的误差与别处之比"),
    "as set": "按设置",
    "last layer {form}": "最后一层 {form}",
    "paths of each pixel to the logit\n{name} (red: none)": ("每个像素到对数几率的路径数\n{name}（红：无）"),
    "size of the map, N": "特征图尺寸 N",
    "rows never read": "从未读取的行数",
    "one layer: rows lost at the far border": "单层：远端边缘丢失的行",
    "receptive fields of the middle cells\nof the live discriminator": ("训练中的判别器\n中间格点的感受野"),
    "|gradient| of the live logit\nby pixel": "训练现场对数几率\n对像素的 |梯度|",
    "{task}\n(equal parameters; lower is better)": "{task}\n（参数量相同，越低越好）",
    "images of the generator that it trained": "由它训练的生成器的图像",
    "pixels unread by a D\nthat ends in k=3, s=2": "以 k=3、s=2 结尾的 D\n未读取的像素",
    "error of the mean colour\nthat G learns from it": "G 由此学到的\n平均颜色的误差",
    "Choose sizes at which the stride divides N + 2p - k in every layer, and no kernel below the "
    "stride; ganzfeld plan makes only such ladders.": (
        "选择使步长在每一层都整除 N + 2p - k 的尺寸，核不小于步长；ganzfeld plan 只给出这样的阶梯。"
    ),
    "With another last layer the same ladder loses {lost:.0f} rows of pixels at the border.": (
        "换一个最后一层，同样的阶梯会在边缘丢失 {lost:.0f} 行像素。"
    ),
    "G gets no gradient where D does not read ({share:.0%} of the pixels in the example), and learns "
    "nothing there.": ("D 不读取的地方 G 得不到梯度（例子中占像素的 {share:.0%}），在那里什么也学不到。"),
    "{task} ({kind})": "{task}（{kind}）",
    "Pooling did better here at: {tasks}.": "这里池化更好的是：{tasks}。",
    "Pooling did better at nothing here.": "这里池化没有在任何一项上更好。",
    "At equal parameters pooling costs the square of the stride in multiplications.": (
        "参数量相同时，池化的乘法次数是步长的平方倍。"
    ),
    "size after a convolution": "卷积之后的尺寸",
    "receptive field and effective stride after one more layer": "再加一层之后的感受野与有效步长",
    "remainder, and real pixels lost at the far border (k not below s)": (
        "余数，以及远端边缘丢失的真实像素（k 不小于 s）"
    ),
    "how often pixel i reaches the logit": "像素 i 到达对数几率的次数",
}
"""Chinese by English template; see ``ganzfeld.lab.language``."""
