"""Commands whose names have two words."""

from __future__ import annotations

import click


class KamalGroup(click.Group):
    """A group that finds ``stale_containers`` (Kamal 1.9) as ``stale-containers`` too."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name in either spelling."""
        return super().get_command(ctx, cmd_name.replace("-", "_"))
