"""kp open."""

from __future__ import annotations

import sys

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say


@click.command("open")
@click.option("--print", "only_prints", is_flag=True, help="Print all addresses and open none.")
@common_options
def open_app(options: Options, only_prints: bool) -> None:
    """Open the app in the browser; without a terminal, print where it can be reached.

    \b
    Example:
      kp open
      curl "$(kp open --print | head -n 1)"
    """
    from kamal_pyinfra.errors import ConfigError
    from kamal_pyinfra.insight.address import addresses

    found = addresses(options.config())
    if not found:
        raise ConfigError("no role is behind the proxy, so there is nothing to open")
    for url in found:
        say(url)
    if not only_prints and sys.stdout.isatty():
        click.launch(found[0])
