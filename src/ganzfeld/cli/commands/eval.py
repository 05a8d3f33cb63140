"""``ganzfeld eval``."""

from pathlib import Path
from typing import Annotated

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import UsageError
from ganzfeld.progress import tell


def command(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[
        str | None, typer.Argument(help="Images to compare with. Default: those of the run.")
    ] = None,
    num: Annotated[int, typer.Option("--n", help="Images on each side.")] = 1000,
    features: Annotated[
        str | None,
        typer.Option(
            help="efficientnet-lite0 (default), random-convolutions, or a file of weights, such as "
            "those of the Inception network (for FID)."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Metrics: kernel-distance, or recall,precision; repeatable. Default: all."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides which images are taken.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="FILE.png for the generated images nearest to training images, beside these."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure a generator, in figures with 95 % intervals.

    Example: ganzfeld eval runs/faces-001 --only kernel-distance,precision
    """
    from ganzfeld.model import grid, write_png
    from ganzfeld.output import Mark, require_replaceable
    from ganzfeld.training.evaluation import evaluate

    if out is not None and out.suffix.lower() != ".png":
        raise UsageError(f"{out} is not a PNG file", "Name a file that ends in .png.")
    if out is not None:
        require_replaceable(out, Mark.NEAREST)
    metrics = [name for names in only or [] for name in names.split(",")]
    found = evaluate(run, data, num=num, features=features, only=metrics, seed=seed)
    if out is not None and found.suspects is None:
        raise UsageError(f"there is nothing to write to {out}", "Memorisation was not measured.")
    if out is not None and found.suspects is not None:
        write_png(out, grid(found.suspects, columns=6), Mark.NEAREST)
    in_the_table = {f"{each.name} not measured: {each.text}" for each in found.not_measured}
    for note in found.notes:
        if json or note not in in_the_table:
            tell(note)
    result = {
        "run": str(run.resolve()),
        "images_seen": found.images_seen,
        "metrics": [each.as_json() for each in found.measurements],
        "out": str(out.resolve()) if out else None,
        "notes": list(found.notes),
        "not_measured": [each.as_json() for each in found.not_measured],
    }
    show_result(result, _table(result), json)


_COLUMNS = "{:20} {:>9}  {:>20}  {}"


def _table(result: dict) -> str:
    """A line a figure; below, what the figures were taken of."""
    metrics = result["metrics"]
    lines = [_COLUMNS.format("", "value", "95 % interval", "")] if metrics else []
    for each in metrics:
        value, low, high = (_number(each[name]) for name in ("value", "low", "high"))
        lines.append(_COLUMNS.format(each["name"], value, f"{low} to {high}", each["meaning"]))
    lines += [f"{each['name']} not measured: {each['text']}" for each in result["not_measured"]]
    taken = {(each["features"], each["features_sha256"], each["resize_px"]) for each in metrics}
    for name, digest, size in sorted(taken, key=str):
        lines.append(f"{name} at {size} px, weights {digest[:16]}" if digest else f"{name} as they are")
    if metrics:
        first = metrics[0]
        lines.append(
            f"{first['num_samples']:,} generated against {first['num_reals']:,} real images, seed "
            f"{first['seed']}, after {result['images_seen']:,} images"
        )
    return "\n".join([*lines, *([f"sheet    {result['out']}"] if result["out"] else [])])


def _number(value: float | None) -> str:
    return "infinite" if value is None else f"{value:.4f}"
