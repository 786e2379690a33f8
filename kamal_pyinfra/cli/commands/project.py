"""``kp init``, ``docs``, ``config``, ``completion``."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kamal_pyinfra.cli.options import Options, common_options, example, flag
from kamal_pyinfra.cli.output import echo, error_page

if TYPE_CHECKING:
    from kamal_pyinfra.project.scan import Project

BUNDLE = (
    "--bundle adds Kamal to a Gemfile, which is a Ruby matter; kp is installed already, so there is nothing to add."
)
FEW = 3
"""Files of a folder that are listed one by one; more are one line, so that a small terminal shows all."""


@click.command()
@click.option("--host", "hosts", multiple=True, metavar="[USER@]HOST[:PORT]", help="A server; may be repeated.")
@click.option("--image", metavar="[SERVER/]NAME", help="Name of the image, after its registry if it has one.")
@click.option("--registry", metavar="SERVER", help="Registry, if one is needed and the image does not begin with it.")
@click.option("--username", metavar="NAME", help="User name at the registry; at Docker Hub if no registry is named.")
@flag("--bundle", help="Accepted as in Kamal, and does nothing.")
@example(
    "kp init",
    "kp init --host 192.0.2.10",
    "kp init --host 192.0.2.10 --image registry.example.com/acme/shop --username acme",
)
def init(hosts: tuple[str, ...], image: str | None, registry: str | None, username: str | None, bundle: bool) -> None:
    """Write config/deploy.yml and the files around it into this folder, where they are missing."""
    from kamal_pyinfra.config.load import require_kamal_1
    from kamal_pyinfra.project.scan import read_project
    from kamal_pyinfra.project.starter import next_step, read_answers, starter_files
    from kamal_pyinfra.project.write import create

    if bundle:
        echo(BUNDLE, err=True)
    folder = Path.cwd()
    project = read_project(folder)
    is_new = not (folder / "config/deploy.yml").exists()
    if not is_new:
        require_kamal_1(Path("config/deploy.yml"), folder)
    if is_new and sys.stdin.isatty():
        hosts, image, registry, username = ask(project, hosts, image, registry, username)
    answers = read_answers(project.service, hosts=hosts, image=image, registry=registry, username=username)
    written = [(file.path, create(folder, file)) for file in starter_files(project, answers)]
    for (outcome, parent), files in groupby(written, key=lambda file: (file[1], file[0].rpartition("/")[0])):
        paths = [path for path, _ in files]
        for path in [f"{parent}/ ({len(paths)} files)"] if parent and len(paths) > FEW else paths:
            echo(f"{outcome:<8}  {path}")
    if is_new:
        echo("\n".join(["", *notes(project, answers.guesses)]))
    echo(f"Next: {next_step(project, answers) if is_new else 'run `kp plan`'}.")


def ask(
    project: Project, hosts: tuple[str, ...], image: str | None, registry: str | None, username: str | None
) -> tuple[tuple[str, ...], str | None, str | None, str | None]:
    """Ask the three questions, but for those that an option has answered."""
    from kamal_pyinfra.config.image import split_domain
    from kamal_pyinfra.project.starter import split_account

    if not hosts:
        hosts = tuple(click.prompt("Servers, separated by blanks").replace(",", " ").split())
    if image is None:
        answer = click.prompt("Name of the image", default=project.service)
        image = None if answer == project.service else answer
    server = registry or split_domain(image or "")[0] or None
    if username is None and server is None:
        question = "Registry, as [SERVER/]USER (empty: none is needed)"
        registry, username = split_account(click.prompt(question, default="", show_default=False))
    elif username is None:
        username = click.prompt(f"User name at {server}", default="", show_default=False) or None
    return hosts, image, registry, username


def notes(project: Project, guesses: tuple[str, ...]) -> list[str]:
    """Return what was found, and what is left to do."""
    lines = [f"{project.framework.name} on port {project.port}, healthy when {project.path} answers."]
    if project.image is None:
        lines.append("There is no Dockerfile yet; kp builds the image from one.")
    elif project.image.port is None:
        lines.append(f"The Dockerfile has no EXPOSE; add `EXPOSE {project.port}`: the proxy finds the port there.")
    if not project.knows_health_page:
        lines.append(f"No file here seems to answer {project.path}: let the app do so, or change `healthcheck`.")
    if guesses:
        lines.append(f"Put your own {' and '.join(guesses)} into config/deploy.yml.")
    return lines


@click.command()
@click.argument("section", default="configuration")
@example(
    "kp docs",
    "kp docs healthcheck",
    "kp docs LockHeld    cause and cure of an error",
    "kp docs errors      which there are",
)
def docs(section: str) -> None:
    """Print a documented sample of a SECTION or key of deploy.yml, or of the whole; or the page about an error."""
    page = error_page(section)
    if page is None:
        from kamal_pyinfra.project.reference import sample

        page = sample(section)
    echo(page, nl=False)


@click.command()
@common_options
@example("kp config -d staging")
def config(options: Options) -> None:
    """Print the configuration as it takes effect, without secrets; connects to no host."""
    import yaml

    from kamal_pyinfra.config.secrets import redacted_dict

    echo(yaml.safe_dump(redacted_dict(options.config()), sort_keys=False, allow_unicode=True), nl=False)


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@example(
    "kp completion fish > ~/.config/fish/completions/kp.fish",
    'eval "$(kp completion bash)"    in ~/.bashrc',
    'eval "$(kp completion zsh)"     in ~/.zshrc',
)
def completion(shell: str) -> None:
    """Print what makes SHELL complete commands, options, hosts, roles, accessories, destinations and versions."""
    from click.shell_completion import BashComplete, FishComplete, ZshComplete

    script = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}[shell]
    root = click.get_current_context().find_root().command
    echo(script(root, {}, "kp", "_KP_COMPLETE").source())
