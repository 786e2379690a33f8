"""The vocabulary of ``kp doctor``: what was found out about a host, and what it should be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kamal_pyinfra.plan.observed import Docker


class Verdict(StrEnum):
    """What a check came to: only ``fail`` keeps a deploy from working."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One question about a host, its answer and what to do about it.

    Args:
        host: name in the configuration, or ``this machine``.
        name: what was looked at, such as ``disk``.
        message: what was found.
        way_out: what to do; empty when all is well.
    """

    host: str
    name: str
    verdict: Verdict
    message: str
    way_out: str = ""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """A file system, in bytes."""

    path: str
    size: int
    available: int


@dataclass(frozen=True, kw_only=True)
class Examined:
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


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one container may use of a host.

    Args:
        container: the role or accessory.
        memory: in bytes.
    """

    container: str
    cpus: float = 0.0
    memory: int = 0


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a host should be able to do.

    Args:
        address: ``USER@HOST -p PORT``, to be tried by hand.
        ports: host ports that the proxy publishes here.
        registry: the registry's host.
        shares: containers with limits on this host.
    """

    host: str
    address: str
    run_directory: str
    ports: tuple[int, ...] = ()
    registry: str = ""
    shares: tuple[Share, ...] = ()
