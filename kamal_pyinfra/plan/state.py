"""The vocabulary of the plan: what should be on a host, and what was seen there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr

Options = tuple[tuple[str, object], ...]
"""``docker run`` options in the order of the configuration; a value may be a list or a boolean."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """Docker's health check of a container.

    Args:
        command: shell text that Docker runs inside the container.
        interval: Docker duration between two probes, for example ``1s``.
    """

    command: str
    interval: str


@dataclass(frozen=True, kw_only=True)
class AppContainer:
    """One app container as the configuration wants it on one host.

    Args:
        cord: host directory of the cord, relative to the run's working directory; ``None`` without cord.
        cord_target: where the container sees the cord directory.
        hostname: container host name; differs between hosts and runs, so it is not part of the digest.
        deadline: seconds that the container may take to become healthy.
        readiness_delay: seconds that a container without health check must stay up to count as ready.
        stop_timeout: seconds between TERM and KILL when it is stopped; ``None`` is Docker's own 10.
        digest: of everything that would need a new container if it changed.
    """

    name: str
    role: str
    version: str
    image: str
    hostname: str
    env_file: str
    env: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    volumes: tuple[str, ...]
    options: Options
    log_options: Options
    cmd: str | None
    health: Health | None
    cord: str | None
    cord_target: str | None
    assets: Assets | None
    deadline: int
    readiness_delay: int
    stop_timeout: int | None
    log_lines: int
    is_primary: bool
    digest: str


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
class EnvFile:
    """A file of secrets, mode 0600.

    Args:
        content: the whole text; never printed.
        digest: SHA-256 of the text, hexadecimal.
        names: the secrets in it.
    """

    path: str
    content: SecretStr
    digest: str
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """The Traefik container that all services of a host share."""

    name: str
    image: str
    publish: str | None
    env_file: str
    env: tuple[tuple[str, str], ...]
    labels: tuple[tuple[str, str], ...]
    options: Options
    log_options: Options
    args: Options
    owner: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where images come from and how to log in; the password travels on standard input only."""

    server: str | None
    username: str
    password: SecretStr


@dataclass(frozen=True, kw_only=True)
class DesiredHost:
    """Everything that one service wants on one host.

    Args:
        service, destination: what the labels of our containers say; no destination is the empty text.
        selected_roles: the only roles that the run may touch; empty for all.
        known_roles: all roles of the configuration, on this host or not.
        prefixes: the container prefixes of the roles that the run may touch.
        replaced_suffix: ends the name of a container that steps aside in this run.
        retain_containers: stopped containers to keep per role; ``None`` if this run does not prune.
        cord_target: where containers of the current configuration see their cord directory.
    """

    host: str
    service: str
    destination: str
    repository: str
    image: str
    latest_image: str
    version: str
    run_directory: str
    directories: tuple[str, ...]
    env_files: tuple[EnvFile, ...]
    registry: Registry
    proxy: Proxy | None
    containers: tuple[AppContainer, ...]
    selected_roles: tuple[str, ...]
    known_roles: tuple[str, ...]
    prefixes: tuple[str, ...]
    replaced_suffix: str
    retain_containers: int | None
    stop_timeout: int | None
    cord_target: str | None


class Status(StrEnum):
    """Docker's container states."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True)
class ObservedContainer:
    """One container as ``docker inspect`` shows it, with the values of secret variables left out.

    Args:
        health: ``healthy``, ``unhealthy``, ``starting``, or ``None`` without health check.
        env: names with their value, or ``None`` where the value was not asked for.
        mounts: container path → host path.
        created: RFC 3339 time, comparable as text.
        health_interval: seconds between two health probes.
    """

    id: str
    name: str
    image: str
    image_id: str
    created: str
    status: Status
    health: str | None
    restarts: int
    labels: Mapping[str, str]
    env: Mapping[str, str | None]
    mounts: Mapping[str, str]
    command: tuple[str, ...]
    ports: Mapping[str, tuple[str, ...]]
    health_command: str | None
    health_interval: float = 0.0

    @property
    def service(self) -> str:
        """The service that the container's label names."""
        return self.labels.get("service", "")

    @property
    def role(self) -> str:
        """The role that the container's label names."""
        return self.labels.get("role", "")

    @property
    def destination(self) -> str:
        """The destination that the container's label names; empty without destination."""
        return self.labels.get("destination", "")

    @property
    def version(self) -> str:
        """The version it was started with."""
        return self.env.get("KAMAL_VERSION") or ""

    @property
    def digest(self) -> str | None:
        """Our digest, or ``None`` if Kamal made the container."""
        return self.labels.get("kp.digest")

    @property
    def is_running(self) -> bool:
        """Whether it runs or is about to run again by itself."""
        return self.status in (Status.RUNNING, Status.RESTARTING, Status.PAUSED)


@dataclass(frozen=True, kw_only=True)
class ObservedFile:
    """A file on the host: SHA-256 of its content and its octal mode."""

    digest: str
    mode: str


@dataclass(frozen=True, kw_only=True)
class ObservedImage:
    """A tag on the host."""

    reference: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Docker:
    """The engine on a host.

    Args:
        installed: whether there is a ``docker`` command.
        version: of the server; empty if it does not answer.
        error: what the command said when the server did not answer.
    """

    installed: bool
    version: str = ""
    error: str = ""

    @property
    def is_usable(self) -> bool:
        """Whether the SSH user got an answer from the engine."""
        return self.installed and not self.error


@dataclass(frozen=True, kw_only=True)
class LockDetails:
    """Who holds the deploy lock. ``holder`` is ours only; Kamal writes the first three.

    Args:
        content: the text in the lock as it is, to be sure of removing this lock and no newer one.
    """

    content: str = ""
    locked_by: str = ""
    version: str = ""
    message: str = ""
    holder: str = ""


@dataclass(frozen=True, kw_only=True)
class ObservedHost:
    """What one look at a host found. Absence is an empty collection, never an error.

    Args:
        home: the directory that relative paths start from.
        directories: those of the wanted folders that exist.
        files: digests of those of the wanted env files that exist, by path.
        cords: cord directory → whether the cord in it is tied.
        assets: asset folders of every version.
        logged_in: whether the engine has credentials for our registry.
    """

    host: str
    user: str = ""
    home: str = ""
    docker: Docker = field(default_factory=lambda: Docker(installed=False))
    containers: tuple[ObservedContainer, ...] = ()
    images: tuple[ObservedImage, ...] = ()
    directories: frozenset[str] = frozenset()
    files: Mapping[str, ObservedFile] = field(default_factory=dict)
    cords: Mapping[str, bool] = field(default_factory=dict)
    assets: frozenset[str] = frozenset()
    logged_in: bool = False
    lock: LockDetails | None = None

    def container(self, name: str) -> ObservedContainer | None:
        """The container of that name, or ``None``."""
        return next((container for container in self.containers if container.name == name), None)

    def has_image(self, reference: str) -> bool:
        """Whether that tag is on the host."""
        return any(image.reference == reference for image in self.images)

    def absolute(self, path: str) -> str:
        """A path of ours as Docker shows it."""
        return path if path.startswith("/") else f"{self.home}/{path}"
