"""kp envify."""

from __future__ import annotations

import os

import click

from kamal_pyinfra.cli.options import Options, changing_options
from kamal_pyinfra.cli.say import say

PUSHED = "The hosts would get what differs in it: once it is written, `kp env push --dry-run` shows that."


@click.command()
@click.option(
    "-P", "--skip-push", "--skip_push", is_flag=True, help="Only write the file; the hosts keep the old values."
)
@changing_options
def envify(options: Options, skip_push: bool) -> None:
    """Write .env from .env.erb, .env.tpl or .env.j2, and push the secrets in it to the hosts.

    \b
    Example:
      kp envify
      kp envify -d staging --skip-push
    """
    from pathlib import Path

    from kamal_pyinfra.project.envify import env_name, find_template, template_names
    from kamal_pyinfra.project.envify import envify as write_env

    name = env_name(options.destination)
    found = find_template(Path.cwd(), options.destination)
    if found is None:
        say(f"Nothing to do: there is no {' or '.join(template_names(options.destination))}.")
        return
    if options.dry_run:
        say(f"{name} would be written from {found}." + ("" if skip_push else f" {PUSHED}"))
        return
    template = write_env(Path.cwd(), options.destination, os.environ)
    say(f"Wrote {name} from {template}.")
    if not skip_push:
        push(options)


def push(options: Options) -> None:
    """Bring the new values to the hosts."""
    from kamal_pyinfra.cli.env import push as push_env

    click.get_current_context().invoke(push_env, **options.__dict__)
