"""``ganzfeld train``."""

from typing import Annotated

import typer

from ganzfeld.cli.options import expand_options
from ganzfeld.cli.speech import Json, show_result
from ganzfeld.options import PreparationOptions, TrainOptions, values_of


@expand_options
def command(
    data: Annotated[
        str | None,
        typer.Argument(help="Images: a folder, archive or array file. Default: built-in faces."),
    ] = None,
    options: TrainOptions = TrainOptions(),
    preparation: PreparationOptions = PreparationOptions(),
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Train for a moment and print size, time and memory; write no run."),
    ] = False,
    json: Json = False,
) -> None:
    """Train a generator on images.

    Example: ganzfeld train photos/ --size 64 --minutes 10
    """
    if dry_run:
        from ganzfeld.cli.rehearsal_text import rehearsal_text
        from ganzfeld.training.dry_run import rehearse

        rehearsal = rehearse(data, options, preparation)
        show_result(rehearsal, rehearsal_text(rehearsal), json)
        return
    from ganzfeld.cli.outcome import show_outcome
    from ganzfeld.training import train

    show_outcome(train(data, **values_of(options), **values_of(preparation)), json)
