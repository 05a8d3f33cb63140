"""``ganzfeld bench``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.speech import Json, show_result

if TYPE_CHECKING:
    from ganzfeld.bench.ingest import Limit
    from ganzfeld.bench.speed import SpeedFigures

application = typer.Typer(
    help="Speed, measured side by side with the plain loop.\n\nExample: ganzfeld bench train",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@application.command()
def ingest(
    photos: Annotated[int, typer.Option(help="Number of 1600x1200 JPEG files.", min=1)] = 4096,
    rounds: Annotated[
        int, typer.Option(help="How often each side is measured; the median counts.", min=1)
    ] = 3,
    files: Annotated[
        int,
        typer.Option(help="Also measure how long an unchanged folder of so many files takes to open.", min=0),
    ] = 0,
    steps: Annotated[
        int,
        typer.Option(help="Also measure what input costs in so many training steps, for each batch.", min=0),
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Page (Markdown) to write the figures into.")] = None,
    json: Json = False,
) -> None:
    """Measure how fast 1600x1200 JPEGs become pictures of 64 px, against a loader with 2 processes.

    Beside both stands the limit: what is left when a reader does nothing but read and decode.

    Example: ganzfeld bench ingest --files 50000 --out docs/benchmarks.md
    """
    from ganzfeld.bench.ingest import bench_ingest
    from ganzfeld.bench.input_share import input_shares
    from ganzfeld.bench.page import write_section

    figures = bench_ingest(photos, rounds, files)
    limit, workers = figures.limit, figures.workers
    others = {f"limit of the ratio at {_kilobytes(each)} a file": each for each in figures.others}
    rows = {
        "files": f"{figures.num_photos:,} JPEGs of 1600x1200 px, {_kilobytes(limit)} each, brought to 64 px",
        "plain loader, 2 processes": (
            f"{limit.plain_images_per_s:,.1f} pictures/s on {figures.num_plain:,} of them, every epoch"
        ),
        f"ours, {workers} processes, first time": f"{figures.ours_images_per_s:,.1f} pictures/s",
        "ratio": f"{figures.ratio:.1f}",
        f"limit: {workers} processes that only read and decode at an eighth": (
            f"{limit.limit_images_per_s:,.1f} pictures/s; ours reaches {figures.share_of_limit:.0%} of it"
        ),
        "limit of the ratio": f"{limit.ratio:.1f}",
        **{name: f"{each.ratio:.1f}" for name, each in others.items()},
        "ours from then on": f"{figures.cached_images_per_s:,.0f} pictures/s",
    }
    if figures.recognised_s is not None:
        found = f"{figures.recognised_files:,} files in {figures.recognised_s:.2f} s"
        rows["unchanged folder opened again"] = found
    shares = input_shares(steps) if steps else {}
    shares_told = {
        f"input in a training step of {batch}": f"{share:.2%} of its time" for batch, share in shares.items()
    }
    if out:
        command = f"ganzfeld bench ingest --photos {photos} --rounds {rounds}"
        write_section(out, "Ingest", f"{command} --files {files}", rows)
        if shares:
            write_section(out, "Input while training", f"{command} --steps {steps}", shares_told)
    rows |= shares_told
    width = max(map(len, rows))
    text = "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows.items())
    shown = {str(batch): round(share, 5) for batch, share in shares.items()}
    show_result(figures.as_json() | {"input_shares": shown}, text, json)


@application.command()
def train(
    rounds: Annotated[int, typer.Option(help="How often each side is measured.", min=1)] = 3,
    batch: Annotated[int, typer.Option(help="Pictures in a step of either side.", min=2)] = 128,
    parts: Annotated[
        bool, typer.Option("--parts", help="Also measure ours without each part of the fast path.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Page (Markdown) to write the figures into.")] = None,
    json: Json = False,
) -> None:
    """Measure training against the classical loop: the same widths, at 64 px, in turns.

    Example: ganzfeld bench train --parts
    """
    from ganzfeld.bench.speed import bench_train

    command = f"ganzfeld bench train --rounds {rounds} --batch {batch}{' --parts' if parts else ''}"
    _tell_speed(bench_train(rounds, batch, parts), "Training", command, out, json)


@application.command()
def sample(
    rounds: Annotated[int, typer.Option(help="How often each side is measured.", min=1)] = 5,
    num: Annotated[int, typer.Option("--n", help="Pictures made at once.", min=1)] = 256,
    out: Annotated[Path | None, typer.Option(help="Page (Markdown) to write the figures into.")] = None,
    json: Json = False,
) -> None:
    """Measure the making of pictures of 64 px from a model against the classical generator.

    Example: ganzfeld bench sample --n 256
    """
    from ganzfeld.bench.speed import bench_sample

    command = f"ganzfeld bench sample --rounds {rounds} --n {num}"
    _tell_speed(bench_sample(rounds, num), "Sampling", command, out, json)


def _tell_speed(figures: "SpeedFigures", title: str, command: str, out: Path | None, as_json: bool) -> None:
    from ganzfeld.bench.page import write_section

    peak = f"{figures.peak_flops_per_s / 1e9:,.0f} GFLOP/s ({figures.peak_of})"
    rows = {
        f"classical, {figures.batch} pictures at once": f"{figures.plain_images_per_s:,.1f} pictures/s",
        "ours": f"{figures.ours_images_per_s:,.1f} pictures/s",
        "ratio, median of the rounds": f"{figures.ratio:.2f}",
        "share of peak": f"{figures.share_of_peak:.0%} of {peak}",
        **{f"ours without: {name}": f"{speed:,.1f} pictures/s" for name, speed in figures.parts.items()},
    }
    if out:
        write_section(out, title, command, rows)
    width = max(map(len, rows))
    text = "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows.items())
    show_result(figures.as_json(), text, as_json)


def _kilobytes(limit: "Limit") -> str:
    return f"{limit.photo_bytes / 1000:.0f} kB"
