"""kp details."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import cell


@click.command()
@common_options
def details(options: Options) -> None:
    """Show the containers of the app and the proxy on each host.

    \b
    Example:
      kp details
    """
    print_details(options, with_proxy=True)


def print_details(options: Options, *, with_proxy: bool, with_app: bool = True) -> None:
    """Print one table with a line for each container."""
    run, target = options.run("details", version=options.version or "unknown")

    from rich.console import Console
    from rich.table import Table

    from kamal_pyinfra import naming
    from kamal_pyinfra.plan.desired import owner_of
    from kamal_pyinfra.runner.ask import observe

    table = Table("host", "role", "container", "state", "health", "image", box=None)
    for host, observed in observe(run, target.hosts).items():
        for container in observed.containers:
            is_proxy = with_proxy and container.name == naming.PROXY_CONTAINER
            if is_proxy or (with_app and owner_of(run).owns(container)):
                role = "proxy" if is_proxy else container.role
                health = container.health or "-"
                cells = (host, role, container.name, container.status.value, health, container.image)
                table.add_row(*map(cell, cells))
    Console().print(table)
