"""The pages docs/ablations.md and docs/ablations.zh.md, written from the results."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from ganzfeld.durable import make_folder
from ganzfeld.lab.ablations.cells import BASE, GROUPS, Conditions
from ganzfeld.lab.ablations.results import Result
from ganzfeld.lab.ablations.table import Row
from ganzfeld.output import Mark, require_replaceable, write_output

PAGES = ("ablations.md", "ablations.zh.md")

VERDICTS_ZH = {"better": "更好", "worse": "更差", "not decided": "未能判定", "base": ""}


def require_pages_replaceable(folder: Path) -> None:
    """Raise ``UsageError`` if the pages would overwrite files that this command has not written."""
    for name in PAGES:
        require_replaceable(folder / name, Mark.ABLATIONS)


def write_pages(
    rows: Sequence[Row], results: Sequence[Result], conditions: Conditions, seeds: int, folder: Path
) -> None:
    """Write both pages into a folder. Raises ``UsageError`` for files of the user's, ``ResourceError`` if it
    cannot write.
    """
    require_pages_replaceable(folder)
    make_folder(folder)
    for name, text in zip(
        PAGES,
        (page_en(rows, results, conditions, seeds), page_zh(rows, results, conditions, seeds)),
        strict=True,
    ):
        write_output(folder / name, text.encode(), Mark.ABLATIONS)


def page_en(rows: Sequence[Row], results: Sequence[Result], conditions: Conditions, seeds: int) -> str:
    """Return the page in English."""
    images, num = f"{conditions.images:,}", f"{conditions.num_measured:,}"
    present, wanted = sum(min(row.num_runs, seeds) for row in rows), seeds * len(rows)
    state = (
        f"The table rests on {_count(rows)} runs, {seeds} or more per cell."
        if present == wanted
        else f"**Incomplete: the table rests on {_count(rows)} runs, and {wanted - present} of"
        f" {wanted} are missing.**"
    )
    lines = [
        f"<!-- {Mark.ABLATIONS.text} -->",
        "# Ablations: what one change is worth",
        "[简体中文](ablations.zh.md)",
        "    ganzfeld lab ablations                 # all runs; can be interrupted and continued\n"
        "    ganzfeld lab ablations --page          # writes this page from the results, trains nothing",
        f"The base is what the chapter recommends (recipe `seed`) at 32 px with width 32 and batches of 16,"
        f" trained on {images} images of the built-in faces. Every other cell changes one thing of the"
        " base, or of the cell named in its row. All learning rates stay as they are: a change that would"
        " need another rate is measured at the rate of the base.",
        f"*Measured* is the kernel distance ({_space(results)}; 0 is best) of {num} images of the "
        "averaged generator at the end from as many real images. *Difference* is the mean over seeds of the "
        "cell minus its counterpart at the same seed, with Student's 95 % interval of this row by itself. "
        "*Adjusted p* is corrected for the number of rows (Benjamini & Hochberg 1995); below 0.05 the"
        " verdict is better or worse, and at most 5 % of these verdicts are expected to be wrong. A star"
        " marks those that also stand Holm's correction: the probability of a single wrong one among them is"
        " at most 5 %. Otherwise the row is not decided.",
        f"{state} {_seconds_en(results)}",
    ]
    for group, (title, _) in GROUPS.items():
        own = [row for row in rows if row.cell.group == group]
        if own:
            head = "| change | against | runs | measured | difference | adjusted p | verdict |"
            lines += [f"## {title}", "\n".join([head, "|---|---|---|---|---|---|---|", *map(_row_en, own)])]
    undecided = [row.cell.key for row in rows if row.verdict == "not decided"]
    lines += ["## Not decided", ", ".join(f"`{key}`" for key in undecided) + "." if undecided else "Nothing."]
    return "\n\n".join(lines) + "\n"


def page_zh(rows: Sequence[Row], results: Sequence[Result], conditions: Conditions, seeds: int) -> str:
    """Return the page in Chinese."""
    images, num = f"{conditions.images:,}", f"{conditions.num_measured:,}"
    present, wanted = sum(min(row.num_runs, seeds) for row in rows), seeds * len(rows)
    state = (
        f"本表基于 {_count(rows)} 次训练，每格至少 {seeds} 次。"
        if present == wanted
        else f"**尚不完整：本表基于 {_count(rows)} 次训练，应有 {wanted} 次，还缺 {wanted - present} 次。**"
    )
    lines = [
        f"<!-- {Mark.ABLATIONS.text} -->",
        "# 消融实验：每次只改一处，差别有多大",
        "[English](ablations.md)",
        "    ganzfeld lab ablations                 # 全部训练；可以中断，再次运行即从中断处继续\n"
        "    ganzfeld lab ablations --page          # 由已有结果写出本页，不做训练",
        f"基准是教材的建议（配方 `seed`）：32 像素、宽度 32、批量 16，在内置人脸上训练 {images} 张图像。"
        "其余各格只改基准的一处，或只改该行所注明的另一格的一处。学习率一律不变：若某项改动需要另调学习率，这里测的仍是基准学习率下的结果。",
        f"“实测”是训练结束时平均生成器的 {num} 张图像与同样多真实图像之间的核距离"
        f"（{_space(results)}；0 为最好）。"
        "“差值”是同一种子下该格减去对照格的平均值，附该行单独的 95 % 学生 t 区间。“校正后的 p”已按行数校正"
        "（Benjamini 与 Hochberg 1995）：小于 0.05 时判为更好或更差，这些判定中预期至多有 5 % 是错的。"
        "带星号者也通过 Holm 校正："
        "其中哪怕出现一个错误判定的概率至多为 5 %。其余各行未能判定。",
        f"{state}{_seconds_zh(results)}",
    ]
    for group, (_, title) in GROUPS.items():
        own = [row for row in rows if row.cell.group == group]
        if own:
            head = "| 改动 | 对照 | 训练次数 | 实测 | 差值 | 校正后的 p | 判定 |"
            lines += [f"## {title}", "\n".join([head, "|---|---|---|---|---|---|---|", *map(_row_zh, own)])]
    undecided = [row.cell.key for row in rows if row.verdict == "not decided"]
    lines += ["## 未能判定", "、".join(f"`{key}`" for key in undecided) + "。" if undecided else "无。"]
    return "\n\n".join(lines) + "\n"


def _row_en(row: Row) -> str:
    stopped = f", {row.num_stopped} not finite" if row.num_stopped else ""
    verdict = "" if row.verdict == "base" else row.verdict
    return _cells(row, row.cell.name, f"{row.num_runs}{stopped}", verdict)


def _row_zh(row: Row) -> str:
    stopped = f"，{row.num_stopped} 次出现非有限数" if row.num_stopped else ""
    return _cells(row, row.cell.name_zh, f"{row.num_runs}{stopped}", VERDICTS_ZH[row.verdict])


def _cells(row: Row, name: str, runs: str, verdict: str) -> str:
    against = "" if row.verdict == "base" else f"`{row.cell.against}`"
    interval = "" if math.isnan(row.half_width) else f" ± {row.half_width:.3f}"
    difference = "" if math.isnan(row.difference) else f"{row.difference:+.3f}{interval}"
    adjusted = "" if row.num_pairs < 2 else f"{row.adjusted:.2g}"
    mean = "" if math.isnan(row.mean) else f"{row.mean:.3f}"
    star = " *" if row.family_wise and row.verdict not in ("base", "not decided") else ""
    columns = (f"{name} (`{row.cell.key}`)", against, runs, mean, difference, adjusted, f"{verdict}{star}")
    return "| " + " | ".join(columns) + " |"


def text_of(rows: Sequence[Row]) -> str:
    """Return the table as text for a terminal."""
    width = max(len(row.cell.key) for row in rows)
    lines = []
    for row in rows:
        mean = "-" if math.isnan(row.mean) else f"{row.mean:.3f}"
        interval = "" if math.isnan(row.half_width) else f" ± {row.half_width:.3f}"
        difference = "" if math.isnan(row.difference) else f"{row.difference:+.3f}{interval}"
        against = "" if row.cell.key == BASE else f"against {row.cell.against}"
        verdict = "" if row.verdict == "base" else row.verdict
        lines.append(
            f"{row.cell.key.ljust(width)}  {row.num_runs:2} runs  {mean:>7}  {difference:18}  {verdict:11}"
            f"  {against}".rstrip()
        )
    return "\n".join(lines)


def _count(rows: Sequence[Row]) -> int:
    return sum(row.num_runs for row in rows)


def _space(results: Sequence[Result]) -> str:
    return ", ".join(sorted({result.features for result in results})) or "-"


def _seconds_en(results: Sequence[Result]) -> str:
    if not results:
        return ""
    chips = ", ".join(sorted({result.chip for result in results}))
    return f"A run took {_mean_seconds(results):.0f} s on average, in float32 with one thread ({chips})."


def _seconds_zh(results: Sequence[Result]) -> str:
    if not results:
        return ""
    chips = "、".join(sorted({result.chip for result in results}))
    return f"每次训练平均用时 {_mean_seconds(results):.0f} 秒，float32，单线程（{chips}）。"


def _mean_seconds(results: Sequence[Result]) -> float:
    return statistics.fmean(result.seconds for result in results)
