"""The files of ``kp init``, as values: from the project's folder and the user's answers, which are checked first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kamal_pyinfra.config.image import LOOPBACK, PATH, split_domain
from kamal_pyinfra.config.values import Address, parse_address
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.project.reference import schema_text, template
from kamal_pyinfra.project.scan import Project
from kamal_pyinfra.project.write import File

PLACEHOLDER_HOST = "192.0.2.10"
"""An address that no server has (RFC 5737)."""
PLACEHOLDER_USER = "acme"
SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?", re.ASCII)
HUB = ("docker.io", "index.docker.io", "registry.hub.docker.com")
PASSWORD = "KAMAL_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable
PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*|\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
HOOKS = (
    *("docker-setup", "pre-connect", "pre-build", "pre-deploy", "post-deploy"),
    *("pre-traefik-reboot", "post-traefik-reboot"),
)
WITH_VERSION = "[--dry | -y] [--limit HOST] [--data version=VERSION]"
SCRIPTS = {
    **dict.fromkeys(("setup", "deploy", "redeploy", "rollback"), WITH_VERSION),
    "env_push": "[--dry | -y] [--limit HOST]",
    "prune": "[--dry | -y] [--limit HOST]",
    "traefik_reboot": "[-y] [--limit HOST]; one host after the other",
}
"""Every script of `deploys/`, with its options."""
INVENTORY = '''\
"""The hosts of config/deploy.yml, for plain pyinfra."""

from kamal_pyinfra.inventory import load_groups

globals().update(load_groups())
'''
IGNORED = (".env", ".env.*", "!.env.example", "!.env*.erb", "!.env*.tpl", "!.env*.j2")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Contents of deploy.yml besides those found in the folder."""

    hosts: tuple[Address, ...]
    image: str
    registry: str | None = None  # its host; ``None`` for Docker Hub, or for none
    username: str | None = None  # ``None`` for the built-in registry
    guesses: tuple[str, ...] = ()  # what the user did not give and must correct


def read_answers(
    service: str, *, hosts: Sequence[str], image: str | None, registry: str | None, username: str | None
) -> Answers:
    """Check the user's answers and fill the others with placeholders; a ConfigError has a line for each unusable one.

    ``image`` may begin with the registry's host, but ``registry`` wins. Without a registry and a user, none is wanted;
    the first part of the image's name is the user unless one is given.
    """
    domain, name = split_domain(image or service.strip("_-") or "app")
    server = (registry or domain).removeprefix("https://").rstrip("/") or None
    is_built_in = username is None and (server is None or LOOPBACK.fullmatch(server) is not None)
    server = None if server in HUB else server
    is_theirs = bool(username) and (image is None or (server is None and "/" not in name))
    known = username or (name.partition("/")[0] if "/" in name else None)
    missing = {"servers": not hosts, "user name at the registry": not is_built_in and known is None}
    answers = Answers(
        hosts=tuple(to_host(host) for host in hosts) or (Address(PLACEHOLDER_HOST),),
        image=f"{username.lower()}/{name}" if is_theirs and username else name,
        registry=server,
        username=None if is_built_in else known or PLACEHOLDER_USER,
        guesses=tuple(what for what, is_missing in missing.items() if is_missing),
    )
    problems = []
    if not PATH.fullmatch(answers.image):
        problems.append(f"--image: {answers.image!r} is no image; write [SERVER/]NAME in small letters, without a tag")
    if answers.registry is not None and not SERVER.fullmatch(answers.registry):
        problems.append(f"--registry: {answers.registry!r} is no registry; write HOST or HOST:PORT")
    if answers.username is not None and not (answers.username.strip() and answers.username.isprintable()):
        problems.append("--username: is empty or has control characters")
    if problems:
        raise ConfigError(*problems)
    return answers


def to_host(text: str) -> Address:
    """Parse ``[USER@]HOST[:PORT]``; raise ConfigError for other text."""
    address = parse_address(text)
    if address is None or not text.isprintable() or text.count("@") > 1:
        raise ConfigError(f"--host: {text!r} is no server; write [USER@]HOST[:PORT]")
    return address


def split_account(text: str) -> tuple[str | None, str | None]:
    """Split ``[SERVER/]USER``, or a registry alone; a user alone is one of Docker Hub."""
    first, _, rest = text.strip().partition("/")
    is_server = first == "localhost" or "." in first or ":" in first
    return (first, rest or None) if is_server else (None, text.strip() or None)


def deploy_yml(project: Project, answers: Answers) -> str:
    """Return the text of deploy.yml."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - only for templates

    # `scalar` quotes what is inserted into YAML
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701
    environment.filters["scalar"] = scalar
    return environment.from_string(template("deploy.yml")).render(
        project=project, framework=project.framework, answers=answers, next_step=next_step(project, answers)
    )


def next_step(project: Project, answers: Answers) -> str:
    """Return what the user does after the files are written."""
    password = ("the registry's password",) if answers.username is not None else ()
    wanted = " and ".join((*password, *project.framework.secret))
    return f"write {wanted} into .env, then run `kp setup`" if wanted else "run `kp setup`"


def scalar(text: str) -> str:
    """Return a text in YAML that reads back the same, with nothing in it that would be replaced."""
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    if text.isascii() and text.isdigit() and (text == "0" or text[0] != "0"):
        return text
    return json.dumps(text, ensure_ascii=False).replace("${", "$${")


def starter_files(project: Project, answers: Answers) -> Iterator[File]:
    """Yield every file, the most important first."""
    yield File(path="config/deploy.yml", text=deploy_yml(project, answers))
    yield File(path="config/deploy.schema.json", text=schema_text())
    # a secret of the app counts only once it has a value
    password = f"{PASSWORD}=\n" if answers.username is not None else ""
    variables = password + "".join(f"# {name}=\n" for name in project.framework.secret)
    yield File(path=".env", text=f"# Values of the variables of config/deploy.yml.\n{variables}", mode=0o600)
    yield File(path=".env.example", text=f"# Copy to .env, fill in, and keep that out of git.\n{variables}")
    yield File(path=".gitignore", lines=IGNORED)
    if project.image is not None:
        yield File(path=".dockerignore", lines=(".env", ".env.*"))
    yield File(path="inventory.py", text=INVENTORY)
    for name, options in SCRIPTS.items():
        usage = f'"""pyinfra inventory.py deploys/{name}.py {options}"""\n\n'
        yield File(
            path=f"deploys/{name}.py", text=f"{usage}from kamal_pyinfra.deploys.scripts import {name}\n\n{name}()\n"
        )
    for name in HOOKS:
        yield File(path=f".kamal/hooks/{name}.sample", text=template(f"hooks/{name}.sample"), mode=0o755)
