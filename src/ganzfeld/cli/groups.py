"""Commands that hold others: ``ganzfeld`` itself, and those like ``ganzfeld lab``."""

from typing import Any

from typer.core import TyperGroup

from ganzfeld.catalogue import did_you_mean
from ganzfeld.errors import UsageError


class CommandGroup(TyperGroup):
    """Names its commands where it is given an unknown one, and shows its help where it is given none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before a command."""
        return super().parse_args(ctx, args or ["--help"] * self.no_args_is_help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that is named. Raises ``UsageError`` where there is none."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise UsageError(f"unknown command {name!r}", did_you_mean(name, self.list_commands(ctx)))
        return super().resolve_command(ctx, args)
