"""The Chinese of what all experiments share."""

TABLE = {
    "holds": "成立",
    "holds with limits": "成立，但有局限",
    "fails": "不成立",
    "not decided": "未能判定",
}
"""Chinese by English template; see ``ganzfeld.lab.language``."""
