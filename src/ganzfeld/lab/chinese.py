"""The Chinese of what all experiments share."""

TABLE = {
    # Verdicts and findings.
    "holds": "成立",
    "holds with limits": "成立，但有局限",
    "fails": "不成立",
    "not decided": "未能判定",
    "not performed": "未能进行",
    "agrees": "相符",
    "REFUTED": "不符",
    "as claimed": "如所述",
    "limit": "局限",
    "open": "未定",
    "one run, decides nothing": "仅一次运行，不作判定",
    "{value} in one run": "{value}（一次运行）",
    "{number} to within {slack}": "{number}，误差不超过 {slack}",
    "{own}, {low} to {high}": "{own}，{low} 至 {high}",
    # Why a figure is open.
    "the measurement is not a finite number": "测得的不是有限数",
    "one run is an example; --thorough measures several": "一次运行只是示例；--thorough 测量多次",
    "both are equal": "两者相等",
    "the interval covers both sides": "区间跨在两侧",
    # Tables.
    "figure": "数值",
    "measured": "测得",
    "claim expects": "论断预期",
    "closed form": "闭式公式",
    "bench": "玩具问题",
    "in situ": "训练现场",
    # Networks and runs.
    "the built-in faces": "内置人脸",
    "{num:,} images": "{num:,} 张图像",
    "a short run on {data} ({details})": "在{data}上的一次短运行（{details}）",
    "{run} after {num:,} images": "{run}，已见 {num:,} 张图像",
    "{num} runs (seeds {first} to {last}), each {place}": (
        "{num} 次运行（种子 {first} 至 {last}），每次为{place}"
    ),
    "{num} runs to train, {jobs} at a time: {time}. If you interrupt this, it continues later with the runs"
    " that are missing.": (
        "需要训练 {num} 次，同时进行 {jobs} 次：{time}。如果中断，以后会从缺少的运行继续。"
    ),
    "Networks to train on {images:,} images, one run after the other: {time}.": (
        "需要用 {images:,} 张图像依次训练网络：{time}。"
    ),
    "{done} of {num}; {time} left": "{done}/{num}；还需{time}",
    "about {num:.0f} seconds": "约 {num:.0f} 秒",
    "about {num:.0f} minutes": "约 {num:.0f} 分钟",
    "about {num:.1f} hours": "约 {num:.1f} 小时",
    # Formulas.
    "{name} by {way}, largest error of the formula": "{name}，用{way}检验，公式的最大误差",
    "autograd": "自动微分",
    "differences in float64": "float64 差分",
    "small layers whose size is not that of the formula": "尺寸与公式不符的小型层的个数",
    # The report.
    "The lab": "实验室",
    "verdict": "结论",
    "what the seed text says": "原文",
    "in English": "英文",
    "What to do.": "建议。",
    "What the theory of deep convolutional generative adversarial networks claims, sentence by sentence,"
    " and what was measured. A verdict follows from figures and is never typed in. A sentence fails if one"
    " of its figures departs from it, is not decided if an interval covers both sides or nothing was"
    " measured that could decide it, and holds with limits if a figure at one of its limits departs."
    " Intervals are Student's, so wide that at most one true sentence in a hundred fails by chance. What"
    " is measured in one run is an"
    " example, and decides nothing.": (
        "深度卷积生成对抗网络的理论逐句说了什么，测得的又是什么。结论由数值得出，绝不手工写入。"
        "只要有一个数值与句子不符，该句就不成立；如果区间跨在两侧，或者没有能作出判定的测量，就未能判定；"
        "如果只在其局限处不符，则成立，但有局限。区间为 Student t 区间，宽到一百个正确的句子中"
        "至多有一个会偶然被判为不成立。只在一次运行中测得的数值是示例，不作判定。"
    ),
}
"""Chinese by English template; see ``ganzfeld.lab.language``."""
