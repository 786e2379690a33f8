"""``ObservedHost``: a host as it was found, whose containers it has, and what the last run left there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from kamal_pyinfra import naming
from kamal_pyinfra.config.servers import is_host

FORMAT_VERSION = 1
PROJECT_LABELS = ("com.docker.compose.project", "com.docker.stack.namespace")
ORCHESTRATED = ("com.docker.compose.container-number", "com.docker.swarm.task.id")
"""What Compose and Swarm give every container that they start; images may have the other labels of theirs."""
FOREIGN_WAY_OUT = "remove podman-docker there (or unset DOCKER_HOST), then `kp setup` installs Docker"


@dataclass(frozen=True, kw_only=True)
class Record:
    """The end of the last run, as one host has it."""

    version: str = ""  # the version that was put into service
    # host → its roles, for all hosts of the service, also those that left the configuration
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    containers: Mapping[str, str] = field(default_factory=dict)  # container → digest of what it was started with
    env_files: Mapping[str, str] = field(default_factory=dict)  # path → SHA-256 of its content
    proxy: str = ""  # digest of the proxy; empty if the host runs none of ours
    service: str = ""  # whose record it is; empty in one of an earlier kp
    destination: str = ""  # the destination of that service; empty without

    def is_of_another(self, service: str, destination: str) -> bool:
        """Whether it names another service or destination; one of an earlier kp names none."""
        return bool(self.service) and (self.service, self.destination) != (service, destination)


def record_text(record: Record) -> str:
    """The record as it is kept: one line of JSON."""
    return json.dumps({"format_version": FORMAT_VERSION, **asdict(record)}, sort_keys=True, separators=(",", ":"))


def parse_record(text: str) -> Record | None:
    """The record of a text; one that cannot be read, or is newer than this program, counts as none."""
    try:
        values = json.loads(text)
        if values["format_version"] != FORMAT_VERSION:
            return None
        return Record(
            version=str(values["version"]),
            hosts={host: tuple(map(str, roles)) for host, roles in values["hosts"].items() if is_host(host)},
            containers=_texts(values["containers"]),
            env_files=_texts(values["env_files"]),
            proxy=str(values["proxy"]),
            service=str(values.get("service", "")),
            destination=str(values.get("destination", "")),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


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
    """One container as ``docker inspect`` shows it, with the values of secret variables left out."""

    id: str
    name: str
    image: str
    image_id: str
    created: str  # RFC 3339 time, comparable as text
    status: Status
    health: str | None  # ``healthy``, ``unhealthy``, ``starting``, or ``None`` without health check
    restarts: int
    labels: Mapping[str, str]
    env: Mapping[str, str | None]  # ``None`` is a value that the container does not call clear
    mounts: Mapping[str, str]  # container path → host path
    command: tuple[str, ...]
    ports: Mapping[str, tuple[str, ...]]
    health_command: str | None
    health_interval: float = 0.0  # seconds between two health probes
    volumes: Mapping[str, str] = field(default_factory=dict)  # container path → ``SOURCE[:ro]``; empty if anonymous
    options: Mapping[str, tuple[object, ...]] = field(default_factory=dict)  # by inspect's field
    log_driver: str = ""  # of the container
    log_options: Mapping[str, str] = field(default_factory=dict)  # of the log driver
    secrets: str | None = None  # SHA-256 of the lines ``NAME=VALUE`` of its secret variables; ``None`` if not read
    # variable → a number that tells whether it changed, and nothing more; of secrets, and of what may have been one
    secret_checks: Mapping[str, int] = field(default_factory=dict)
    clear_checks: Mapping[str, int] = field(default_factory=dict)
    edited: tuple[str, ...] = ()  # files of the image that were changed or deleted since it was created
    are_edits_known: bool = True  # whether ``edited`` has all of them; a host may not list them in time
    started: str = ""  # RFC 3339 time of its last start

    @property
    def service(self) -> str:
        """The service that the container's label names."""
        return self.labels.get("service", "")

    @property
    def accessory(self) -> str:
        """``SERVICE[-DESTINATION]/NAME`` if it is an accessory of ours; empty if not, or if Kamal made it."""
        return self.labels.get("kp.accessory", "")

    @property
    def role(self) -> str:
        """The role that the container's label names."""
        return self.labels.get("role", "")

    @property
    def destination(self) -> str:
        """The destination that the container's label names; empty without destination."""
        return self.labels.get("destination", "")

    @property
    def service_name(self) -> str:
        """``SERVICE[-DESTINATION]``."""
        return naming.joined(self.service, self.destination)

    @property
    def prefix(self) -> str:
        """``SERVICE-ROLE[-DESTINATION]``, with which Kamal begins its name."""
        return naming.joined(self.service, self.role, self.destination)

    @property
    def version(self) -> str:
        """The version it was started with."""
        return self.env.get("KAMAL_VERSION") or ""

    @property
    def digest(self) -> str | None:
        """Our digest, or ``None`` if Kamal made the container."""
        return self.labels.get("kp.digest")

    @property
    def is_orchestrated(self) -> bool:
        """Whether Compose or Swarm started it."""
        return any(name in self.labels for name in ORCHESTRATED)

    @property
    def is_running(self) -> bool:
        """Whether it runs or is about to run again by itself."""
        return self.status in (Status.RUNNING, Status.RESTARTING, Status.PAUSED)


