"""kp docs."""

from __future__ import annotations

import click

from kamal_pyinfra.cli.error_pages import error_page
from kamal_pyinfra.cli.say import say


@click.command()
@click.argument("section", default="configuration")
def docs(section: str) -> None:
    """Print a documented sample of a SECTION or key of deploy.yml, or what is said of an error; without one, the whole.

    \b
    Example:
      kp docs
      kp docs healthcheck
      kp docs LockHeld    cause and cure of an error
      kp docs errors      which there are
    """
    page = error_page(section)
    if page is None:
        from kamal_pyinfra.project.reference import sample

        page = sample(section)
    say(page, nl=False)
