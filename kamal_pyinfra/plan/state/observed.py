"""``ObservedHost``: everything that was found, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from kamal_pyinfra import naming
from kamal_pyinfra.plan.state.record import Record

PROJECT_LABELS = ("com.docker.compose.project", "com.docker.stack.namespace")

ORCHESTRATED = ("com.docker.compose.container-number", "com.docker.swarm.task.id")
"""What Compose and Swarm give every container that they start; images may have the other labels of theirs."""


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
        env: names with their value, or ``None`` where the container does not say that it is clear.
        mounts: container path → host path.
        volumes: container path → ``SOURCE[:ro]`` as ``--volume`` would have it; empty for an anonymous volume.
        options: what inspect shows of ``docker run`` options, by its field; each as a tuple of values.
        log_driver: of the container.
        log_options: of the log driver.
        secrets: SHA-256 of the lines ``NAME=VALUE`` of its secret variables; ``None`` if they were not looked at.
        secret_checks: secret variable → a number that tells whether it changed, and nothing more.
        clear_checks: the same of variables that are clear today, and may have been secrets once.
        edited: files of the image that were changed or deleted since it was created.
        are_edits_known: whether ``edited`` has all of them; a host may not list them in time.
        started: RFC 3339 time of its last start.
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
    volumes: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, tuple[object, ...]] = field(default_factory=dict)
    log_driver: str = ""
    log_options: Mapping[str, str] = field(default_factory=dict)
    secrets: str | None = None
    secret_checks: Mapping[str, int] = field(default_factory=dict)
    clear_checks: Mapping[str, int] = field(default_factory=dict)
    edited: tuple[str, ...] = ()
    are_edits_known: bool = True
    started: str = ""

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
        return "-".join(filter(None, (self.service, self.destination)))

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
    """A file on the host.

    Args:
        digest: SHA-256 of its content.
        mode: octal.
        checks: variable in it → a number that tells whether its line changed, and nothing more.
    """

    digest: str
    mode: str
    checks: Mapping[str, int] = field(default_factory=dict)


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


FOREIGN_WAY_OUT = "remove podman-docker there (or unset DOCKER_HOST), then `kp setup` installs Docker"


@dataclass(frozen=True, kw_only=True)
class Docker:
    """The engine on a host.

    Args:
        installed: whether there is a ``docker`` command.
        version: of the server; empty if it does not answer.
        error: what the command said when the server did not answer, or what answers in place of Docker.
        stand_in: the name of another engine that answers to ``docker``.
    """

    installed: bool
    version: str = ""
    error: str = ""
    stand_in: str = ""

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
    """Who holds the deploy lock. ``holder`` is ours only; Kamal writes the first three.

    Args:
        content: the text in the lock as it is, to be sure of removing this lock and no newer one.
        locked_by: name and time, as Kamal writes them.
        holder: ``HOST/BOOT/NAMESPACE PID START`` of the process; empty for a lock of Kamal's or one taken by hand.
        command: what that process was asked for.
        seconds_left: until the lease ends, by the clock of the host; ``None`` for a lock that has none.
    """

    content: str = ""
    locked_by: str = ""
    version: str = ""
    message: str = ""
    holder: str = ""
    command: str = ""
    seconds_left: int | None = None

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
    """What one look at a host found. Absence is an empty collection, never an error.

    Args:
        home: the directory that relative paths start from.
        directories: those of the wanted folders that exist.
        files: digests of those of the wanted env files that exist, by path.
        cords: cord directory → whether the cord in it is tied.
        assets: asset folders of every version.
        env_files: paths of all env files of roles, wanted or not, of whatever service.
        image_defaults: image id → what its containers get from it.
        image_times: image id → when it was last built or got a tag on the host, in seconds since 1970.
        now: the host's clock, in seconds since 1970.
        record: what the last run of ours wrote down on this host.
        uploads: uploaded files of accessories that exist, by path.
        logged_in: whether the engine has credentials for our registry.
        lock_mark: differs once somebody took or gave back a deploy lock here; empty if the host cannot tell.
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
    env_files: frozenset[str] = frozenset()
    image_defaults: Mapping[str, ImageDefaults] = field(default_factory=dict)
    image_times: Mapping[str, float] = field(default_factory=dict)
    now: float = 0.0
    record: Record | None = None
    uploads: Mapping[str, ObservedFile] = field(default_factory=dict)
    logged_in: bool = False
    lock: LockDetails | None = None
    lock_mark: str = ""

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

    def has_image(self, reference: str) -> bool:
        """Whether that tag is on the host."""
        return any(image.reference == reference for image in self.images)

    def absolute(self, path: str) -> str:
        """A path of ours as Docker shows it."""
        return path if path.startswith("/") else f"{self.home}/{path}"


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A service and destination, and the part of it that a run may touch.

    Args:
        service: the value of the ``service`` label.
        destination: the value of the ``destination`` label; empty without destination.
        roles: the only roles that the run may touch; empty for all.
    """

    service: str
    destination: str
    roles: tuple[str, ...] = ()

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
        prefix = naming.joined(self.service, container.role, self.destination)
        is_named = container.name.startswith(f"{prefix}-") and not container.is_orchestrated
        return is_same and bool(container.role) and is_named

    def running(self, containers: Iterable[ObservedContainer]) -> tuple[ObservedContainer, ...]:
        """Its running app containers, newest first."""
        ours = (container for container in containers if self.owns(container) and container.is_running)
        return tuple(sorted(ours, key=lambda container: (container.created, container.name), reverse=True))


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A file system, in bytes."""

    path: str
    size: int
    available: int


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What one look found on a host. What could not be found out is ``None``.

    Args:
        clock: seconds since 1970, when the look began.
        memory: in bytes.
        is_writable: whether the run directory can be written to, or made.
        listening: TCP ports that something listens on.
        programs: names of those programs by port, as far as the user may know them.
        published: names of containers by the host port that they publish.
        registry: ``https CODE``, ``http CODE``, ``tcp`` or ``failed``; empty without any tool to ask with.
    """

    user: str
    docker: Docker
    clock: int | None = None
    cpus: int | None = None
    memory: int | None = None
    disks: tuple[Disk, ...] = ()
    is_writable: bool = True
    listening: frozenset[int] = frozenset()
    programs: Mapping[int, str] = field(default_factory=dict)
    published: Mapping[int, str] = field(default_factory=dict)
    registry: str = ""
