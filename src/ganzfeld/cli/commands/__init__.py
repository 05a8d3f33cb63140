"""Commands, one file each.

An entry defines a function ``command``, whose signature typer reads and whose docstring, with an example, is
its help; or ``application``, a ``typer.Typer`` of sub-commands.
"""

from ganzfeld.catalogue import Catalogue

commands = Catalogue("ganzfeld.cli.commands", "command")
