"""``ganzfeld bench``."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import UsageError
from ganzfeld.progress import tell

if TYPE_CHECKING:
    from ganzfeld.bench.ingest import FileSpeeds
    from ganzfeld.bench.speed import SpeedFigures

PAGE = Path("docs/benchmarks.md")
MOST = 1_000_000
"""Limit of every count: larger values would take forever."""
MOST_FILES, STEPS = 50_000, 200

application = typer.Typer(rich_markup_mode=None)

Out = Annotated[Path | None, typer.Option(help="Markdown page to write the figures into.")]


@dataclass(frozen=True)
class Benchmark:
    """The result of a benchmark: ``figures`` for JSON, ``tables`` of rows for people, by section title."""

    figures: dict[str, Any]
    tables: dict[str, dict[str, str]]
    command: str

    def show(self, out: Path | None, as_json: bool) -> None:
        """Print the figures, and write the tables into a page, if there is one."""
        show_result(self.figures, self.text, as_json)
        self.write(out)

    def write(self, page: Path | None) -> None:
        """Write the tables into a page."""
        from ganzfeld.bench.page import write_section

        if page:
            for title, rows in self.tables.items():
                write_section(page, title, self.command, rows)

    @property
    def text(self) -> str:
        """The rows, in two columns."""
        rows = [row for table in self.tables.values() for row in table.items()]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name.ljust(width)}  {value}" for name, value in rows)


@application.callback(invoke_without_command=True)
def bench(context: typer.Context, json: Json = False) -> None:
    """Measure speed, side by side with the plain loop.

    Without a subcommand all three are measured, which takes several minutes, and written into
    docs/benchmarks.md.

    Example: ganzfeld bench train --parts
    """
    if context.invoked_subcommand is not None:
        if json:
            raise UsageError(
                "--json must come after the subcommand",
                f"Write ganzfeld bench {context.invoked_subcommand} --json.",
            )
        return
    from ganzfeld.bench.page import require_page

    require_page(PAGE)
    figures = {}
    for name, measure in (
        ("ingest", lambda: _ingest(files=MOST_FILES, steps=STEPS)),
        ("train", lambda: _train(parts=True)),
        ("sample", _sample),
    ):
        tell(f"measuring {name}")
        benchmark = measure()
        for line in benchmark.text.splitlines():
            tell(line)
        benchmark.write(PAGE)
        figures[name] = benchmark.figures
    show_result(figures, f"written into {PAGE}", json)


@application.command()
def ingest(
    photos: Annotated[int, typer.Option(help="Number of 1600x1200 JPEG files.", min=1, max=MOST)] = 4096,
    rounds: Annotated[
        int,
        typer.Option(help="Number of measurements of each side; the median counts.", min=1, max=MOST),
    ] = 3,
    files: Annotated[
        int,
        typer.Option(
            help="Also measure the time to open an unchanged folder with this number of files.",
            min=0,
            max=MOST,
        ),
    ] = 0,
    steps: Annotated[
        int,
        typer.Option(
            help="Also measure the share of input in this number of training steps, for several batch sizes.",
            min=0,
            max=MOST,
        ),
    ] = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure how fast JPEG files become images of 64 px.

    The files have 1600x1200 px. The plain side is a loader with 2 processes. The limit is printed too: the
    speed of a reader that only reads and decodes.

    Example: ganzfeld bench ingest --files 50000 --out docs/benchmarks.md
    """
    _measure(lambda: _ingest(photos, rounds, files, steps), out, json)


