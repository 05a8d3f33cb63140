"""The pages docs/ablations.md and docs/ablations.zh.md, written from the results."""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from ganzfeld.durable import make_folder
from ganzfeld.lab.ablations.cells import BASE, GROUPS, Conditions
from ganzfeld.lab.ablations.results import Result
from ganzfeld.lab.ablations.table import Row
from ganzfeld.lab.language import Phrase, both, say, together, words_in
from ganzfeld.output import Mark, require_replaceable, write_output

PAGES = {"en": "ablations.md", "zh": "ablations.zh.md"}
NAMES = {"en": "English", "zh": "简体中文"}
COMMAS = {"en": ", ", "zh": "、"}
"""By language: the name of the page, that of the language, and what stands between the parts of a list."""


def require_pages_replaceable(folder: Path) -> None:
    """Raise ``UsageError`` if the pages would overwrite files that this command has not written."""
    for name in PAGES.values():
        require_replaceable(folder / name, Mark.ABLATIONS)


def write_pages(
    rows: Sequence[Row], results: Sequence[Result], conditions: Conditions, seeds: int, folder: Path
) -> None:
    """Write both pages into a folder. Raises ``UsageError`` for files of the user's, ``ResourceError`` if it
    cannot write.
    """
    require_pages_replaceable(folder)
    make_folder(folder)
    for language, name in PAGES.items():
        text = page(language, rows, results, conditions, seeds)
        write_output(folder / name, text.encode(), Mark.ABLATIONS)


def page(
    language: str, rows: Sequence[Row], results: Sequence[Result], conditions: Conditions, seeds: int
) -> str:
    """Return the page in a language."""
    other = "zh" if language == "en" else "en"
    lines = [
        f"<!-- {Mark.ABLATIONS.text} -->",
        say("# Ablations: what one change is worth"),
        f"[{NAMES[other]}]({PAGES[other]})",
        say(
            "    ganzfeld lab ablations                 # all runs; can be interrupted and continued\n"
            "    ganzfeld lab ablations --page          # writes this page from the results, trains nothing"
        ),
        say(
            "The base is what the chapter recommends (recipe `seed`) at 32 px with width 32 and batches of"
            " 16, trained on {images:,} images of the built-in faces. Every other cell changes one thing of"
            " the base, or of the cell named in its row. Learning rates stay as they are except in their own"
            " row: a change that would need another rate is measured at the rate of the base.",
            images=conditions.images,
        ),
        say(
            "*Measured* is the kernel distance ({space}; 0 is best) of {num:,} images of the "
            "averaged generator at the end from as many real images. *Difference* is the mean over seeds of "
            "the cell minus its counterpart at the same seed, with Student's 95 % interval of this row by "
            "itself. *Adjusted p* is corrected for the number of rows (Benjamini & Hochberg 1995); below "
            "0.05 the verdict is better or worse, and at most 5 % of these verdicts are expected to be "
            "wrong. A star marks those that also stand Holm's correction: the probability of a single wrong "
            "one among them is at most 5 %. Otherwise the row is not decided.",
            space=", ".join(sorted({result.features for result in results})) or "-",
            num=conditions.num_measured,
        ),
        together([_state(rows, seeds), _seconds(results, language)]),
    ]
    for group, titles in GROUPS.items():
        own = [_row(row, seeds, language) for row in rows if row.cell.group == group]
        if own:
            head = say("| change | against | runs | measured | difference | adjusted p | verdict |")
            table = "\n".join([words_in(language, head), "|---|---|---|---|---|---|---|", *own])
            lines += [say("## {title}", title=both(*titles)), table]
    undecided = [f"`{row.cell.key}`" for row in rows if row.verdict == "not decided"]
    names = say("{names}.", names=COMMAS[language].join(undecided)) if undecided else say("Nothing.")
    lines += [say("## Not decided"), names]
    return "\n\n".join(words_in(language, line) for line in lines) + "\n"


def _state(rows: Sequence[Row], seeds: int) -> Phrase:
    """Say on how many runs the table rests, and whether some are missing."""
    present, wanted = sum(min(row.num_runs, seeds) for row in rows), seeds * len(rows)
    num = sum(row.num_runs for row in rows)
    if present == wanted:
        return say("The table rests on {num} runs, {seeds} or more per cell.", num=num, seeds=seeds)
    return say(
        "**Incomplete: the table rests on {num} runs, and {missing} of {wanted} are missing."
        " Verdicts may still change.**",
        num=num,
        missing=wanted - present,
        wanted=wanted,
    )


def _seconds(results: Sequence[Result], language: str) -> Phrase | str:
    """Say how long a run took, and where; nothing without results."""
    if not results:
        return ""
    return say(
        "A run took {seconds:.0f} s on average, in float32 with one thread ({chips}).",
        seconds=statistics.fmean(result.seconds for result in results),
        chips=COMMAS[language].join(sorted({result.chip for result in results})),
    )


def _row(row: Row, seeds: int, language: str) -> str:
    """Return a row of the table in a language; with fewer runs than seeds it says so."""
    num = row.num_runs
    runs = say("{num} of {seeds}", num=num, seeds=seeds) if num < seeds else str(num)
    if row.num_stopped:
        runs = say("{runs}, {stopped} not finite", runs=runs, stopped=row.num_stopped)
    name, verdict = both(row.cell.name, row.cell.name_zh), "" if row.verdict == "base" else say(row.verdict)
    return _cells(
        row,
        words_in(language, name),
        words_in(language, runs),
        words_in(language, verdict),
    )


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
