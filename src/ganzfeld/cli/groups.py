"""Groups of commands: ``ganzfeld`` itself, and groups such as ``ganzfeld lab``."""

from typing import Any

from typer.core import TyperGroup

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError


class CommandGroup(TyperGroup):
    """A group that suggests names for an unknown command, and shows its help without one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before a command."""
        return super().parse_args(ctx, args or ["--help"] * self.no_args_is_help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command by its name. Raises ``UsageError`` for an unknown one."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise UsageError(f"unknown command {name!r}", did_you_mean(name, self.list_commands(ctx)))
        return super().resolve_command(ctx, args)
