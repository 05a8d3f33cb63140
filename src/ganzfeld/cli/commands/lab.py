"""``ganzfeld lab``."""

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.progress import tell

if TYPE_CHECKING:
    from ganzfeld.lab import Outcome

application = typer.Typer(
    help="Test the theory's claims in experiments that can fail.\n\nExample: ganzfeld lab run leaky-slope",
    no_args_is_help=True,
    rich_markup_mode=None,
)

On = Annotated[
    Path | None,
    typer.Option("--on", help="Run folder, whose networks and images are measured instead of the lab's."),
]
Seed = Annotated[
    int,
    typer.Option(help="Seed of all random numbers; it determines the figures.", min=0, max=2**63 - 1),
]
Language = Annotated[
    str | None,
    typer.Option(
        "--lang", help="Language of what is printed and drawn: en or zh. Default: GANZFELD_LANG, else en."
    ),
]
Thorough = Annotated[bool, typer.Option("--thorough", help="Use more samples, steps and runs; takes longer.")]


@application.command("list")
def list_experiments(language: Language = None, json: Json = False) -> None:
    """List the experiments.

    Shows the claim that each experiment tests and the settings that it accepts.

    Example: ganzfeld lab list
    """
    from ganzfeld.lab import experiments
    from ganzfeld.lab.language import chosen_language
    from ganzfeld.lab.words import as_options

    language = chosen_language(language)
    described = []
    for name in experiments.names():
        entry = experiments.load(name)
        described.append(
            {
                "name": name,
                "claim": entry.CLAIM,
                "claim_zh": entry.CLAIM_ZH,
                "section": entry.SECTION,
                "settings": entry.Settings().model_dump(mode="json"),
            }
        )
    lines = []
    for entry in described:
        lines += [
            entry["name"],
            f"  {entry['claim_zh' if language == 'zh' else 'claim']}",
            f"  {as_options(entry['settings'])}",
        ]
    show_result({"experiments": described}, "\n".join(lines), json)


@application.command("run")
def run_experiment(
    name: Annotated[str, typer.Argument(help="Name of the experiment; see ganzfeld lab list.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Setting name=value of the experiment; repeatable."),
    ] = None,
    seed: Seed = 0,
    thorough: Thorough = False,
    on: On = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for verdict.json and figure.png. Default: lab/NAME.")
    ] = None,
    language: Language = None,
    json: Json = False,
) -> None:
    """Run one experiment: figures, verdict, and advice.

    Example: ganzfeld lab run leaky-slope --set alpha=0.1
    """
    from ganzfeld.lab import experiments, write_outcome
    from ganzfeld.lab.language import chosen_language, words_in
    from ganzfeld.lab.perform import perform, require_outcome_replaceable
    from ganzfeld.recipes import parsed

    language = chosen_language(language)
    name = experiments.canonical(name)
    folder = out or Path("lab") / name
    require_outcome_replaceable(folder)
    outcome = perform(
        name,
        parsed(settings or []),
        seed=seed,
        thorough=thorough,
        on=on,
        tell=lambda text: tell(words_in(language, text)),
    )
    write_outcome(outcome, folder, language)
    files = {"figure": str(folder / "figure.png"), "out": str(folder)}
    show_result(outcome.as_json() | files, f"{_text(outcome, language)}\n\nfigure   {files['figure']}", json)


@application.command()
def report(
    seed: Seed = 0,
    thorough: Thorough = False,
    on: On = None,
    out: Annotated[Path, typer.Option(help="Page (HTML) to write.")] = Path("lab/report.html"),
    language: Language = None,
    json: Json = False,
) -> None:
    """Run all experiments and write one page.

    The page shows verdicts, figures and formulas. This takes some minutes.

    Example: ganzfeld lab report --out lab.html
    """
    from ganzfeld.lab.language import chosen_language, say, words_in
    from ganzfeld.lab.report import perform_all, write_report
    from ganzfeld.output import Mark, require_replaceable

    language = chosen_language(language)
    require_replaceable(out, Mark.LAB_REPORT)
    performed = perform_all(
        seed=seed, thorough=thorough, on=on, callback=lambda text: tell(words_in(language, text))
    )
    write_report(performed, out, language)
    width = max(len(outcome.name) for outcome in performed)
    text = "\n".join(
        f"{outcome.name.ljust(width)}  {words_in(language, say(outcome.verdict))}" for outcome in performed
    )
    result = {"report": str(out.absolute()), "experiments": [outcome.as_json() for outcome in performed]}
    show_result(result, f"{text}\n\nreport   {out}", json)


