"""``ganzfeld latent``."""

import typer

from ganzfeld.cli.latent import add, directions, invert, walk

application = typer.Typer(
    help="Look into the latent space of a generator.\n\n"
    "Example: ganzfeld latent walk runs/faces-001 --seeds 3,17,42",
    no_args_is_help=True,
    rich_markup_mode=None,
)
application.command("walk")(walk.command)
application.command("add")(add.command)
application.command("directions")(directions.command)
application.command("invert")(invert.command)
