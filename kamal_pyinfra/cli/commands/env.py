"""``kp env``, ``envify``."""

from __future__ import annotations

import os

import click

from kamal_pyinfra.cli.options import Options, changing_options
from kamal_pyinfra.cli.output import say
from kamal_pyinfra.cli.task import carry_out


@click.group()
def env() -> None:
    """Write or remove the files with secrets, without a deploy.

    \b
    Example:
      kp env push
    """


@env.command()
@changing_options
def push(options: Options) -> None:
    """Write the env files that differ to the hosts; the next deploy puts them into effect.

    \b
    Example:
      kp env push -d staging
    """
    carry_out(options, "env push")


@env.command()
@changing_options
def delete(options: Options) -> None:
    """Remove the env files from the hosts; what runs keeps running.

    \b
    Example:
      kp env delete
    """
    carry_out(options, "env delete")


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
        push_values(options)


def push_values(options: Options) -> None:
    """Bring the new values to the hosts."""

    click.get_current_context().invoke(push, **options.__dict__)
