"""``DesiredHost`` and the containers, files and logins that belong on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from kamal_pyinfra import naming
from kamal_pyinfra.plan.docker_values import Options
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import Owner

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file for an accessory.

    Args:
        path: on the host.
        content: the whole file; ``None`` if there is no such file on this machine.
        digest: SHA-256 of the content, hexadecimal; empty without content.
    """

    path: str
    content: str | bytes | None = field(repr=False)
    digest: str


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What ``docker run`` is given, whatever the container is for.

    Args:
        name: of the container; empty for one that Docker names.
        labels: those of the configuration; kp's own are added when it is run.
        volumes: as written; a source below the home of an accessory begins with ``$PWD/``.
        publish: a port beside those that the options publish.
        cmd: instead of the image's; ``None`` is the image's.
        secret_names: variables that come from the env file.
        secrets: digest of the secret variables; ``None`` if they are kept as they are on the host.
        secret_checks: secret → a number that tells whether it changed.
        digest: of ``settings``.
    """

    name: str
    image: str
    env_file: str
    env: Pairs
    labels: Pairs = ()
    volumes: tuple[str, ...] = ()
    options: Options
    log_options: Options = ()
    publish: str | None = None
    cmd: str | None = None
    secret_names: tuple[str, ...] = ()
    secrets: str | None = field(default=None, repr=False)
    secret_checks: Mapping[str, int] = field(default_factory=dict, repr=False)
    digest: str = ""

    @property
    def settings(self) -> dict[str, object]:
        """What needs another container if it changes; not what changes from run to run, and nothing of secrets."""
        return {
            "env": dict(self.env),
            "labels": dict(self.labels),
            "options": self.options,
            "log_options": self.log_options,
        }


@dataclass(frozen=True, kw_only=True)
class AccessoryContainer(ContainerSpec):
    """An accessory as the configuration wants it on one host.

    Args:
        key: what the configuration calls it; ``name`` is that of its container, and of its folder on the host.
        owner: ``SERVICE[-DESTINATION]/KEY``, the label by which it is ours.
        uploads: its files.
        directories: folders that must exist on the host.
    """

    key: str
    owner: str
    uploads: tuple[Upload, ...]
    directories: tuple[str, ...]

    @property
    def settings(self) -> dict[str, object]:
        """All that ``docker run`` is given."""
        own = {"image": self.image, "publish": self.publish, "volumes": self.volumes, "cmd": self.cmd}
        return super().settings | own


@dataclass(frozen=True, kw_only=True)
class Health:
    """Docker's health check of a container.

    Args:
        command: shell text that Docker runs inside the container, as Kamal 1.9 spells it.
        interval: Docker duration between two probes, for example ``1s``.
        retrying_command: the same check, which tries again by itself for as long as Docker's three probes would, so
            that one failure can count and a cut cord shows at the next probe, or at once to one that stands by;
            empty if Docker is to count.
    """

    command: str
    interval: str
    retrying_command: str = field(default="", compare=False)


@dataclass(frozen=True, kw_only=True)
class Assets:
    """Files that the image brings and the proxy's clients may still ask an older or newer container for.

    Args:
        source: folder inside the image.
        extracted: host folder with exactly the files of this version.
        volume: host folder that the container mounts over ``source``.
        helper: name of the container that the files are copied out of.
    """

    helper: str
    source: str
    extracted: str
    volume: str


@dataclass(frozen=True, kw_only=True)
class AppContainer(ContainerSpec):
    """One app container as the configuration wants it on one host.

    Args:
        cord: host directory of the cord, relative to the run's working directory; ``None`` without cord.
        cord_target: where the container sees the cord directory.
        hostname: container host name; differs between hosts and runs, so it is not part of the digest.
        deadline: seconds that the container may take to become healthy.
        readiness_delay: seconds that a container without health check must stay up to count as ready.
        stop_timeout: seconds between TERM and KILL when it is stopped; ``None`` is Docker's own 10.
        replica: its number among those of its role on the host, counted from 1.
        probe_path: what the app is asked for when the proxy is asked whether it routes to it.
    """

    role: str
    version: str
    hostname: str
    health: Health | None
    cord: str | None
    cord_target: str | None
    assets: Assets | None
    deadline: int
    readiness_delay: int
    stop_timeout: int | None
    log_lines: int
    is_primary: bool
    replica: int = 1
    probe_path: str = "/up"

    @property
    def settings(self) -> dict[str, object]:
        """All that ``docker run`` is given but the image, which changes with the version."""
        own: dict[str, object] = {
            "volumes": self.volumes,
            "cmd": self.cmd,
            "health": self.health and (self.health.command, self.health.interval),
            "cord": self.cord_target,
            "assets": self.assets and self.assets.source,
        }
        return super().settings | own


@dataclass(frozen=True, kw_only=True)
class EnvFile:
    """A file of secrets, mode 0600.

    Args:
        content: the whole text; never printed. ``None`` if the file is kept as it is on the host.
        digest: SHA-256 of the text, hexadecimal; empty without content.
        names: the secrets in it.
        checks: secret → a number that tells whether it changed.
        role: whose secrets; empty for the proxy's.
    """

    path: str
    content: SecretStr | None
    digest: str = field(repr=False)
    names: tuple[str, ...]
    checks: Mapping[str, int] = field(default_factory=dict, repr=False)
    role: str = ""


@dataclass(frozen=True, kw_only=True)
class Proxy(ContainerSpec):
    """The Traefik container that all services of a host share; its owner is the service that started it."""

    args: Options
    owner: str

    @property
    def settings(self) -> dict[str, object]:
        """All that ``docker run`` is given; the owner is not part of it, the proxy is shared."""
        return super().settings | {"image": self.image, "publish": self.publish, "args": self.args}


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where images come from and how to log in; the password travels on standard input only."""

    server: str | None
    username: str
    password: SecretStr