@application.command()
def train(
    rounds: Annotated[int, typer.Option(help="Number of measurements of each side.", min=1, max=MOST)] = 3,
    batch: Annotated[int, typer.Option(help="Images per step on both sides.", min=2, max=65_536)] = 128,
    recipe: Annotated[str, typer.Option(help="Name of the recipe to train.")] = "radford2015",
    parts: Annotated[
        bool,
        typer.Option("--parts", help="Also measure without each part of the fast path, and every layer."),
    ] = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure training against the plain loop.

    Both train at 64 px and take turns. For radford2015 the plain loop is the classical one with the same
    widths. For any other recipe it is the recipe itself by the plain route in float32, with the losses read
    after every step.

    Example: ganzfeld bench train --parts
    """
    _measure(lambda: _train(rounds, batch, parts, recipe), out, json)


@application.command()
def sample(
    rounds: Annotated[int, typer.Option(help="Number of measurements of each side.", min=1, max=MOST)] = 5,
    num: Annotated[int, typer.Option("--n", help="Images per batch.", min=1, max=MOST)] = 256,
    precision: Annotated[str, typer.Option(help="Precision of ours: float32 or bfloat16.")] = "float32",
    out: Out = None,
    json: Json = False,
) -> None:
    """Measure sampling against the classical generator.

    Both generate images of 64 px.

    Example: ganzfeld bench sample --n 256
    """
    _measure(lambda: _sample(rounds, num, precision), out, json)


def _measure(benchmark: Callable[[], Benchmark], out: Path | None, as_json: bool) -> None:
    """Run a benchmark and show its result, after checking that the page can be written."""
    from ganzfeld.bench.page import require_page

    if out:
        require_page(out)
    benchmark().show(out, as_json)


def _ingest(photos: int = 4096, rounds: int = 3, files: int = 0, steps: int = 0) -> Benchmark:
    from ganzfeld.bench.ingest import bench_ingest
    from ganzfeld.bench.input_share import input_shares

    figures = bench_ingest(photos, rounds, files)
    limit, workers = figures.limit, figures.workers
    rows = {
        "files": f"{figures.num_photos:,} JPEGs of 1600x1200 px, {_kilobytes(limit)} each, scaled to 64 px",
        "plain loader, 2 processes": (
            f"{limit.plain_images_per_s:,.1f} images/s on {figures.num_plain:,} of them, every epoch"
        ),
        f"ours, {workers} processes, first time": f"{figures.ours_images_per_s:,.1f} images/s",
        "ratio": f"{figures.ratio:.1f}",
        f"limit: {workers} processes that only read and decode at an eighth": (
            f"{limit.limit_images_per_s:,.1f} images/s; ours reaches {figures.share_of_limit:.0%} of it"
        ),
        "limit of the ratio": f"{limit.ratio:.1f}",
        **{
            f"limit of the ratio at {_kilobytes(other)} per file": f"{other.ratio:.1f}"
            for other in figures.others
        },
        "ours from the cache": f"{figures.cached_images_per_s:,.0f} images/s",
    }
    if figures.recognised_s is not None:
        rows["unchanged folder opened again"] = (
            f"{figures.recognised_files:,} files in {figures.recognised_s:.2f} s"
        )
    shares = input_shares(steps) if steps else {}
    tables = {"Ingest": rows}
    if shares:
        tables["Input while training"] = {
            f"input in a training step of {batch}": f"{share:.2%} of its time"
            for batch, share in shares.items()
        }
    command = f"ganzfeld bench ingest --photos {photos} --rounds {rounds}"
    command += f" --files {files}" * bool(files) + f" --steps {steps}" * bool(steps)
    rounded = {str(batch): round(share, 5) for batch, share in shares.items()}
    return Benchmark(figures.as_json() | {"input_shares": rounded}, tables, command)


def _train(rounds: int = 3, batch: int = 128, parts: bool = False, recipe: str = "") -> Benchmark:
    from ganzfeld.bench.speed import CLASSICAL, bench_train

    recipe = recipe or CLASSICAL
    command = f"ganzfeld bench train --rounds {rounds} --batch {batch}{' --parts' if parts else ''}"
    title = "Training"
    if recipe != CLASSICAL:
        command, title = f"{command} --recipe {recipe}", f"Training of {recipe}"
    return _speed(bench_train(rounds, batch, parts, recipe), title, command)


def _sample(rounds: int = 5, num: int = 256, precision: str = "float32") -> Benchmark:
    from ganzfeld.bench.speed import bench_sample

    figures = bench_sample(rounds, num, precision)
    command = f"ganzfeld bench sample --rounds {rounds} --n {num}"
    if precision == "float32":
        return _speed(figures, "Sampling", command)
    return _speed(figures, f"Sampling in {precision}", f"{command} --precision {precision}")


def _speed(figures: "SpeedFigures", title: str, command: str) -> Benchmark:
    from ganzfeld.bench.speed import CLASSICAL

    plain = "classical" if figures.recipe == CLASSICAL else "plain"
    peak = f"{figures.peak_flops_per_s / 1e9:,.0f} GFLOP/s ({figures.peak_of})"
    rows = {
        f"{plain}, {figures.batch} images at once": f"{figures.plain_images_per_s:,.1f} images/s",
        "ours": f"{figures.ours_images_per_s:,.1f} images/s",
        "ratio, median of the rounds": f"{figures.ratio:.2f}",
        "share of peak": f"{figures.share_of_peak:.0%} of {peak}",
        **{f"ours without: {name}": f"{speed:,.1f} images/s" for name, speed in figures.parts.items()},
    }
    tables = {title: rows}
    if figures.maps:
        total_s = sum(speed.seconds for speed in figures.maps)
        limit_s = sum(speed.limit_s for speed in figures.maps)
        tables[f"{title}: layers"] = {
            **{
                f"{speed.layer}, {speed.map} ({speed.way})": (
                    f"{1000 * speed.seconds:.2f} ms, {speed.flops / speed.seconds / 1e9:,.0f} GFLOP/s, "
                    f"{speed.share:.0%} of what its {speed.limited_by} allow"
                )
                for speed in figures.maps
            },
            "all maps once": f"{1000 * total_s:.1f} ms, {limit_s / total_s:.0%} of what the chip allows",
        }
    return Benchmark(figures.as_json(), tables, command)


def _kilobytes(limit: "FileSpeeds") -> str:
    return f"{limit.photo_bytes / 1000:.0f} kB"
