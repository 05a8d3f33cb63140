"""``ganzfeld eval``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganzfeld.cli.speech import Json, show_result
from ganzfeld.errors import UsageError
from ganzfeld.progress import tell

if TYPE_CHECKING:
    from ganzfeld.training.evaluation import Evaluation


def command(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[
        str | None, typer.Argument(help="Images to compare with. Default: those of the run.")
    ] = None,
    num: Annotated[int, typer.Option("--n", help="Number of generated and of real images.")] = 1000,
    features: Annotated[
        str | None,
        typer.Option(
            help="Features to compare: efficientnet-lite0 (default), random-convolutions, or a file of "
            "weights, such as those of the Inception network (for FID)."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Metrics to measure, such as recall,precision; repeatable. Default: all."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed that selects the images.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="PNG to write: the generated images most like training images, beside those."),
    ] = None,
    json: Json = False,
) -> None:
    """Measure how good a generator is, with 95 % intervals.

    Maps and sequences have metrics of their own, each beside the baselines of the field, such as a Markov
    chain or a Gaussian random field; it says where a baseline is better than the generator.

    Example: ganzfeld eval runs/faces-001 --only kernel-distance,precision
    """
    from ganzfeld.training.evaluation import evaluate

    if out is not None:
        _require_png(out)
    metrics = [name for names in only or [] for name in names.split(",")]
    evaluation = evaluate(run, data, num=num, features=features, only=metrics, seed=seed)
    if out is not None:
        _write_nearest(evaluation, out)
    in_table = {f"{metric.name} not measured: {metric.text}" for metric in evaluation.not_measured}
    for note in evaluation.notes:
        if json or note not in in_table:
            tell(note)
    result = {
        "run": str(run.resolve()),
        "images_seen": evaluation.images_seen,
        "metrics": [measurement.as_json() for measurement in evaluation.measurements],
        "out": str(out.resolve()) if out else None,
        "notes": list(evaluation.notes),
        "not_measured": [metric.as_json() for metric in evaluation.not_measured],
    }
    show_result(result, _table(result), json)


def _require_png(out: Path) -> None:
    """Raise ``UsageError`` unless a path is that of a PNG that may be written."""
    from ganzfeld.output import Mark, require_replaceable

    if out.suffix.lower() != ".png":
        raise UsageError(f"{out} is not a PNG file", "Name a file that ends in .png.")
    require_replaceable(out, Mark.NEAREST)


def _write_nearest(evaluation: "Evaluation", out: Path) -> None:
    """Write the generated images most like training images. Raises ``UsageError`` if there are none."""
    from ganzfeld.model import grid, write_png
    from ganzfeld.output import Mark

    if evaluation.suspects is None:
        raise UsageError(f"there is nothing to write to {out}", "Memorisation was not measured.")
    write_png(out, grid(evaluation.suspects, columns=6), Mark.NEAREST)


_AS_IS = {"letters": "as in the data", "values": "in the units of the data"}
_COLUMNS = "{:20} {:>9}  {:>20}  {}"


def _table(result: dict) -> str:
    """Return one line per metric and, below, the feature spaces and the images that were compared."""
    metrics = result["metrics"]
    lines = [_COLUMNS.format("", "value", "95 % interval", "")] if metrics else []
    for metric in metrics:
        value, low, high = (_number(metric[name]) for name in ("value", "low", "high"))
        lines.append(_COLUMNS.format(metric["name"], value, f"{low} to {high}", metric["meaning"]))
        for baseline in metric["baselines"]:
            value, low, high = (_number(baseline[name]) for name in ("value", "low", "high"))
            better = "nearer to the data than the generator" if baseline["wins"] else ""
            name = f"  {baseline['name']}"
            lines.append(_COLUMNS.format(name, value, f"{low} to {high}", better).rstrip())
    lines += [f"{metric['name']} not measured: {metric['text']}" for metric in result["not_measured"]]
    spaces = {(metric["features"], metric["features_sha256"], metric["resize_px"]) for metric in metrics}
    for name, digest, size in sorted(spaces, key=str):
        not_resized = f"{name}, {_AS_IS.get(name, 'not resized')}"
        lines.append(f"{name} at {size} px, weights {digest[:16]}" if digest else not_resized)
    if metrics:
        first = metrics[0]
        word = {"letters": "sequences", "values": "maps"}.get(first["features"], "images")
        lines.append(
            f"{first['num_samples']:,} generated against {first['num_reals']:,} real {word}, seed "
            f"{first['seed']}, after {result['images_seen']:,} images"
        )
    return "\n".join([*lines, *([f"images   {result['out']}"] if result["out"] else [])])


def _number(value: float | None) -> str:
    return "infinite" if value is None else f"{value:.4f}"
