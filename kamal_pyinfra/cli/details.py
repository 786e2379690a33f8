"""kp details."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import cell


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

    from rich.console import Console
    from rich.table import Table

    from kamal_pyinfra import naming
    from kamal_pyinfra.plan.desired import owner_of
    from kamal_pyinfra.runner.ask import observe

    accessories = {naming.accessory_container(run.config, name): name for name in run.config.accessories}
    parts = ({naming.PROXY_CONTAINER: "proxy"} if with_proxy else {}) | (accessories if with_accessories else {})
    table = Table("host", "role", "container", "state", "health", "image", box=None)
    for host, observed in observe(run, target.hosts).items():
        for container in observed.containers:
            role = container.role if with_app and owner_of(run).owns(container) else parts.get(container.name)
            if role is not None:
                state = (container.status.value, container.health or "-", container.image)
                table.add_row(*map(cell, (host, role, container.name, *state)))
    Console().print(table)