@application.command()
def ablations(
    seeds: Annotated[int, typer.Option(help="Number of seeds per cell, from 0 on.", min=1, max=1000)] = 5,
    cells: Annotated[
        str, typer.Option(help="Cells to make, separated by commas, and those they are compared with.")
    ] = "",
    images: Annotated[
        int, typer.Option(help="Images that each run sees.", min=1, max=1_000_000_000)
    ] = 60_000,
    jobs: Annotated[int, typer.Option(help="Runs at a time, one thread each.", min=1, max=1024)] = 2,
    results: Annotated[
        Path, typer.Option(help="Folder of results: one small file per run, which is not made again.")
    ] = Path("lab/ablations"),
    data: Annotated[
        Path | None, typer.Option(help="Images to train on instead of the built-in faces.")
    ] = None,
    page: Annotated[
        bool,
        typer.Option("--page", help="Train nothing: write the pages in --docs from the results there are."),
    ] = False,
    docs: Annotated[
        Path,
        typer.Option(
            help="Folder for ablations.md, ablations.zh.md and ablations.json, whose runs are not made again."
        ),
    ] = Path("docs"),
    json: Json = False,
) -> None:
    """Compare runs that each change one thing.

    All cells take hours. The command can be interrupted: it then continues with the runs that are missing.

    Example: ganzfeld lab ablations --cells g-relu,clip --seeds 5
    """
    from ganzfeld.lab.ablations import page as pages
    from ganzfeld.lab.ablations.cells import Conditions, chosen_cells
    from ganzfeld.lab.ablations.kept import all_results, require_kept_replaceable, write_kept
    from ganzfeld.lab.ablations.schedule import missing, perform
    from ganzfeld.lab.ablations.table import table_of

    wanted = chosen_cells([key.strip() for key in cells.split(",") if key.strip()])
    conditions = Conditions(images, None if data is None else str(data.absolute()))
    finished = all_results(results, docs, conditions)
    if page:
        pages.require_pages_replaceable(docs)
        require_kept_replaceable(docs)
    else:
        perform(results, missing(finished, wanted, seeds), conditions, jobs, tell)
        finished = all_results(results, docs, conditions)
    of_wanted = [result for result in finished if result.cell in {cell.key for cell in wanted}]
    rows = table_of(of_wanted, wanted)
    text = pages.text_of(rows)
    if page:
        pages.write_pages(rows, of_wanted, conditions, seeds, docs)
        write_kept(finished, docs)
        text += f"\n\npage     {docs / pages.PAGES['en']}"
    show_result({"images": images, "seeds": seeds, "cells": [row.as_json() for row in rows]}, text, json)


@application.command()
def play(
    out: Annotated[Path, typer.Option(help="Page (HTML) to write.")] = Path("lab/play.html"),
    json: Json = False,
) -> None:
    """Write a page on which methods can be tried.

    It draws the phase portrait of the smallest game in the browser, for every loss, penalty and method.

    Example: ganzfeld lab play --out play.html
    """
    from ganzfeld.lab.play import write_play

    write_play(out)
    show_result({"page": str(out.absolute())}, f"page     {out}", json)


def _text(outcome: "Outcome", language: str) -> str:
    """Return an outcome as text."""
    from ganzfeld.lab.language import say, words_in
    from ganzfeld.lab.words import COLUMNS, by_part

    def w(text: str) -> str:
        return words_in(language, text)

    parts = {w(part): [tuple(map(w, row)) for row in rows] for part, rows in by_part(outcome.figures).items()}
    columns = tuple(map(w, COLUMNS))
    all_rows = [columns, *(row for rows in parts.values() for row in rows)]
    widths = [max(_width(row[column]) for row in all_rows) for column in range(len(columns))]

    def line(row: tuple[str, ...]) -> str:
        name, *numbers, finding = row
        right = (
            _padded(number, width, right=True) for number, width in zip(numbers, widths[1:], strict=False)
        )
        return "  ".join(("  " + _padded(name, widths[0]), *right, finding)).rstrip()

    lines = [f"{outcome.name}: {w(say(outcome.verdict))}", ""]
    verdicts = [w(say(claim["verdict"])) for claim in outcome.claims]
    width = max(map(_width, verdicts))
    for verdict, sentence in zip(verdicts, outcome.sentences.values(), strict=True):
        lines += [f"  {_padded(verdict, width)}  {w(sentence.phrase)}"]
        if language == "en":
            lines += [" " * (width + 4) + sentence.seed]
    lines += ["", line(columns)]
    for part, rows in parts.items():
        where = f"{part}: {w(outcome.data['in_situ'])}" if part == w(say("in situ")) else part
        lines += [where, *map(line, rows)]
    return "\n".join([*lines, "", w(outcome.advice)])


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes; Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int, *, right: bool = False) -> str:
    """Fill a text with spaces to a width in columns, on its right, or on its left for a number."""
    spaces = " " * (width - _width(text))
    return spaces + text if right else text + spaces
