"""The Chinese of ``spiral``; see ``ganzfeld.lab.language``."""

TABLE = {
    (
        "Rotation itself does no harm; what matters is whether the steps turn it inwards or "
        "outwards. Without damping, simultaneous steps always spiral outwards (here by a "
        "factor of {factor:.3f} per step): alternate the updates, as the trainer does, and "
        "give the discriminator R1, which is the damping ld of this game."
    ): (
        "旋转本身无害，关键在于步子使它向内还是向外。无阻尼时，同时更新总是向外螺旋（此处每步"
        " {factor:.3f} 倍）：应像训练器那样交替更新，并给判别器加上 R1，它就是这个博弈的阻尼 "
        "ld。"
    ),
    ("Momentum makes an undamped rotation slower and its growth faster: keep Adam's first beta low."): (
        "动量使无阻尼的旋转变慢，却使其增长加快：Adam 的第一个 beta 应取小值。"
    ),
    (
        "Adam with a constant learning rate does not come to rest but circles at a distance "
        "proportional to its rate, so let the rate fall or average the weights."
    ): (
        "学习率不变的 Adam 不会停下来，而是在与学习率成正比的距离上绕圈，所以应让学习率下降，或对权重取平均。"
    ),
    (
        "Noise with the same autocorrelation shows as strong a rhythm as the logits of this "
        "run with probability {chance:.2f}."
    ): ("自相关相同的噪声以 {chance:.2f} 的概率出现与这次训练的对数几率同样强的节律。"),
    "largest step without damping, {name}": "无阻尼时的最大步长，{name}",
    "largest simultaneous step with this damping": "此阻尼下同时更新的最大步长",
    ("share of the damped cells of the map in which Adam comes to rest"): (
        "图上有阻尼的格子中 Adam 停在平衡点的比例"
    ),
    "share of the map's cells in which game and formula agree": "图上实际博弈与公式一致的格子的比例",
    ("Adam without damping: smallest radius at the end, over the step size"): (
        "无阻尼的 Adam：最后的最小半径与步长之比"
    ),
    ("the flow at lg = {lg:g}, ld = {ld:g} (grey), and {num} rounds of each method at h = {step:g}"): (
        "lg = {lg:g}、ld = {ld:g} 的连续流（灰色），以及 h = {step:g} 时每种方法的 {num} 回合"
    ),
    "step h (lg = 0)": "步长 h（lg = 0）",
    "the live game: Ritz values of its linearised Adam step": ("训练中的博弈：线性化 Adam 步的 Ritz 值"),
    ("the live logits: noise has as strong a rhythm with probability {chance:.2f}"): (
        "训练中的对数几率：噪声以 {chance:.2f} 的概率有同样强的节律"
    ),
    "x (generator)": "x（生成器）",
    "y (discriminator)": "y（判别器）",
    "adam, radius after all rounds\nblue: smaller than at first": (
        "adam，全部回合之后的半径\n蓝：比开始时小"
    ),
    "{name}\nblue: converges, red: diverges": "{name}\n蓝：收敛，红：发散",
    "log (radius at the end / h), median": "log（最后的半径 / h），中位数",
    "largest converging h": "收敛的最大 h",
    "growth per step": "每步增长",
    "radians per step": "每步弧度",
    "entry of the journal": "日志条目",
    "logit real - logit fake": "真实与生成的对数几率之差",
    "without momentum": "不计动量",
    "with momentum {beta:g}": "动量 {beta:g}",
    "growth of that rotation per step, {words}": "该旋转每步的增长，{words}",
    ("antisymmetric share of the live game's motion, without which nothing turns"): (
        "训练中的博弈的运动的反对称部分所占比例，没有它就不会旋转"
    ),
    ("fastest clear rotation of the live game without momentum, radians per step"): (
        "训练中的博弈最快的明确旋转，不计动量，每步弧度"
    ),
    "angle of that rotation per step in radians, {words}": "该旋转每步的弧度，{words}",
    "chance that noise has as strong a rhythm as the logits": ("噪声具有与对数几率同样强的节律的概率"),
    "period of the strongest rhythm, entries of the journal": "最强节律的周期（日志条目）",
    "rotation {words}, radians per step": "旋转，{words}，每步弧度",
    "factor of a step {words}: the matrix against the formula": ("每步的倍数，{words}：矩阵与公式相比"),
    "game {words}, largest difference from its matrix, relative": ("实际博弈，{words}，与其矩阵的最大相对差"),
    "factor of a simultaneous step {words}": "同时更新每步的倍数，{words}",
    ("Jacobian of the game (Wasserstein, R1), largest error of the formula"): (
        "博弈的雅可比矩阵（Wasserstein，R1），公式的最大误差"
    ),
    ("slowest rotation at rest with any loss of the catalogue, radians per unit of time"): (
        "目录中各损失在静止点处最慢的旋转，每单位时间弧度"
    ),
    "rotation at rest with {name}, radians per unit of time": ("{name} 在静止点处的旋转，每单位时间弧度"),
    "flow of the linear game": "线性博弈的连续流",
    "eigenvalues": "特征值",
    "omega": "ω",
    "factor of a simultaneous step of size h": "步长 h 的同时更新的倍数",
    "factor z of a round with momentum": "带动量的一轮的倍数 z",
    "largest stable step without damping": "无阻尼时的最大稳定步长",
    "factor of a simultaneous step on the radius": "同时更新使半径乘以的倍数",
    "2 - |lg - ld|, above 0 where the eigenvalues are complex": ("2 - |lg - ld|，大于 0 时特征值为复数"),
    "frequency of the simulated game, radians per unit of time": "实际博弈的角频率，每单位时间弧度",
    "decay of the simulated game per unit of time": "实际博弈每单位时间的衰减",
    "factor of a simultaneous step on the radius, without damping": "同时更新使半径乘以的倍数，无阻尼",
    "{name}, below 1 at rest": "{name}，趋于静止时小于 1",
    "decay per unit of time at this step": "此步长下每单位时间的衰减",
    "{key}, largest error of the formula": "{key}，公式的最大误差",
}
"""Chinese by English template."""
