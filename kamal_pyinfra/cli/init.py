"""kp init."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.say import say

if TYPE_CHECKING:
    from kamal_pyinfra.config.project import Project

BUNDLE = (
    "--bundle adds Kamal to a Gemfile, which is a Ruby matter; kp is installed already, so there is nothing to add."
)


@click.command()
@click.option("--host", "hosts", multiple=True, metavar="[USER@]HOST[:PORT]", help="A server; may be repeated.")
@click.option("--image", metavar="[SERVER/]NAME", help="Image, with the registry's server unless it is Docker Hub.")
@click.option("--registry", metavar="SERVER", help="Registry, if not the one that the image begins with.")
@click.option("--username", metavar="NAME", help="User name at the registry.")
@click.option("--bundle", is_flag=True, help="Accepted as in Kamal, and does nothing.")
def init(hosts: tuple[str, ...], image: str | None, registry: str | None, username: str | None, bundle: bool) -> None:
    """Write config/deploy.yml and what belongs to it into this folder, where it is missing.

    \b
    Example:
      kp init
      kp init --host 192.0.2.10 --image registry.example.com/acme/shop --username acme
    """
    from pathlib import Path

    from kamal_pyinfra.config.answers import read_answers
    from kamal_pyinfra.config.project import look_at
    from kamal_pyinfra.config.starter import starter_files
    from kamal_pyinfra.config.starter_yaml import NEXT
    from kamal_pyinfra.config.write import create_missing

    if bundle:
        say(BUNDLE, err=True)
    folder = Path.cwd()
    project = look_at(folder)
    is_new = not (folder / "config/deploy.yml").exists()
    if is_new and sys.stdin.isatty():
        hosts, image, username = ask(project, hosts, image, username)
    answers = read_answers(project.service, hosts=hosts, image=image, registry=registry, username=username)
    for path, outcome in create_missing(folder, starter_files(project, answers)):
        say(f"{outcome:<8}  {path}")
    if is_new:
        say("\n".join(["", *notes(project, is_guessed=answers.are_guessed)]))
    say(f"Next: {NEXT if is_new else 'run `kp plan`'}.")


def ask(
    project: Project, hosts: tuple[str, ...], image: str | None, username: str | None
) -> tuple[tuple[str, ...], str | None, str | None]:
    """The three questions, without those that an option has answered."""
    if not hosts:
        hosts = tuple(click.prompt("Servers, separated by blanks").replace(",", " ").split())
    if image is None:
        image = click.prompt("Image, with its registry unless that is Docker Hub", default=f"acme/{project.service}")
    if username is None:
        username = click.prompt("User name at the registry")
    return hosts, image, username


def notes(project: Project, *, is_guessed: bool) -> list[str]:
    """What was found, and what is left to do."""
    made_with = project.framework.name if project.framework else "An app"
    lines = [f"{made_with} on port {project.port}, healthy when {project.path} answers."]
    if project.image is None:
        lines.append("There is no Dockerfile yet; kp builds the image from one.")
    elif project.image.port is None:
        lines.append(f"The Dockerfile has no EXPOSE; add `EXPOSE {project.port}`: the proxy finds the port there.")
    if not project.knows_health_page:
        lines.append(f"Nothing here seems to answer {project.path}: let the app do so, or change `healthcheck`.")
    if is_guessed:
        lines.append("Put your own servers, image and registry into config/deploy.yml.")
    return lines
