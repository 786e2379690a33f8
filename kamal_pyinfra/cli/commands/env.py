"""``kp env``, ``envify``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from kamal_pyinfra.cli.options import Options, changing_options, example, flag
from kamal_pyinfra.cli.output import echo
from kamal_pyinfra.cli.task import add_commands

PUSH = "Write the env files that differ to the hosts; the next deploy puts them into effect."
DELETE = "Remove the env files from the hosts; what runs keeps running."
PUSHED = "The hosts would get what differs in it: once it is written, `kp env push --dry-run` shows that."


@click.group()
@example("kp env push")
def env() -> None:
    """Write or remove the files with secrets, without a deploy."""


add_commands(env, {"push": (PUSH, "kp env push -d staging"), "delete": (DELETE, "kp env delete")})


@click.command()
@flag("-P", "--skip-push", "--skip_push", help="Only write the file; the hosts keep the old values.")
@changing_options
@example("kp envify", "kp envify -d staging --skip-push")
def envify(options: Options, skip_push: bool) -> None:
    """Write .env from .env.erb, .env.tpl or .env.j2, and push the secrets in it to the hosts."""
    from kamal_pyinfra.project.envify import envify, find_template, template_names

    template = find_template(Path.cwd(), options.destination)
    if template is None:
        echo(f"Nothing to do: there is no {' or '.join(template_names(options.destination))}.")
        return
    name = Path(template).stem
    if options.dry_run:
        echo(f"{name} would be written from {template}." + ("" if skip_push else f" {PUSHED}"))
        return
    envify(Path.cwd(), template, os.environ)
    echo(f"Wrote {name} from {template}.")
    if not skip_push:
        click.get_current_context().invoke(env.commands["push"], **options.__dict__)
