"""The Chinese of ``convergence``; see ``ganzfeld.lab.language``."""

TABLE = {
    "hinge": "合页",
    "least squares": "最小二乘",
    "minimax game": "极小极大",
    "non-saturating game": "非饱和",
    "relativistic pairing": "相对配对",
    "no penalty": "无惩罚",
    "{loss}, {penalty}": "{loss}，{penalty}",
    "{loss}, {penalty}, h = {step:g}": "{loss}，{penalty}，h = {step:g}",
    (
        "Near its rest point a GAN without a penalty does not converge by gradient steps, whatever "
        "its loss. R1 and R2 make it converge; WGAN-GP does not."
    ): (
        "在平衡点附近，不加惩罚的 GAN 无论用哪种损失，梯度更新都不会收敛；R1 和 R2 使之收敛，WGAN-GP 则不能。"
    ),
    "alternating": "交替更新",
    "simultaneous": "同时更新",
    "extragradient": "外梯度",
    "optimistic": "乐观梯度",
    "game near its rest point": "平衡点附近的博弈",
    "eigenvalues of its flow": "其流的特征值",
    "an alternating round, n steps of D": "一轮交替更新，判别器更新 n 次",
    "rounds near rest, largest relative error of the formula": "平衡点附近的各轮，公式的最大相对误差",
    "factor of a round near rest, {method}, {loss}": "平衡点附近每轮的倍数，{method}，{loss}",
    "factor of a round near rest, {num} steps of D": "平衡点附近每轮的倍数，判别器更新 {num} 次",
    "factor of a round near rest, momentum {momentum:+g}": "平衡点附近每轮的倍数，动量 {momentum:+g}",
    "factor of a round near rest with R1, {loss}": "加 R1 时平衡点附近每轮的倍数，{loss}",
    "factor of a round near rest with R1 of weight 3/h": "R1 权重为 3/h 时平衡点附近每轮的倍数",
    "distance left, {loss}, {penalty}": "剩余距离，{loss}，{penalty}",
    "distance left, {loss}, no penalty": "剩余距离，{loss}，不加惩罚",
    "distance left, {loss}, no penalty, against its closed form": (
        "剩余距离，{loss}，不加惩罚，与闭式解相比"
    ),
    "WGAN-GP: smallest distance in the last quarter of the rounds": ("WGAN-GP：最后四分之一轮次中的最小距离"),
    "how far images move in {steps} steps without a penalty": "不加惩罚时，图像在 {steps} 步中移动多少",
    "how far images move in {steps} steps with R1": "加 R1 时，图像在 {steps} 步中移动多少",
    "θ (generator)": "θ（生成器）",
    "ψ (discriminator)": "ψ（判别器）",
    "without a penalty": "不加惩罚",
    "with a penalty": "加惩罚",
    "round": "轮次",
    "distance from rest": "到平衡点的距离",
    "Wasserstein, no penalty": "Wasserstein，不加惩罚",
    "Wasserstein, alternating": "Wasserstein，交替更新",
    "step h": "步长 h",
    "factor of a round": "每轮的倍数",
    "momentum {momentum:+g}": "动量 {momentum:+g}",
    (
        "Give the discriminator R1 or R2 and alternate the updates: here {rounds} rounds leave "
        "{left:.2g} of the distance from rest, and {kept:.2g} without a penalty (minimax). The "
        "weight of R1 has an upper limit: times the step size it must stay below {limit:.3g}. "
        "WGAN-GP holds the slope of D at 1, which is not its slope at rest, so its game circles: "
        "average the weights, or let the rate fall. The non-saturating loss and least squares "
        "creep towards rest by themselves, but the distance falls only as the inverse square root "
        "of time. Momentum helps only if it is negative."
    ): (
        "给判别器加上 R1 或 R2，并交替更新：这里 {rounds} 轮之后到平衡点的距离只剩 {left:.2g}，不"
        "加惩罚（极小极大）时为 {kept:.2g}。R1 的权重有上限：它与步长之积须小于 {limit:.3g}。"
        "WGAN-GP 把判别器的斜率保持在 1，而平衡时斜率不是 1，所以博弈绕圈：应对权重取平均，或让学"
        "习率下降。非饱和损失和最小二乘会自行缓慢靠近平衡点，但距离只按时间的 -1/2 次方下降。动量"
        "只有为负时才有帮助。"
    ),
}
"""Chinese by English template."""
