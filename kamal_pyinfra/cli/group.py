"""Groups of commands: those that load a command when it is called, and those whose names have two words."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click


class LateGroup(click.Group):
    """A group that loads a command when it is called, since most take longer to load than to run.

    ``late`` has the module of each command in ``cli/commands`` with its name there: ``"exec.shell"``.
    Source: https://click.palletsprojects.com/complex/#lazily-loading-subcommands
    """

    def __init__(self, *args: object, late: Mapping[str, str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type] # what click.Group takes
        self.late = late

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return sorted({*super().list_commands(ctx), *self.late})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, loaded now."""
        if cmd_name in self.late and cmd_name not in self.commands:
            module, _, name = self.late[cmd_name].rpartition(".")
            self.add_command(getattr(import_module(f"{__package__}.commands.{module}"), name), cmd_name)
        return super().get_command(ctx, cmd_name)


class KamalGroup(click.Group):
    """A group that finds ``stale_containers`` (Kamal 1.9) as ``stale-containers`` too."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name in either spelling."""
        return super().get_command(ctx, cmd_name.replace("-", "_"))
