"""The Chinese of ``ring``."""

TABLE = {
    "modes found": "找到的模式数",
    "share of high quality": "高质量样本的比例",
    "KL of the histogram of modes, nats": "模式直方图的 KL 散度（nat）",
    "mean -log p, nats": "平均 -log p（nat）",
    "{name}: {measure}": "{name}：{measure}",
    "exact points: {name}": "精确样本点：{name}",
    "{name}: fewest modes found in a seed": "{name}：各种子中找到模式最少者",
    "clusters of real images that {name} reach": "{name}到达的真实图像聚类数",
    "KL of the clusters of {name} from those of real images, nats": (
        "{name}的聚类与真实图像聚类之间的 KL 散度（nat）"
    ),
    "other real images": "其他真实图像",
    "generated images": "生成图像",
    "real images": "真实图像",
    "{name}\n{mean:.1f} of {all} modes": "{name}\n{all} 个模式中的 {mean:.1f} 个",
    "live: share of images by cluster": "训练现场：各聚类的图像比例",
    "All {num} modes were found in every seed by: {complete}. The fewest by: {worst}, {fewest:.0f} in "
    "its worst seed.": (
        "在每个种子中都找到全部 {num} 个模式的有：{complete}。找到最少的是：{worst}，"
        "最差的种子只找到 {fewest:.0f} 个。"
    ),
    "none of these": "一个也没有",
    "Look at quality beside modes: a generator that spreads evenly finds all modes, but most of its "
    "points lie between them.": (
        "除了模式数还要看质量：均匀铺开的生成器能找到所有模式，但它的样本大多落在模式之间。"
    ),
    "In situ the generated images reach {reached:.0f} of {clusters} clusters of real ones.": (
        "在训练现场，生成图像到达了真实图像 {clusters} 个聚类中的 {reached:.0f} 个。"
    ),
    "density": "密度",
    "entropy of modes that do not touch": "互不重叠的模式的熵",
    "points of high quality": "高质量样本",
    "histogram of n exact points": "n 个精确样本点的直方图",
}
"""Chinese by English template; see ``ganzfeld.lab.language``."""
