"""The files of ``kp init``, as values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files

from kamal_pyinfra.project.answers import PLACEHOLDER_USER, Answers, Host
from kamal_pyinfra.project.reference import schema_text
from kamal_pyinfra.project.scan import Project
from kamal_pyinfra.project.write import File

SCHEMA = "deploy.schema.json"
PASSWORD = "KAMAL_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable
PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def deploy_yml(project: Project, answers: Answers) -> str:
    """The text of deploy.yml."""
    where = (head(project, answers), servers(answers), registry(answers), builder(project))
    what = (env(project), healthcheck(project), rest(project))
    lines = [line for part in (*where, *what) for line in (*part, "")]
    return "\n".join([*lines, f"# Next: {next_step(project, answers)}.", ""])


def next_step(project: Project, answers: Answers) -> str:
    """What the user does after the files are written."""
    password = ("the registry's password",) if answers.username is not None else ()
    wanted = " and ".join((*password, *(project.framework.secret if project.framework else ())))
    return f"write {wanted} into .env, then run `kp setup`" if wanted else "run `kp setup`"


def head(project: Project, answers: Answers) -> Iterator[str]:
    """Where to read more; the service and its image."""
    yield f"# yaml-language-server: $schema=./{SCHEMA}"
    yield "# How this app is deployed. `kp docs` explains every key; `kp config` prints what kp reads here."
    yield ""
    yield "# Name of the app: its containers' names begin with it."
    yield f"service: {scalar(project.service)}"
    yield ""
    yield "# The image, without the registry's server and without a tag: its version is the commit."
    yield f"image: {scalar(answers.image)}"


def servers(answers: Answers) -> Iterator[str]:
    """The role web, and an example of another."""
    yield "# Servers that you reach over SSH, by role. Role `web` is behind the proxy."
    yield "servers:"
    yield "  web:"
    for host in answers.hosts:
        yield from server(host)
    yield "  # job:"
    yield "  #   hosts:"
    yield f"  #     - {scalar(answers.hosts[0].name)}"
    yield "  #   cmd: bin/jobs"


def server(host: Host) -> Iterator[str]:
    """One host with the settings of its connection."""
    settings = {"user": host.user and scalar(host.user), "port": host.port}
    own = {key: value for key, value in settings.items() if value is not None}
    yield f"    - {scalar(host.name)}" + (":" if own else "")
    yield from (f"        {key}: {value}" for key, value in own.items())


def registry(answers: Answers) -> Iterator[str]:
    """The registry of the image; where none is needed, an example of one."""
    if answers.username is None and answers.registry is None:
        yield "# No registry is needed: kp runs one on this machine, and servers reach it through SSH while they pull."
        yield "# To deploy from several machines, or from CI, name one that all of them reach:"
        yield from (f"# {line}" for line in account(Answers(hosts=(), image="", username=PLACEHOLDER_USER)))
        return
    if answers.username is None:
        yield "# The registry that kp runs on this machine; servers reach it through SSH while they pull."
        yield "registry:"
        yield f"  server: {scalar(answers.registry or '')}"
        return
    yield "# Where the image is pushed to from here, and pulled from by the servers. Without `server`: Docker Hub."
    yield from account(answers)


def account(answers: Answers) -> Iterator[str]:
    """The section for a registry with a user."""
    yield "registry:"
    yield f"  server: {scalar(answers.registry)}" if answers.registry else "  # server: registry.example.com"
    yield f"  username: {scalar(answers.username or '')}"
    yield "  password:"
    yield f"    - {PASSWORD}  # a variable of .env; the password itself is never in this file"


def builder(project: Project) -> Iterator[str]:
    """The architectures; two of them need an emulator, which a fresh Linux machine lacks."""
    if project.is_built_for_itself:
        yield "# Built for processors like this machine's (amd64). Without this section: for amd64 and arm64."
        yield "builder:"
        yield "  multiarch: false"
        return
    yield "# Built for amd64 and arm64. Faster, where all servers have processors like this machine's:"
    yield "# builder:"
    yield "#   multiarch: false"


def env(project: Project) -> Iterator[str]:
    """Environment of the containers."""
    framework = project.framework
    yield "# Environment of the containers. Secrets are listed by name; their values are in .env."
    yield "env:"
    yield "  clear:"
    yield from (f"    {name}: {scalar(value)}" for name, value in clear(project))
    if framework is not None and framework.secret:
        yield "  secret:"
        yield from (f"    - {name}" for name in framework.secret)
        return
    yield "  # secret:"
    yield "  #   - DATABASE_PASSWORD"


def clear(project: Project) -> tuple[tuple[str, str], ...]:
    """Variables that may be shown; at least one, as an example."""
    return (("PORT", str(project.port)), *(project.framework.clear if project.framework else ()))


def healthcheck(project: Project) -> Iterator[str]:
    """The condition for traffic to a new version."""
    yield "# A new version gets requests once it answers here; until then the old one serves."
    yield "healthcheck:"
    command = project.health_command
    if command is not None:
        yield f"  cmd: {scalar(command)}"
        return
    yield f"  path: {scalar(project.path)}"
    yield f"  port: {project.port}"


def rest(project: Project) -> Iterator[str]:
    """Settings that many apps need later."""
    asset_path = project.framework.asset_path if project.framework else None
    yield "# Files that pages of the old and of the new version both need while versions change."
    yield f"asset_path: {asset_path}" if asset_path else "# asset_path: /app/public/assets"
    yield ""
    yield "# How servers are reached; root at port 22 by default."
    yield "# ssh:"
    yield "#   user: deploy"
    yield ""
    yield "# Databases and the like. They stay when versions change."
    yield "# accessories:"
    yield "#   db:"
    yield "#     image: postgres:16"
    yield "#     host: 192.0.2.20"
    yield "#     port: 127.0.0.1:5432:5432"
    yield "#     env:"
    yield "#       secret:"
    yield "#         - POSTGRES_PASSWORD"
    yield "#     directories:"
    yield "#       - data:/var/lib/postgresql/data"


def scalar(text: str) -> str:
    """A text in YAML that reads back the same, with nothing in it that would be replaced."""
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    if text.isascii() and text.isdigit() and (text == "0" or text[0] != "0"):
        return text
    return json.dumps(text, ensure_ascii=False).replace("${", "$${")


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
    """An env file without values; a secret of the app counts only once it has a value."""
    password = (f"{PASSWORD}=",) if answers.username is not None else ()
    secrets = project.framework.secret if project.framework else ()
    return "".join(f"{line}\n" for line in (f"# {about}", *password, *(f"# {name}=" for name in secrets)))


def script(name: str) -> str:
    """A script for pyinfra's own command."""
    usage = f"pyinfra inventory.py deploys/{name}.py {USAGE.get(name, WITH_VERSION)}"
    return f'"""{usage}"""\n\nfrom kamal_pyinfra.deploys.scripts import {name}\n\n{name}()\n'


def hook(name: str) -> str:
    """The sample of a hook."""
    return (files("kamal_pyinfra.project") / "templates" / "hooks" / f"{name}.sample").read_text("utf-8")
