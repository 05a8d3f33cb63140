"""``ganzfeld train``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ganzfeld.cli.options import expand_options
from ganzfeld.cli.speech import Json, show_result
from ganzfeld.options import PreparationOptions


@expand_options
def command(
    data: Annotated[
        str | None,
        typer.Argument(help="Pictures: a folder, archive or array file. Default: built-in faces."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="Name of a recipe, or a recipe file (JSON).")] = "modern",
    size: Annotated[str | None, typer.Option(help="Pixels: N, or WxH (width by height).")] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Minutes of training. Default: 5, unless --images is given.")
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="Pictures to see, in whole batches; ends the run if reached first.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Pictures in a step.")] = None,
    seed: Annotated[int, typer.Option(help="Decides all randomness.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    out: Annotated[Path, typer.Option(help="Folder in which the run gets a folder of its own.")] = Path(
        "runs"
    ),
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="path=value for any field of the recipe; repeatable.")
    ] = None,
    preparation: PreparationOptions = PreparationOptions(),
    checkpoint_seconds: Annotated[float, typer.Option(help="Seconds between checkpoints.")] = 30.0,
    on_divergence: Annotated[
        str, typer.Option(help="stop, or rollback: to the last checkpoint, with half the learning rates.")
    ] = "stop",
    stop: Annotated[
        str,
        typer.Option(help="never; plateau: when quality no longer improves; decay: when it got worse."),
    ] = "never",
    auto: Annotated[
        bool,
        typer.Option("--auto", help="Try what the doctor advises, and undo what does not help."),
    ] = False,
    route: Annotated[
        str,
        typer.Option(
            help="auto: the fastest way through this machine; plain: the textbook's; or parts of auto,"
            " joined by commas: channels-last, one-pass, shared-backward, measured; or a run folder or"
            " run.json, to take the route of that run again."
        ),
    ] = "auto",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Train for a moment without writing; print size and time.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a generator on pictures.

    Example: ganzfeld train photos/ --size 64 --minutes 10
    """
    options = {
        "recipe": recipe,
        "size": size,
        "minutes": minutes,
        "images": images,
        "batch": batch,
        "seed": seed,
        "device": device,
        "precision": precision,
        "settings": settings or [],
        **asdict(preparation),
        "checkpoint_seconds": checkpoint_seconds,
        "on_divergence": on_divergence,
        "stop": stop,
        "auto": auto,
        "route": route,
    }
    if dry_run:
        from ganzfeld.cli.rehearsal_text import rehearsal_text
        from ganzfeld.training.dry_run import rehearse

        rehearsal = rehearse(data, **options)
        show_result(rehearsal, rehearsal_text(rehearsal), json)
        return
    from ganzfeld.cli.outcome import show_outcome
    from ganzfeld.training import train

    show_outcome(train(data, out=out, **options), json)
