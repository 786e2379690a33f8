"""kp audit."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say

LINES = 50


@click.command()
@click.option(
    "-n", "--lines", type=click.IntRange(min=1), default=LINES, show_default=True, metavar="N", help="Last N lines."
)
@common_options
def audit(options: Options, lines: int) -> None:
    """Show what was done to the service on each host, by whom and when.

    \b
    Example:
      kp audit -n 10
    """
    run, target = options.run_without_version("audit")

    from kamal_pyinfra.runner.queries.logs import audit_lines

    for host, found in audit_lines(run, target.hosts, lines=lines).items():
        for line in found or ["Nothing was done yet"]:
            say(f"{host}  {line}")
