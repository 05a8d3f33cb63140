"""The commands, one file each.

An entry defines a function ``command``, from whose signature typer reads the options and whose docstring,
with an example, is the help; or it defines ``application``, a ``typer.Typer`` of subcommands.
"""

from ganzfeld.catalogue import Catalogue

commands = Catalogue("ganzfeld.cli.commands", "command")
