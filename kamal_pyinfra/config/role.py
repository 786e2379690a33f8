"""A role as it takes effect: its section of the file, over the root's settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kamal_pyinfra.config.sections import Healthcheck, Logging, Options
from kamal_pyinfra.config.servers import Server

if TYPE_CHECKING:
    from kamal_pyinfra.config.model import Config


@dataclass(frozen=True, kw_only=True)
class Role:
    """Hosts that run the image in the same way.

    Args:
        labels: the role's own; the root's are in ``Config.labels``.
        running_traefik: whether the proxy routes to it.
        healthcheck: effective; without the proxy only the role's own settings count.
        own_healthcheck: whether the role itself sets cmd, port or path.
        asset_path: the role's, or the root's.
        replicas: containers on each host.
    """

    name: str
    servers: tuple[Server, ...]
    cmd: str | None
    labels: dict[str, str]
    options: Options
    running_traefik: bool
    healthcheck: Healthcheck
    own_healthcheck: bool
    logging: Logging
    asset_path: str | None
    is_primary: bool
    replicas: int = 1

    def runs_on(self, host: str) -> bool:
        """Whether the host is one of the role's."""
        return host in self.hosts

    @cached_property
    def hosts(self) -> frozenset[str]:
        """Names of its hosts."""
        return frozenset(server.host for server in self.servers)

    @property
    def has_healthcheck(self) -> bool:
        """Whether Docker gets a health check from us."""
        return (self.running_traefik or self.own_healthcheck) and bool(self.healthcheck.command.strip())

    @property
    def uses_cord(self) -> bool:
        """Whether containers are taken out of rotation by a cord."""
        return self.running_traefik and self.has_healthcheck and self.healthcheck.cord is not None


def effective_role(config: Config, name: str) -> Role:
    """Lay a role's section over the root's settings."""
    section = config.servers[name]
    is_primary = name == config.primary_role
    running_traefik = is_primary if section.traefik is None else section.traefik
    own = section.healthcheck or Healthcheck()
    return Role(
        name=name,
        servers=tuple({server.host: server for server in section.hosts}.values()),
        cmd=section.cmd,
        labels=section.labels,
        options=section.options,
        running_traefik=running_traefik,
        healthcheck=config.healthcheck.merged_with(own) if running_traefik else own,
        own_healthcheck=own.probes,
        logging=config.logging.merged_with(section.logging or Logging()),
        asset_path=section.asset_path or config.asset_path,
        is_primary=is_primary,
        replicas=section.replicas,
    )
