"""kp docs."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.say import say


@click.command()
@click.argument("section", default="configuration")
def docs(section: str) -> None:
    """Print a documented sample of a SECTION of deploy.yml; without one, of the whole.

    \b
    Example:
      kp docs
      kp docs healthcheck
    """
    from kamal_pyinfra.config.sample import sample

    say(sample(section), nl=False)