@dataclass(frozen=True, kw_only=True)
class ObservedFile:
    """A file on the host."""

    digest: str  # SHA-256 of its content
    mode: str  # octal
    checks: Mapping[str, int] = field(default_factory=dict)  # variable → a number that tells whether its line changed


@dataclass(frozen=True, kw_only=True)
class ObservedImage:
    """A tag on the host."""

    reference: str
    id: str


@dataclass(frozen=True, kw_only=True)
class ImageDefaults:
    """What a container gets from its image unless ``docker run`` says otherwise."""

    env: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    health_command: str | None = None


@dataclass(frozen=True, kw_only=True)
class Docker:
    """The engine on a host."""

    installed: bool  # whether there is a ``docker`` command
    version: str = ""  # of the server; empty if it does not answer
    error: str = ""  # what the command printed when the server did not answer, or what answers in place of Docker
    stand_in: str = ""  # the name of another engine that answers to ``docker``

    @classmethod
    def other(cls, name: str) -> Self:
        """An engine that is not Docker: what kp relies on is not the same there, whatever its version."""
        return cls(installed=True, error=f"{name} stands in for docker; kp needs Docker", stand_in=name)

    @property
    def is_usable(self) -> bool:
        """Whether the SSH user got an answer from the engine."""
        return self.installed and not self.error


@dataclass(frozen=True, kw_only=True)
class LockDetails:
    """Who holds the deploy lock. ``holder`` is ours only; Kamal writes the first three."""

    content: str = ""  # the text in the lock as it is, to be sure of removing this lock and no newer one
    locked_by: str = ""  # name and time, as Kamal writes them
    version: str = ""
    message: str = ""
    # ``HOST/BOOT/NAMESPACE PID START`` of the process; empty for a lock of Kamal's or one taken by hand
    holder: str = ""
    command: str = ""  # what that process was asked for
    seconds_left: int | None = None  # until the lease ends, by the clock of the host; ``None`` for a lock that has none

    @property
    def is_stale(self) -> bool:
        """Whether its holder has not renewed it in time."""
        return self.seconds_left is not None and self.seconds_left <= 0

    @property
    def is_renewed(self) -> bool:
        """Whether a process is at work behind it."""
        return self.seconds_left is not None and self.seconds_left > 0

    @property
    def owner(self) -> str:
        """Who took it, without the time."""
        return self.locked_by.rpartition(" at ")[0] or self.locked_by