@dataclass(frozen=True, kw_only=True)
class ReleaseCommand:
    """The command that runs once before a new version boots.

    Args:
        owner: ``SERVICE[-DESTINATION]``, by which its container is found again.
        container: the app container whose surroundings it gets.
    """

    name: str
    owner: str
    cmd: str
    timeout: int
    container: AppContainer


@dataclass(frozen=True, kw_only=True)
class DesiredHost:
    """Everything that one service wants on one host.

    Args:
        run: for which this is wanted.
        owner: what the labels of our containers say.
        registry: ``None`` if nobody logs in there.
        accessories: those of the configuration on this host that the run may look at.
        release: the release command, on the one host where it runs.
    """

    run: Run = field(repr=False)
    host: str
    owner: Owner
    directories: tuple[str, ...]
    env_files: tuple[EnvFile, ...]
    registry: Registry | None
    proxy: Proxy | None
    containers: tuple[AppContainer, ...]
    accessories: tuple[AccessoryContainer, ...]
    release: ReleaseCommand | None

    @property
    def image(self) -> str:
        """The image of the wanted version."""
        return self.run.config.absolute_image(self.run.version)

    @property
    def latest_image(self) -> str:
        """The name that the image of the version in service has besides."""
        return f"{self.run.config.repository}:{self.run.config.latest_tag}"

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The container prefixes of the roles that the run may touch."""
        config = self.run.config
        return tuple(
            naming.container_prefix(config, role.name) for role in config.roles if self.run.includes(role.name)
        )

    @property
    def known_roles(self) -> tuple[str, ...]:
        """All roles of the configuration, on this host or not."""
        return tuple(role.name for role in self.run.config.roles)

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
        images = (self.image, self.latest_image) if self.containers else ()
        proxies = () if self.proxy is None else (self.proxy.name,)
        files = tuple(file.path for file in self.env_files)
        return (*files, *images, *proxies, *(container.name for container in self.containers))
