"""The files that ``kp init`` writes, as values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from kamal_pyinfra.config.answers import Answers
from kamal_pyinfra.config.project import Project
from kamal_pyinfra.config.schema import schema_text
from kamal_pyinfra.config.starter_yaml import PASSWORD, SCHEMA, deploy_yml

HOOKS = (
    "docker-setup",
    "pre-connect",
    "pre-build",
    "pre-deploy",
    "post-deploy",
    "pre-traefik-reboot",
    "post-traefik-reboot",
)
SCRIPTS = ("setup", "deploy", "redeploy", "rollback", "env_push", "prune", "traefik_reboot")
"""Every script of `deploys/`."""
WITH_VERSION = "[--dry | -y] [--limit HOST] [--data version=VERSION]"
USAGE = {
    "env_push": "[--dry | -y] [--limit HOST]",
    "prune": "[--dry | -y] [--limit HOST]",
    "traefik_reboot": "[-y] [--limit HOST]; one host after the other",
}
INVENTORY = '''\
"""The hosts of config/deploy.yml, for plain pyinfra."""

from kamal_pyinfra.inventory import load_groups

globals().update(load_groups())
'''
VALUES = "Values of the variables of config/deploy.yml."
EXAMPLE = "Copy to .env, fill in, and keep that out of git."
IGNORED = (".env", ".env.*", "!.env.example", "!.env*.erb", "!.env*.tpl", "!.env*.j2")
NOT_IN_IMAGES = (".env", ".env.*")


@dataclass(frozen=True, kw_only=True)
class File:
    """One file to write where there is none; for ``lines`` also where there is one that lacks them.

    Args:
        path: from the project's folder.
        lines: what must be in it; its first line tells whether it is.
    """

    path: str
    text: str = ""
    mode: int = 0o644
    lines: tuple[str, ...] = ()


def starter_files(project: Project, answers: Answers) -> Iterator[File]:
    """Every file, the most important first."""
    yield File(path="config/deploy.yml", text=deploy_yml(project, answers))
    yield File(path=f"config/{SCHEMA}", text=schema_text())
    yield File(path=".env", text=env_text(project, answers, VALUES), mode=0o600)
    yield File(path=".env.example", text=env_text(project, answers, EXAMPLE))
    yield File(path=".gitignore", lines=IGNORED)
    if project.image is not None:
        yield File(path=".dockerignore", lines=NOT_IN_IMAGES)
    yield File(path="inventory.py", text=INVENTORY)
    yield from (File(path=f"deploys/{name}.py", text=script(name)) for name in SCRIPTS)
    yield from (File(path=f".kamal/hooks/{name}.sample", text=hook(name), mode=0o755) for name in HOOKS)


def env_text(project: Project, answers: Answers, about: str) -> str:
    """An env file without values; what the app itself needs must be set before it counts."""
    password = (f"{PASSWORD}=",) if answers.username is not None else ()
    secrets = project.framework.secret if project.framework else ()
    return "".join(f"{line}\n" for line in (f"# {about}", *password, *(f"# {name}=" for name in secrets)))


def script(name: str) -> str:
    """A script for pyinfra's own command."""
    usage = f"pyinfra inventory.py deploys/{name}.py {USAGE.get(name, WITH_VERSION)}"
    return f'"""{usage}"""\n\nfrom kamal_pyinfra.deploys.scripts import {name}\n\n{name}()\n'


def hook(name: str) -> str:
    """The sample of a hook."""
    return (files("kamal_pyinfra.config") / "templates" / "hooks" / f"{name}.sample").read_text("utf-8")
