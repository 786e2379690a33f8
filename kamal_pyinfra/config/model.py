"""The configuration as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Self

from pydantic import PrivateAttr

from kamal_pyinfra.config import sections, values
from kamal_pyinfra.config.accessory import Accessory, read_files
from kamal_pyinfra.config.document.source import Source
from kamal_pyinfra.config.env import Env, is_for_host, join_env
from kamal_pyinfra.config.image import BUILT_IN, Builder, Registry
from kamal_pyinfra.config.servers import Role, Server, Servers, joined
from kamal_pyinfra.config.traefik import Traefik
from kamal_pyinfra.config.values import Count, FilledText, Flag, Seconds, Section, Text, field, ours
from kamal_pyinfra.errors import ConfigError

DRAIN_SECONDS = 30
NOTICE_INTERVALS = 4
"""After which Docker surely calls a container with a cut cord unhealthy: it needs three failed probes, one may hang."""


def ready_seconds(config: Config, role: Role) -> int:
    """Until an app counts as never healthy: ``deploy_timeout``, else Kamal 1.9's 1 + 2 + … + ``max_attempts``."""
    attempts = role.healthcheck.max_attempts
    return attempts * (attempts + 1) // 2 if config.deploy_timeout is None else config.deploy_timeout


def drain_seconds(config: Config, health_interval: float) -> int:
    """Until an old container must be out of traffic once its cord is cut, by the seconds between its health checks."""
    own = DRAIN_SECONDS if config.drain_timeout is None else config.drain_timeout
    return own + int(NOTICE_INTERVALS * health_interval)


def stop_seconds(config: Config) -> int | None:
    """Between TERM and KILL: ``stop_wait_time`` (Kamal 1.9), else ``drain_timeout``; ``None`` is Docker's own 10."""
    return config.drain_timeout if config.stop_wait_time is None else config.stop_wait_time