@dataclass(frozen=True, kw_only=True)
class ObservedHost:
    """One snapshot of a host. Absence is an empty collection, never an error."""

    host: str
    user: str = ""
    home: str = ""  # the directory that relative paths start from
    docker: Docker = field(default_factory=lambda: Docker(installed=False))
    containers: tuple[ObservedContainer, ...] = ()
    images: tuple[ObservedImage, ...] = ()
    directories: frozenset[str] = frozenset()  # those of the desired folders that exist
    files: Mapping[str, ObservedFile] = field(default_factory=dict)  # the desired env files that exist, by path
    cords: Mapping[str, bool] = field(default_factory=dict)  # cord directory → whether the cord in it is tied
    assets: frozenset[str] = frozenset()  # asset folders of every version
    env_files: frozenset[str] = frozenset()  # paths of all env files of roles, desired or not, of any service
    image_defaults: Mapping[str, ImageDefaults] = field(default_factory=dict)  # by image id
    image_times: Mapping[str, float] = field(default_factory=dict)  # image id → when it was built or tagged on the host
    now: float = 0.0  # the host's clock, in seconds since 1970
    record: Record | None = None  # what the last run of ours left on this host
    uploads: Mapping[str, ObservedFile] = field(default_factory=dict)  # files of accessories that exist, by path
    logged_in: bool = False  # whether the engine has credentials for our registry
    lock: LockDetails | None = None
    lock_mark: str = ""  # differs once a deploy lock was taken or released there; empty if the host cannot tell

    def container(self, name: str) -> ObservedContainer | None:
        """The container of that name, or ``None``."""
        return next((container for container in self.containers if container.name == name), None)

    @property
    def running(self) -> tuple[ObservedContainer, ...]:
        """The containers that run, whosever they are."""
        return tuple(container for container in self.containers if container.is_running)

    def given_labels(self, container: ObservedContainer) -> dict[str, str]:
        """A container's labels without those that its image has as well."""
        defaults = self.image_defaults.get(container.image_id)
        image = defaults.labels if defaults else {}
        return {name: value for name, value in container.labels.items() if image.get(name) != value}

    def image_id(self, reference: str) -> str:
        """The id of the image with that tag; empty if it is not on the host."""
        return next((image.id for image in self.images if image.reference == reference), "")

    def has_image(self, reference: str) -> bool:
        """Whether that tag is on the host."""
        return any(image.reference == reference for image in self.images)

    def absolute(self, path: str) -> str:
        """A path of ours as Docker shows it."""
        return path if path.startswith("/") else f"{self.home}/{path}"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A service and destination, and the part of it that a run may touch."""

    service: str  # the value of the ``service`` label
    destination: str  # the value of the ``destination`` label; empty without destination
    roles: tuple[str, ...] = ()  # the only roles that the run may touch; empty for all

    def prefix(self, role: str) -> str:
        """``SERVICE-ROLE[-DESTINATION]``, with which the names of the role's containers begin."""
        return naming.joined(self.service, role, self.destination)

    def owns(self, container: ObservedContainer) -> bool:
        """Whether it is an app container of exactly this service and destination.

        Kamal 1.9 without destination matches every destination's containers; we compare the label itself.
        One-off containers inherit ``service`` from the image but have no role.
        """
        return self.is_service_of(container) and (not self.roles or container.role in self.roles)

    def is_service_of(self, container: ObservedContainer) -> bool:
        """Whether it is an app container of the service and destination, of whatever role.

        All images of the service have its ``service`` label, and may have the others: so the name that ``docker run``
        was given counts too.
        """
        is_same = (container.service, container.destination) == (self.service, self.destination)
        is_named = container.name.startswith(f"{container.prefix}-") and not container.is_orchestrated
        return is_same and bool(container.role) and is_named

    def containers(self, containers: Iterable[ObservedContainer]) -> tuple[ObservedContainer, ...]:
        """Its app containers, running or not, newest first."""
        owned = (container for container in containers if self.owns(container))
        return tuple(sorted(owned, key=lambda container: (container.created, container.name), reverse=True))

    def running(self, containers: Iterable[ObservedContainer]) -> tuple[ObservedContainer, ...]:
        """Its running app containers, newest first."""
        return tuple(container for container in self.containers(containers) if container.is_running)


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A file system, in bytes."""

    path: str
    size: int
    available: int


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What ``kp doctor`` found on a host; ````None```` for what could not be found out."""

    user: str
    docker: Docker
    clock: int | None = None  # seconds since 1970, when the questions began
    cpus: int | None = None
    memory: int | None = None  # in bytes
    disks: tuple[Disk, ...] = ()
    is_writable: bool = True  # whether the run directory can be written to, or made
    listening: frozenset[int] = frozenset()  # TCP ports that something listens on
    programs: Mapping[int, str] = field(default_factory=dict)  # their names by port, as far as the user may know them
    published: Mapping[int, str] = field(default_factory=dict)  # names of containers by the host port that they publish
    registry: str = ""  # ``https CODE``, ``http CODE``, ``tcp`` or ``failed``; empty without a tool that asks
