"""The Chinese of the page of ablations; see ``ganzfeld.lab.language``."""

TABLE = {
    "# Ablations: what one change is worth": "# 消融实验：每次只改一处，差别有多大",
    (
        "    ganzfeld lab ablations                 # all runs; can be interrupted and continued\n"
        "    ganzfeld lab ablations --page          # writes this page from the results, trains nothing"
    ): (
        "    ganzfeld lab ablations                 # 全部训练；可以中断，再次运行即从中断处继续\n"
        "    ganzfeld lab ablations --page          # 由已有结果写出本页，不做训练"
    ),
    (
        "The base is what the chapter recommends (recipe `seed`) at 32 px with width 32 and batches of 16,"
        " trained on {images:,} images of the built-in faces. Every other cell changes one thing of the"
        " base, or of the cell named in its row. Learning rates stay as they are except in their own row:"
        " a change that would need another rate is measured at the rate of the base."
    ): (
        "基准是教材的建议（配方 `seed`）：32 像素、宽度 32、批量 16，在内置人脸上训练 {images:,} 张图像。"
        "其余各格只改基准的一处，或只改该行所注明的另一格的一处。除专门改学习率的一行外，学习率一律不变：若某项改动需要另调学习率，"
        "这里测的仍是基准学习率下的结果。"
    ),
    (
        "*Measured* is the kernel distance ({space}; 0 is best) of {num:,} images of the averaged generator "
        "at the end from as many real images. *Difference* is the mean over seeds of the cell minus its "
        "counterpart at the same seed, with Student's 95 % interval of this row by itself. *Adjusted p* is "
        "corrected for the number of rows (Benjamini & Hochberg 1995); below 0.05 the verdict is better or "
        "worse, and at most 5 % of these verdicts are expected to be wrong. A star marks those that also "
        "stand Holm's correction: the probability of a single wrong one among them is at most 5 %. "
        "Otherwise the row is not decided."
    ): (
        "“实测”是训练结束时平均生成器的 {num:,} 张图像与同样多真实图像之间的核距离（{space}；0 为最好）。"
        "“差值”是同一种子下该格减去对照格的平均值，附该行单独的 95 % 学生 t 区间。“校正后的 p”已按行数校正"
        "（Benjamini 与 Hochberg 1995）：小于 0.05 时判为更好或更差，这些判定中预期至多有 5 % 是错的。"
        "带星号者也通过 Holm 校正：其中哪怕出现一个错误判定的概率至多为 5 %。其余各行未能判定。"
    ),
    "The table rests on {num} runs, {seeds} or more per cell.": (
        "本表基于 {num} 次训练，每格至少 {seeds} 次。"
    ),
    (
        "**Incomplete: the table rests on {num} runs, and {missing} of {wanted} are missing."
        " Verdicts may still change.**"
    ): "**尚不完整：本表基于 {num} 次训练，应有 {wanted} 次，还缺 {missing} 次。判定仍可能改变。**",
    "A run took {seconds:.0f} s on average, in float32 with one thread ({chips}).": (
        "每次训练平均用时 {seconds:.0f} 秒，float32，单线程（{chips}）。"
    ),
    "| change | against | runs | measured | difference | adjusted p | verdict |": (
        "| 改动 | 对照 | 训练次数 | 实测 | 差值 | 校正后的 p | 判定 |"
    ),
    "{num} of {seeds}": "{num}/{seeds}",
    "{runs}, {stopped} not finite": "{runs}，{stopped} 次出现非有限数",
    "## {title}": "## {title}",
    "## Not decided": "## 未能判定",
    "{names}.": "{names}。",
    "Nothing.": "无。",
    "better": "更好",
    "worse": "更差",
}
"""Chinese by English template."""
