"""``ganzfeld resume``."""

from pathlib import Path
from typing import Annotated

import typer

from ganzfeld.cli.options import expand_options
from ganzfeld.cli.speech import Json
from ganzfeld.options import ResumeOptions, values_of


@expand_options
def command(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    options: ResumeOptions = ResumeOptions(),
    json: Json = False,
) -> None:
    """Resume a run exactly where it stopped.

    A finished run is left as it is.

    Example: ganzfeld resume runs/photos-001
    """
    from ganzfeld.cli.outcome import show_outcome
    from ganzfeld.training import resume

    show_outcome(resume(run, **values_of(options)), json)