class Config(Section):
    """The whole of ``config/deploy.yml``, checked and with its defaults.

    ``${NAME}`` in a value is replaced from the environment when the file is read, except in values of ``env``
    sections (root, roles, tags, accessories, traefik): there Kamal leaves it for the shell of the host, and
    so do we. ``<%= ENV["NAME"] %>`` and ``<%= ENV.fetch("NAME", "default") %>`` are replaced everywhere, as are the
    text of a file of the project, ``<%= File.read("FILE").strip %>``, and what git prints of the commit, such as
    ``<%= `git rev-parse HEAD`.strip %>``. No Ruby is run.
    """

    service: values.ServiceName = field("Name of the app: prefix of its containers, and their label.", ...)
    image: FilledText = field("Image without the registry's server.", ...)
    servers: Servers = field("Hosts: a list, or roles with a list or a map each.", ...)
    registry: Registry = field("Registry of the image; the built-in one without it.", BUILT_IN)
    labels: dict[str, Text] = field("Labels of all app containers.", {})
    volumes: tuple[Text, ...] = field("Volumes of all app containers.", ())
    env: Env = field("Environment of all app containers.", Env())
    asset_path: Text | None = field("Folder in the image whose files old and new versions share while they change.")
    hooks_path: FilledText = field("Folder with hooks, run on this machine.", ".kamal/hooks")
    require_destination: Flag = field("Refuse to work without a destination.", False)
    primary_role: FilledText = field("Role that boots first and gates the others.", "web")
    allow_empty_roles: Flag = field("Allow roles without hosts, save the primary one.", False)
    stop_wait_time: Count | None = field("Seconds between TERM and KILL for app containers; Docker's 10 without it.")
    deploy_timeout: Seconds | None = ours(
        "Seconds for a new container to get healthy; without it `healthcheck/max_attempts` decides."
    )
    drain_timeout: Seconds | None = ours(
        "Seconds for an old container to leave traffic once its cord is cut, beside four health checks (30"
        " without it), and then to end its requests after TERM, unless `stop_wait_time` is set."
    )
    pull_timeout: Seconds = ours("Seconds that the pull of one image may take.", 1800)
    retain_containers: values.Retained = field("Stopped containers to keep for a rollback.", 5)
    minimum_version: values.KamalVersion | None = field("Oldest version of Kamal that understands this file.")
    readiness_delay: Count = field("Seconds that a container without health check must keep running.", 7)
    run_directory: values.RunDirectory = field("Folder on hosts; may be absolute.", ".kamal")
    ssh: sections.Ssh = field("How hosts are reached.", sections.Ssh())
    sshkit: sections.Sshkit = field("Tuning of Kamal's SSH library.", sections.Sshkit())
    builder: Builder = field("How the image is built.", Builder())
    accessories: dict[str, Accessory] = field("Other containers, by name.", {})
    traefik: Traefik = field("The proxy.", Traefik())
    boot: sections.Boot = field("How many hosts boot at the same time.", sections.Boot())
    release: sections.ReleaseSetting = ours(
        "Command that runs once per deploy, before the new version boots; or a section."
    )
    healthcheck: sections.Healthcheck = field("Health check of roles behind the proxy.", sections.Healthcheck())
    logging: sections.Logging = field("Log driver of all containers.", sections.Logging())

    _source: Source = PrivateAttr(default_factory=Source)

    def loaded_from(self, source: Source) -> Self:
        """The same configuration, knowing where it came from."""
        copy = self.model_copy()
        copy._source = source
        return copy

    @property
    def source(self) -> Source:
        """Where it was loaded from."""
        return self._source

    @property
    def destination(self) -> str | None:
        """Name of the destination, if one was chosen."""
        return self._source.destination

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        """Roles by name, the primary one first."""
        names = sorted(self.servers, key=lambda name: (name != self.primary_role, name))
        return tuple(self.role(name) for name in names)

    def role(self, name: str) -> Role:
        """One role, over the root's settings."""
        if name not in self.servers:
            raise ConfigError(f"no role {name}; there are {', '.join(self.servers)}")
        section, is_primary = self.servers[name], name == self.primary_role
        is_routed = is_primary if section.traefik is None else section.traefik
        own = section.healthcheck or sections.Healthcheck()
        return Role(
            name=name,
            servers=tuple({server.host: server for server in section.hosts}.values()),
            cmd=section.cmd,
            labels=section.labels,
            options=section.options,
            running_traefik=is_routed,
            healthcheck=self.healthcheck.merged_with(own) if is_routed else own,
            own_healthcheck=own.probes,
            logging=self.logging.merged_with(section.logging or sections.Logging()),
            asset_path=section.asset_path or self.asset_path,
            is_primary=is_primary,
            replicas=section.replicas,
        )

    @cached_property
    def role_hosts(self) -> tuple[Server, ...]:
        """Every host of a role once: the primary role's first, in the order of the file inside a role."""
        return joined(server for role in self.roles for server in role.servers)

    @cached_property
    def all_hosts(self) -> tuple[Server, ...]:
        """Every host once: those of roles as in :attr:`role_hosts`, then those that carry accessories alone."""
        of_accessories = (server for name in self.accessories for server in self.accessory_servers(name))
        return joined((*self.role_hosts, *of_accessories))

    def accessories_on(self, host: str) -> tuple[str, ...]:
        """Names of the accessories that a host carries, in the order of the file."""
        return tuple(
            name for name in self.accessories if any(server.host == host for server in self.accessory_servers(name))
        )

    @property
    def primary_host(self) -> str:
        """Name of the first host of the primary role; it holds the lock."""
        return self.role(self.primary_role).servers[0].host

    @property
    def repository(self) -> str:
        """``[SERVER/]IMAGE``."""
        return "/".join(filter(None, (self.registry.server, self.image)))

    def env_for(self, role_name: str, host_name: str) -> Env:
        """Environment of a role's containers on a host: root, then role, then the host's tags in order."""
        servers = self.role(role_name).servers
        tags = next((server.tags for server in servers if server.host == host_name), ())
        return join_env(self.env, self.servers[role_name].env, *(self.env.tags[tag] for tag in tags))

    @cached_property
    def effective_envs(self) -> tuple[Env, ...]:
        """The environments of all roles on all their hosts, of the proxy and of accessories; each once."""
        envs = [self.env_for(role.name, server.host) for role in self.roles for server in role.servers]
        envs += map(join_env, (self.traefik.env, *(accessory.env for accessory in self.accessories.values())))
        return tuple({repr(env): env for env in envs}.values())

    @cached_property
    def watched_names(self) -> tuple[str, ...]:
        """Variables that are secret somewhere, and have no value that a host's shell expands elsewhere."""
        secret = {name for env in self.effective_envs for name in env.secret}
        expanded = {name for env in self.effective_envs for name, value in env.clear.items() if is_for_host(value)}
        return tuple(sorted(secret - expanded))

    def accessory_servers(self, name: str) -> tuple[Server, ...]:
        """The hosts of an accessory, each once."""
        accessory = self.accessories[name]
        of_roles = (server for role in accessory.roles or () for server in self.role(role).servers)
        own = filter(None, (accessory.host, *(accessory.hosts or ())))
        return tuple({server.host: server for server in (*own, *of_roles)}.values())

    def accessory_files(self, name: str) -> dict[str, str | bytes]:
        """Contents of an accessory's files by path in its container; a ConfigError names each unusable one."""
        return read_files(self.accessories[name], f"accessories/{name}", self._source)

    def require_accessory_files(self, names: Iterable[str]) -> None:
        """Make sure that the local files of accessories can be uploaded; a ConfigError names each unusable file."""
        for name in names:
            self.accessory_files(name)
