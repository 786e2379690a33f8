"""``kp remove``."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.options import Options, changing_options, example, flag
from kamal_pyinfra.cli.task import confirm_row, row, run_row, yes_option


@click.command()
@flag("--purge", help="Remove the audit log too, and folders that are empty then.")
@yes_option
@changing_options
@example("kp remove", "kp remove -y --purge")
def remove(options: Options, purge: bool, is_confirmed: bool) -> None:
    """Remove the app, its images and secrets, and the proxy unless another service uses it."""
    run = options.run_without_version("remove")
    question = "" if is_confirmed else "Remove all of this?"
    if confirm_row(options, row("remove", purges=purge), run, run.hosts, question):
        run_row(options, row("remove"), run, run.hosts, purges=purge)
