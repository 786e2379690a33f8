"""kp envify."""

from __future__ import annotations

import os

import click

from kamal_pyinfra.cli.options import Options, common_options
from kamal_pyinfra.cli.say import say


@click.command()
@click.option(
    "-P", "--skip-push", "--skip_push", is_flag=True, help="Only write the file; the hosts keep the old values."
)
@common_options
def envify(options: Options, skip_push: bool) -> None:
    """Write .env from .env.erb, .env.tpl or .env.j2, and push the secrets in it to the hosts.

    \b
    Example:
      kp envify
      kp envify -d staging --skip-push
    """
    from pathlib import Path

    from kamal_pyinfra.config.envify import env_name, template_names
    from kamal_pyinfra.config.envify import envify as write_env

    template = write_env(Path.cwd(), options.destination, os.environ)
    if template is None:
        say(f"Nothing to do: there is no {' or '.join(template_names(options.destination))}.")
        return
    say(f"Wrote {env_name(options.destination)} from {template}.")
    if not skip_push:
        push(options)


def push(options: Options) -> None:
    """Bring the new values to the hosts."""
    from kamal_pyinfra.cli.env import push as push_env

    click.get_current_context().invoke(push_env, **options.__dict__)
