"""The Chinese of ``saturating-loss``."""

TABLE = {
    (
        "The reason is not that log(1-D) is near 0: its slope in D is {slope:.4f} at a logit "
        "of -5. It is the slope of the sigmoid that vanishes, {sigmoid:.4f} there."
    ): (
        "原因并不是 log(1-D) 接近 0：在对数几率 -5 处，它对 D 的斜率为 {slope:.4f}。真正消失"
        "的是 sigmoid 的斜率，在那里为 {sigmoid:.4f}。"
    ),
    (
        "And -D and -(1-D) are derivatives by the logit: the gradient at the weights also "
        "contains the slope of the discriminator. While D learned, the minimax gradient on "
        "the toy changed by a factor of {minimax:.2g} and the non-saturating one by "
        "{other:.2g} (in situ {live:.2g})."
    ): (
        "而且 -D 与 -(1-D) 是对对数几率的导数：权重处的梯度还包含对数几率对图像的梯度。在 D "
        "学习期间，玩具问题上极小极大梯度变为 {minimax:.2g} 倍，非饱和梯度变为 {other:.2g} 倍"
        "（训练现场 {live:.2g} 倍）。"
    ),
    "minimax, by D": "极小极大损失，对 D",
    "at the logit {logit:g}": "在对数几率 {logit:g} 处",
    "slope of {name} in D {where}": "{where} {name} 对 D 的斜率",
    "slope of the sigmoid {where}": "{where} sigmoid 的斜率",
    ("size of the slope of log(1 - D) in D {where}, small if the reason is right"): (
        "{where} log(1 - D) 对 D 的斜率的大小，若理由成立则很小"
    ),
    "size of the slope of -log D in D {where}": "{where} -log D 对 D 的斜率的大小",
    "size of the slope of -log D in the logit {where}": ("{where} -log D 对对数几率的斜率的大小"),
    ("log10 of the minimax gradient at the weights, strong D over at first"): (
        "权重处极小极大梯度的 log10，D 很强时与最初之比"
    ),
    ("log10 of the non-saturating gradient at the weights, strong D over at first"): (
        "权重处非饱和梯度的 log10，D 很强时与最初之比"
    ),
    "slope of {name}": "{name} 的斜率",
    ", denormals flushed": "，非正规数清零",
    "rounded once": "只舍入一次",
    "logit at which non-saturating from 32-bit D ({kind}{words}) breaks": (
        "由 32 位的 D（{kind}{words}）计算时，非饱和损失失效处的对数几率"
    ),
    "logit at which minimax from 32-bit D ({kind}) breaks": (
        "由 32 位的 D（{kind}）计算时，极小极大损失失效处的对数几率"
    ),
    "{name}: share of logits from -120 to 40 at which the slope through 32-bit D is finite": (
        "{name}：对数几率从 -120 到 40，经 32 位的 D 得到有限斜率的比例"
    ),
    "gradient at the weights, largest error of the formula": "权重处的梯度，公式的最大误差",
    "log10 of the minimax over the non-saturating gradient, strong D": (
        "D 很强时，极小极大梯度与非饱和梯度之比的 log10"
    ),
    "mean slope of {name}, strong D": "D 很强时 {name} 的平均斜率",
    "log10 of the gradient with a strong D, over that at first, {name}": (
        "D 很强时的梯度与最初之比的 log10，{name}"
    ),
    "mean slope of {name} in situ": "训练现场 {name} 的平均斜率",
    "log10 of the minimax over the non-saturating gradient in situ": (
        "训练现场极小极大梯度与非饱和梯度之比的 log10"
    ),
    "log10 of the gradient in situ with a strong D, over that at first, {name}": (
        "训练现场 D 很强时的梯度与最初之比的 log10，{name}"
    ),
    "formula, and loss from logits": "公式，以及由对数几率计算的损失",
    "loss from 32-bit D": "由 32 位的 D 计算的损失",
    "not finite": "不是有限数",
    "{name}: slope of the generator's loss": "{name}：生成器损失的斜率",
    "logit of a generated image": "生成图像的对数几率",
    "steps of D alone + 1": "D 单独训练的步数 + 1",
    "gradient at the generator": "生成器处的梯度",
    "{where}: the generator is frozen, its discriminator learns": ("{where}：生成器冻结，判别器继续学习"),
    "toy": "玩具问题",
    "live networks": "训练中的网络",
    "Do not use minimax for the generator: a strong discriminator leaves it {toy:.2g} of the gradient "
    "that it leaves the non-saturating loss.": (
        "不要用极小极大损失训练生成器：判别器很强时，它留下的梯度只有非饱和损失的 {toy:.2g} 倍。"
    ),
    "Compute losses from logits, as every loss of the catalogue does: from 32-bit probabilities "
    "minimax is infinite above a logit of {upper:.1f} and the non-saturating loss below {lower:.1f}.": (
        "损失要由对数几率计算，目录中的每种损失都是如此：由 32 位概率计算时，"
        "对数几率高于 {upper:.1f} 极小极大损失为无穷，低于 {lower:.1f} 非饱和损失为无穷。"
    ),
    "minimax": "极小极大损失",
    "non-saturating": "非饱和损失",
    "from 32-bit probabilities": "由 32 位概率计算",
}
"""Chinese by English template; see ``ganzfeld.lab.language``."""
