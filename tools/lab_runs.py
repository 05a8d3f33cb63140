"""Measure the figures of the lab over several runs, keep them by processor, and compare the processors.

    python tools/lab_runs.py measure LABEL [EXPERIMENT ...]     performs the experiments with --thorough
    python tools/lab_runs.py page                               writes the tables, trains nothing

``measure`` writes the figures over runs into ``docs/lab/measured/LABEL.json``, an experiment at a time, where
LABEL says which processor this is, as ``avx2`` or ``amx``. Experiments that are there already are not
performed again, and finished runs are in the cache: after an interruption the same command continues. On a
processor with more instructions, an older one is played by

    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python tools/lab_runs.py measure avx2

``page`` writes ``docs/lab/measured/runs.md`` and ``runs.zh.md``: every figure with its 99 % interval on each
processor, and whether the first two differ by less than the 99 % interval of their difference (Welch 1947). A
true agreement is missed at one figure in a hundred; more misses than the binomial distribution allows at 99 %
are a defect. Both processors use the same seeds, so that the interval is rather too wide than too narrow.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganzfeld.durable import make_folder, write_bytes, write_json
from ganzfeld.lab.experiments import experiments
from ganzfeld.lab.language import words_in
from ganzfeld.lab.perform import perform
from ganzfeld.lab.student import half_width, welch
from ganzfeld.progress import tell

FOLDER = Path(__file__).parents[1] / "docs" / "lab" / "measured"
LEVEL = 0.99
Figures = Mapping[str, Any]

WORDS = {
    "en": {
        "title": "# The lab's figures over several runs",
        "command": "    python tools/lab_runs.py measure LABEL",
        "why": "Mean over runs ± half of Student's 99 % interval, by processor. Figures of single runs are "
        "examples; they stand on the pages of the experiments.",
        "agree": "{num} figures were measured on two processors, {first} and {second}; {misses} differ by "
        "more than the 99 % interval of their difference, and chance allows {allowed}: {verdict}.",
        "good": "the processors agree",
        "bad": "**the processors disagree**",
        "one": "So far there is one processor, so nothing is compared.",
        "head": "figure | runs",
        "differs": "differ",
        "yes": "yes",
        "no": "no",
    },
    "zh": {
        "title": "# 实验室：多次训练的数值",
        "command": "    python tools/lab_runs.py measure LABEL",
        "why": "各处理器上多次训练的平均值 ± 99 % 学生 t 区间的半宽。"
        "单次训练的数值只是例子，见各实验的页面。",
        "agree": "{num} 个数值在 {first} 与 {second} 两种处理器上都测过；"
        "{misses} 个之差超出差值的 99 % 区间，偶然至多可有 {allowed} 个：{verdict}。",
        "good": "两种处理器一致",
        "bad": "**两种处理器不一致**",
        "one": "目前只有一种处理器的结果，尚无比较。",
        "head": "数值 | 训练次数",
        "differs": "不同",
        "yes": "是",
        "no": "否",
    },
}  # fmt: skip
NAMES = {"en": "runs.md", "zh": "runs.zh.md"}


def main() -> None:
    """Measure what is missing for a processor, or write the pages."""
    parser = argparse.ArgumentParser(description="The lab's figures over several runs, by processor.")
    parser.add_argument("work", choices=["measure", "page"])
    parser.add_argument("label", nargs="?", default="")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.work == "measure":
        if not options.label.isidentifier():
            parser.error("measure needs a LABEL of letters, digits and _, which says what processor this is")
        measure(options.label, options.names or experiments.names(), FOLDER)
    write_pages(FOLDER)


def measure(label: str, names: Sequence[str], folder: Path) -> None:
    """Perform the experiments that the file of this processor does not hold, and keep each at once."""
    make_folder(folder)
    path = folder / f"{label}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name in names:
        if name in kept:
            continue
        begun, cpu = time.monotonic(), _cpu_s()
        outcome = perform(name, {}, thorough=True, tell=tell, progress=False)
        figures = {
            figure.key: {
                "name": words_in("en", figure.name),
                "name_zh": words_in("zh", figure.name),
                "value": figure.value,
                "error": figure.error,
                "dof": figure.dof,
                "runs": figure.num_trainings,
                "state": figure.state,
            }
            for figure in outcome.figures
            if is_over_runs(figure.num_trainings, figure.value, figure.error)
        }
        seconds = {"seconds": round(time.monotonic() - begun), "cpu_seconds": round(_cpu_s() - cpu)}
        kept[name] = {"verdict": outcome.verdict, **seconds, "figures": figures}
        write_json(path, dict(sorted(kept.items())))
        print(f"{name}: {len(figures)} figures over runs, {seconds['seconds']} s", flush=True)


def is_over_runs(num_runs: int | None, value: float, error: float) -> bool:
    """Return whether a figure is a mean over several runs with an error, and not true by arithmetic."""
    return (num_runs or 0) > 1 and math.isfinite(value) and math.isfinite(error) and error > 0


def _cpu_s() -> float:
    """Return the seconds that this process and the finished ones that it started have computed."""
    return sum(os.times()[:4])


def differ(one: Figures, other: Figures) -> bool:
    """Return whether two means differ by more than the interval of their difference."""
    error = math.hypot(one["error"], other["error"])
    dof = welch(one["error"], one["dof"], other["error"], other["dof"])
    return abs(one["value"] - other["value"]) > half_width(error, dof, LEVEL)


def most_misses(num: int) -> int:
    """Return how many of ``num`` true agreements are missed at most, with a probability of ``LEVEL``.

    >>> most_misses(0), most_misses(100)
    (0, 4)
    """
    misses, total = 0, 0.0
    while (total := total + math.comb(num, misses) * (1 - LEVEL) ** misses * LEVEL ** (num - misses)) < LEVEL:
        misses += 1
    return misses


def write_pages(folder: Path) -> None:
    """Write the tables in both languages from the files of all processors."""
    kept = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    for language, name in NAMES.items():
        write_bytes(folder / name, page(kept, language).encode())


def page(kept: Mapping[str, Any], language: str) -> str:
    """Return the page from the experiments of every processor."""
    words, labels = WORDS[language], list(kept)
    both = labels[:2] if len(labels) > 1 else []
    tables, num, misses = [], 0, 0
    for name in sorted({name for of_label in kept.values() for name in of_label}):
        of_labels = [kept[label].get(name, {"figures": {}})["figures"] for label in labels]
        rows = []
        for key in dict.fromkeys(key for figures in of_labels for key in figures):
            figures = [figures.get(key) for figures in of_labels]
            row = _row(figures, language)
            if both and figures[0] and figures[1]:
                missed = differ(figures[0], figures[1])
                num, misses = num + 1, misses + missed
                row += f" {words['yes' if missed else 'no']} |"
            elif both:
                row += " |"
            rows.append(row)
        if rows:
            columns = [*words["head"].split(" | "), *labels, *([words["differs"]] if both else [])]
            head = "| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|"
            tables += [f"## {name}", "\n".join([head, *rows])]
    allowed = most_misses(num)
    state = words["one"]
    if both:
        verdict = words["good" if misses <= allowed else "bad"]
        values = {"num": num, "misses": misses, "allowed": allowed, "verdict": verdict}
        state = words["agree"].format(first=both[0], second=both[1], **values)
    return "\n\n".join([words["title"], words["command"], words["why"], state, *tables]) + "\n"


def _row(figures: Sequence[Figures | None], language: str) -> str:
    """Return a figure's name, its number of runs, and its value on every processor, as a row without end."""
    first = next(figure for figure in figures if figure)
    values = [
        f"{figure['value']:.4g} ± {half_width(figure['error'], figure['dof'], LEVEL):.2g}" if figure else ""
        for figure in figures
    ]
    return (
        "| "
        + " | ".join([first["name_zh" if language == "zh" else "name"], str(first["runs"]), *values])
        + " |"
    )


if __name__ == "__main__":
    main()
