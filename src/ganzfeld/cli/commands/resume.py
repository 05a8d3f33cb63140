"""``ganzfeld resume``."""

from pathlib import Path
from typing import Annotated

import typer

from ganzfeld.cli.speech import Json


def command(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    from_images: Annotated[
        int | None,
        typer.Option("--from", help="Fork: a new run from the checkpoint at that many pictures; 0: anew."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="path=value of the recipe, for a fork; repeatable.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Another end: minutes of training from the beginning of the run.")
    ] = None,
    images: Annotated[
        int | None, typer.Option(help="Another end: pictures seen from the beginning of the run.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Where the pictures are now, if they moved.")] = None,
    labels: Annotated[str | None, typer.Option(help="Where the file of labels is now, if it moved.")] = None,
    device: Annotated[str | None, typer.Option(help="Another device; needs --inexact.")] = None,
    inexact: Annotated[
        bool,
        typer.Option("--inexact", help="Go on where torch, device, threads, recipe or pictures changed."),
    ] = False,
    json: Json = False,
) -> None:
    """Resume a run exactly where it stopped.

    A finished run is left as it is.

    Example: ganzfeld resume runs/photos-001
    """
    from ganzfeld.cli.outcome import show_outcome
    from ganzfeld.training import resume

    resumed = resume(
        run,
        from_images=from_images,
        settings=settings or [],
        minutes=minutes,
        images=images,
        data=data,
        labels=labels,
        device=device,
        inexact=inexact,
    )
    show_outcome(resumed, json)
