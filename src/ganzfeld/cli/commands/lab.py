"""``ganzfeld lab``."""

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
Thorough = Annotated[bool, typer.Option("--thorough", help="Use more samples, steps and runs; takes longer.")]


@application.command("list")
def list_experiments(json: Json = False) -> None:
    """List the experiments.

    Shows the claim that each experiment tests and the settings that it accepts.

    Example: ganzfeld lab list
    """
    from ganzfeld.lab import experiments
    from ganzfeld.lab.words import as_options

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
        lines += [entry["name"], f"  {entry['claim']}", f"  {as_options(entry['settings'])}"]
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
    json: Json = False,
) -> None:
    """Run one experiment: figures, verdict, and advice.

    Example: ganzfeld lab run leaky-slope --set alpha=0.1
    """
    from ganzfeld.lab import experiments, write_outcome
    from ganzfeld.lab.perform import perform, require_outcome_replaceable
    from ganzfeld.recipes import parsed

    name = experiments.canonical(name)
    folder = out or Path("lab") / name
    require_outcome_replaceable(folder)
    outcome = perform(name, parsed(settings or []), seed=seed, thorough=thorough, on=on)
    write_outcome(outcome, folder)
    files = {"figure": str(folder / "figure.png"), "out": str(folder)}
    show_result(outcome.as_json() | files, f"{_text(outcome)}\n\nfigure   {files['figure']}", json)


@application.command()
def report(
    seed: Seed = 0,
    thorough: Thorough = False,
    on: On = None,
    out: Annotated[Path, typer.Option(help="Page (HTML) to write.")] = Path("lab/report.html"),
    json: Json = False,
) -> None:
    """Run all experiments and write one page.

    The page shows verdicts, figures and formulas. This takes some minutes.

    Example: ganzfeld lab report --out lab.html
    """
    from ganzfeld.lab.report import perform_all, write_report
    from ganzfeld.output import Mark, require_replaceable

    require_replaceable(out, Mark.LAB_REPORT)
    performed = perform_all(seed=seed, thorough=thorough, on=on, callback=tell)
    write_report(performed, out)
    width = max(len(outcome.name) for outcome in performed)
    text = "\n".join(f"{outcome.name.ljust(width)}  {outcome.verdict}" for outcome in performed)
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
    docs: Annotated[Path, typer.Option(help="Folder for ablations.md and ablations.zh.md.")] = Path("docs"),
    json: Json = False,
) -> None:
    """Compare runs that each change one thing.

    All cells take hours. The command can be interrupted: it then continues with the runs that are missing.

    Example: ganzfeld lab ablations --cells g-relu,clip --seeds 5
    """
    from ganzfeld.lab.ablations import page as pages
    from ganzfeld.lab.ablations.cells import Conditions, chosen_cells
    from ganzfeld.lab.ablations.results import read_all
    from ganzfeld.lab.ablations.schedule import missing, perform
    from ganzfeld.lab.ablations.table import table_of

    wanted = chosen_cells([key.strip() for key in cells.split(",") if key.strip()])
    conditions = Conditions(images, None if data is None else str(data.absolute()))
    if page:
        pages.require_pages_replaceable(docs)
    else:
        perform(results, missing(results, wanted, seeds, conditions), conditions, jobs, tell)
    finished = [
        result for result in read_all(results, conditions) if result.cell in {cell.key for cell in wanted}
    ]
    rows = table_of(finished, wanted)
    text = pages.text_of(rows)
    if page:
        pages.write_pages(rows, finished, conditions, seeds, docs)
        text += f"\n\npage     {docs / pages.PAGES[0]}"
    show_result({"images": images, "seeds": seeds, "cells": [row.as_json() for row in rows]}, text, json)


def _text(outcome: "Outcome") -> str:
    """Return an outcome as text."""
    from ganzfeld.lab import experiments
    from ganzfeld.lab.words import COLUMNS, by_part

    parts = by_part(outcome.figures)
    all_rows = [COLUMNS, *(row for rows in parts.values() for row in rows)]
    widths = [max(len(row[column]) for row in all_rows) for column in range(len(COLUMNS))]

    def line(row: tuple[str, ...]) -> str:
        name, *numbers, finding = row
        right = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=False))
        return "  ".join(("  " + name.ljust(widths[0]), *right, finding)).rstrip()

    lines = [f"{outcome.name}: {outcome.verdict}", experiments.load(outcome.name).CLAIM]
    claims = outcome.claims
    width = max(len(claim["verdict"]) for claim in claims)
    lines += ["", *(f"  {claim['verdict'].ljust(width)}  {claim['sentence']}" for claim in claims)]
    lines += ["", line(COLUMNS)]
    for part, rows in parts.items():
        where = f"{part}, {outcome.data['in_situ']}" if part == "in situ" else part
        lines += [where, *map(line, rows)]
    return "\n".join([*lines, "", outcome.advice])
