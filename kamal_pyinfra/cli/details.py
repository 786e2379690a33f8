"""kp details."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import cell, table_console

if TYPE_CHECKING:
    from kamal_pyinfra.plan.state.observed import ObservedContainer


@click.command()
@common_options
def details(options: Options) -> None:
    """Show the containers of the app, the proxy and the accessories on each host.

    \b
    Example:
      kp details
    """
    print_details(options, command="details", with_proxy=True, with_accessories=True)


def print_details(
    options: Options,
    *,
    command: str = "app",
    with_proxy: bool = False,
    with_app: bool = True,
    with_accessories: bool = False,
) -> None:
    """Print one table with a line for each container."""
    run, target = options.run(command, version=options.version or "unknown")

    from rich.table import Table

    from kamal_pyinfra import naming
    from kamal_pyinfra.plan.desired.host import owner_of
    from kamal_pyinfra.runner.queries.observe import observe

    accessories = {naming.accessory_container(run.config, name): name for name in run.config.accessories}
    parts = ({naming.PROXY_CONTAINER: "proxy"} if with_proxy else {}) | (accessories if with_accessories else {})
    table = Table("host", "role", "container", "state", "health", "image", box=None)
    for host, observed in observe(run, target.hosts).items():
        for seen in observed.containers:
            if (role := seen.role if with_app and owner_of(run).owns(seen) else parts.get(seen.name)) is not None:
                table.add_row(*map(cell, (host, role, *_said_of(seen))))
    table_console().print(table)


def _said_of(container: ObservedContainer) -> tuple[str, ...]:
    return container.name, container.status.value, container.health or "-", container.image
