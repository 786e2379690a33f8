"""``DesiredHost``, the containers, files and logins that belong on it, and their fingerprints."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, TypeVar

from pydantic import SecretStr

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.config.env import Env, is_for_host
from kamal_pyinfra.config.secrets import secret_value
from kamal_pyinfra.plan.docker_values import Options
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import Owner

Pairs = tuple[tuple[str, str], ...]
FIRST, FACTOR, MODULUS = 7, 31, 65521
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
LABEL_BYTES = 8000
"""Of names in a label: ``docker run`` is one argument on its way to a host, and has a limit."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file for an accessory."""

    path: str  # on the host
    content: str | bytes | None = field(repr=False)  # the whole file; ``None`` if there is no such file on this machine
    digest: str  # SHA-256 of the content, hexadecimal; empty without content


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What ``docker run`` is given, whatever the container is for."""

    own_settings: ClassVar[tuple[str, ...]] = ()

    name: str  # of the container; empty for one that Docker names
    image: str
    env_file: str
    env: Pairs = ()
    labels: Pairs = ()  # those of the configuration; kp's own are added when it is run
    volumes: tuple[str, ...] = ()  # as written; a source below the home of an accessory begins with ``$PWD/``
    options: Options
    log_options: Options = ()
    publish: str | None = None  # a port beside those that the options publish
    cmd: str | None = None  # instead of the image's; ``None`` is the image's
    secret_names: tuple[str, ...] = ()  # variables that come from the env file
    secrets: str | None = field(default=None, repr=False)  # digest of the secrets; ``None`` if they stay as they are
    secret_checks: Mapping[str, int] = field(default_factory=dict, repr=False)  # secret → a number that changes with it
    digest: str = ""  # of ``settings``

    @property
    def settings(self) -> dict[str, object]:
        """What needs another container if it changes; not what changes from run to run, and nothing of secrets."""
        common = {"env": dict(self.env), "labels": dict(self.labels)}
        names = ("options", "log_options", *self.own_settings)
        return common | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class AccessoryContainer(ContainerSpec):
    """An accessory as the configuration wants it on one host."""

    own_settings = ("image", "publish", "volumes", "cmd")

    key: str  # what the configuration calls it; ``name`` is that of its container, and of its folder on the host
    owner: str  # ``SERVICE[-DESTINATION]/KEY``, the label by which it is ours
    uploads: tuple[Upload, ...]  # its files
    directories: tuple[str, ...]  # folders that must exist on the host


@dataclass(frozen=True, kw_only=True)
class Health:
    """Docker's health check of a container."""

    command: str  # shell text that Docker runs inside the container, as Kamal 1.9 spells it
    interval: str  # Docker duration between two probes, for example ``1s``
    # the same check, which tries again by itself for as long as Docker's three probes would, so that one failure can
    # count and a cut cord shows at the next probe, or at once to one that stands by; empty if Docker is to count
    retrying_command: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class Assets:
    """Files that the image brings and the proxy's clients may still ask an older or newer container for."""

    helper: str  # name of the container that the files are copied out of
    source: str  # folder inside the image
    extracted: str  # host folder with exactly the files of this version
    volume: str  # host folder that the container mounts over ``source``


@dataclass(frozen=True, kw_only=True)
class AppContainer(ContainerSpec):
    """One app container as the configuration wants it on one host."""

    own_settings = ("volumes", "cmd")

    role: str
    version: str
    hostname: str  # container host name; differs between hosts and runs, so it is not part of the digest
    health: Health | None
    cord: str | None  # host directory of the cord, relative to the run's working directory; ``None`` without cord
    cord_target: str | None  # where the container sees the cord directory
    assets: Assets | None
    deadline: int  # seconds that the container may take to become healthy
    readiness_delay: int  # seconds that a container without health check must stay up to count as ready
    stop_timeout: int | None  # seconds between TERM and KILL when it is stopped; ``None`` is Docker's own 10
    log_lines: int
    is_primary: bool
    replica: int = 1  # its number among those of its role on the host, counted from 1
    probe_path: str = "/up"  # what the app is asked for when the proxy is asked whether it routes to it

    @property
    def settings(self) -> dict[str, object]:
        """All that ``docker run`` is given but the image, which changes with the version."""
        return super().settings | {
            "health": self.health and (self.health.command, self.health.interval),
            "cord": self.cord_target,
            "assets": self.assets and self.assets.source,
        }


@dataclass(frozen=True, kw_only=True)
class EnvFile:
    """A file of secrets, mode 0600."""

    path: str
    content: SecretStr | None  # the whole text; never printed. ``None`` if the file is kept as it is on the host
    digest: str = field(repr=False)  # SHA-256 of the text, hexadecimal; empty without content
    names: tuple[str, ...]  # the secrets in it
    checks: Mapping[str, int] = field(default_factory=dict, repr=False)  # secret → a number that changes with it
    role: str = ""  # whose secrets; empty for the proxy's


@dataclass(frozen=True, kw_only=True)
class Proxy(ContainerSpec):
    """The Traefik container that all services of a host share."""

    own_settings = ("image", "publish", "args")

    args: Options
    owner: str  # the service that started it; no setting, since the proxy is shared


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where images come from and how to log in; the password travels on standard input only."""

    server: str | None
    username: str
    password: SecretStr


@dataclass(frozen=True, kw_only=True)
class ReleaseCommand:
    """The command that runs once before a new version boots."""

    name: str
    owner: str  # ``SERVICE[-DESTINATION]``, by which its container is found again
    cmd: str
    timeout: int
    container: AppContainer  # the app container whose surroundings it gets


@dataclass(frozen=True, kw_only=True)
class DesiredHost:
    """Everything that one service wants on one host."""

    run: Run = field(repr=False)  # for which this is wanted
    host: str
    owner: Owner  # what the labels of our containers say
    directories: tuple[str, ...]
    env_files: tuple[EnvFile, ...]
    registry: Registry | None  # ``None`` without a login there
    proxy: Proxy | None
    containers: tuple[AppContainer, ...]
    accessories: tuple[AccessoryContainer, ...]  # those of the configuration on this host that the run may change
    release: ReleaseCommand | None  # the release command, on the one host where it runs

    @property
    def image(self) -> str:
        """The image of the wanted version."""
        return naming.image_reference(self.run.config, self.run.version)

    @property
    def is_leaving(self) -> bool:
        """Whether nothing of the service is to stay on the host."""
        return self.host in self.run.decommissioned

    @property
    def retain_containers(self) -> int | None:
        """Stopped containers to keep per role; ``None`` if this run does not prune."""
        if self.is_leaving:
            return 0
        return self.run.config.retain_containers if self.run.behaviour.prunes else None

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everything that is wanted, as changes name it."""
        images = (self.image, self.run.latest_image) if self.containers else ()
        proxies = () if self.proxy is None else (self.proxy.name,)
        files = tuple(file.path for file in self.env_files)
        return (*files, *images, *proxies, *(container.name for container in self.containers))


def digest_content(content: str | bytes) -> str:
    """SHA-256 of a content, hexadecimal."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def digest_values(values: Mapping[str, object]) -> str:
    """The fingerprint of named values, 32 hexadecimal digits; their order does not matter, that inside lists does."""
    return digest_content(json.dumps(values, sort_keys=True, default=list, ensure_ascii=True))[:32]


Spec = TypeVar("Spec", bound=ContainerSpec)


def completed(spec: Spec, config: Config, env: Env, *, keeps_secrets: bool) -> Spec:
    """The container with its variables, the checks of its secrets, and the fingerprint of its settings.

    The fingerprint is of what ``docker run`` is given; name and secrets are compared without it.
    """
    lines = None if keeps_secrets else watched_lines(config, env)
    spec = replace(
        spec,
        env=tuple(env.clear.items()),
        secret_names=env.secret,
        secrets=None if lines is None else digest_lines(lines),
        secret_checks=checks_of(lines or ()),
    )
    return replace(spec, digest=digest_values(spec.settings))


def watched_lines(config: Config, env: Env) -> tuple[str, ...]:
    """``NAME=VALUE`` of the watched variables that a container has, sorted as bytes.

    Of a clear value with several lines only the first is watched; all of it is in the container's digest.
    """
    secrets = {name: secret_value(config, name).get_secret_value() for name in env.secret}
    values = {**env.clear, **secrets}
    lines = (f"{name}={values[name]}".partition("\n")[0] for name in config.watched_names if name in values)
    return tuple(sorted(lines, key=str.encode))


def digest_lines(lines: Iterable[str]) -> str:
    """SHA-256 of lines, hexadecimal."""
    return digest_content("".join(f"{line}\n" for line in lines))


def checks_of(lines: Iterable[str]) -> dict[str, int]:
    """A small number for each ``NAME=VALUE``."""
    return {line.partition("=")[0]: check(line) for line in lines if "=" in line}


def clear_labels(env: Iterable[tuple[str, str]], secret_names: Collection[str]) -> tuple[str, ...]:
    """The names of a container's variables whose values anybody may see, joined by commas; none without any.

    One that a host's shell expands is not among them: what it holds is not known on this machine.
    """
    clear = (name for name, value in env if name not in secret_names and not is_for_host(value))
    label = ",".join(sorted(filter(NAME.fullmatch, clear)))
    label = label if len(label) <= LABEL_BYTES else label[:LABEL_BYTES].rpartition(",")[0]
    return (label,) if label else ()


def clear_check(name: str, value: str) -> int:
    """A number that tells whether a variable changed that is clear today, as a host makes it, in hexadecimal."""
    return check(f"{name}={value}".encode().hex())


def check(line: str) -> int:
    """A number below 65521; of 65521 changes of a line all but one change it too."""
    number = FIRST
    for byte in line.encode():
        number = (number * FACTOR + byte) % MODULUS
    return number
