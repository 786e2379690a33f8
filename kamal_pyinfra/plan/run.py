"""``Run``, the fixed values of one invocation, and the hosts and roles it is about."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import product

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.state.observed import Owner

UNKNOWN = "unknown"
"""The version of a run that is not about one."""
BRACES = re.compile(r"\{([^{}]*)\}")
WITH_ACCESSORIES = ("setup", "deploy", "env", "accessory", "prune", "remove", "audit", "server", "doctor", "details")
"""Commands that hosts without a role take part in, for their accessories."""


class Command(StrEnum):
    """Commands that change other things than the app alone."""

    SETUP = "setup"
    DEPLOY = "deploy"
    REDEPLOY = "redeploy"
    ROLLBACK = "rollback"
    BOOT = "app"
    BUILD = "build"
    ENV = "env"
    PROXY = "traefik"
    ACCESSORY = "accessory"
    ACCESSORY_REBOOT = "accessory reboot"


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a command changes."""

    boots_app: bool = True  # the app's containers and env files
    boots_proxy: bool = False  # the proxy, if a role on the host runs behind it
    boots_accessories: bool = False  # missing accessories are booted; a deploy only says that they are missing
    reboots_accessories: bool = False  # those that are there are replaced
    writes_accessory_env: bool = False  # env files of accessories
    releases: bool = False  # the release command may run
    prunes: bool = False  # leftovers are removed
    refetches: bool = False  # an image is pulled although one of its name is there, when nothing else was asked for
    calls_deploy_hooks: bool = True  # the hooks ``pre-deploy`` and ``post-deploy`` are run
    may_spare_accessories: bool = False  # it goes on without a host that carries nothing but accessories


_OF_ACCESSORIES = Behaviour(boots_app=False, boots_accessories=True, writes_accessory_env=True)
BEHAVIOUR: Mapping[str, Behaviour] = {
    Command.SETUP: Behaviour(
        boots_proxy=True, boots_accessories=True, writes_accessory_env=True, releases=True, prunes=True
    ),
    Command.DEPLOY: Behaviour(boots_proxy=True, releases=True, prunes=True, may_spare_accessories=True),
    Command.REDEPLOY: Behaviour(releases=True, may_spare_accessories=True),
    Command.ROLLBACK: Behaviour(may_spare_accessories=True),
    Command.BOOT: Behaviour(calls_deploy_hooks=False),
    Command.BUILD: Behaviour(refetches=True),
    Command.ENV: Behaviour(boots_proxy=True, writes_accessory_env=True),
    Command.PROXY: Behaviour(boots_app=False, boots_proxy=True),
    Command.ACCESSORY: _OF_ACCESSORIES,
    Command.ACCESSORY_REBOOT: replace(_OF_ACCESSORIES, reboots_accessories=True),
}
"""As Kamal 1.9 has it, which leaves the proxy and leftovers alone on redeploy and rollback; a version that is rolled
back to had its release command. Every other command has what a ``Behaviour`` has by itself."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The selected part of the fleet."""

    hosts: tuple[str, ...] = ()  # names, primary role's hosts first; empty for all
    roles: tuple[str, ...] = ()  # the only roles that may be touched; empty for all, and for what others left behind
    accessories: tuple[str, ...] = ()  # the only accessories that may be changed; empty for all

    def includes(self, role: str) -> bool:
        """Whether this role may be touched."""
        return not self.roles or role in self.roles

    def includes_accessory(self, name: str) -> bool:
        """Whether this accessory may be changed: not if only some roles were asked for."""
        return name in self.accessories if self.accessories else not self.roles


@dataclass(frozen=True, kw_only=True)
class Run(Target):
    """One invocation of a deploy, the same on every host: who runs what when, from where, and how."""

    config: Config
    version: str
    run_id: str  # 32 hexadecimal digits; names this run's cord directories
    started_at: str  # UTC time, ISO 8601
    performer: str  # who is in the audit log: git's user.email, else the local user
    locked_by: str  # who is in the lock: git's user.name, else the performer
    holder: str  # ``HOST/BOOT/NAMESPACE PID START`` of the process; by it a rerun recognises its own dead lock
    command: str = "deploy"  # what was asked for, for the lock and the audit log
    words: tuple[str, ...] = ()  # what was typed, such as ``("traefik", "reboot")``, for hooks; empty for ``command``
    is_build_allowed: bool = True  # whether a missing image may be built and pushed on this machine
    is_setup: bool = False  # whether Docker may be installed
    is_dry: bool = False  # whether the run ends once it is known what it would change
    keeps_env: bool = False  # whether secrets stay as they are on the hosts, since they are not known on this machine
    replaces_edited: bool = False  # whether a container whose files somebody changed by hand is replaced
    skips_hooks: bool = False  # whether no hook is run
    skips_unreachable: bool = False  # whether a host that cannot be reached is left out, instead of stopping the run
    lock_wait: int | None = None  # seconds to wait for a held lock; a stale one is then taken over. ``None``: neither
    decommissioned: tuple[str, ...] = ()  # hosts that left the configuration, from which this run removes the service
    forgotten: tuple[str, ...] = ()  # hosts that left the configuration and of which no record is to be kept

    @property
    def short_id(self) -> str:
        """12 hexadecimal digits, for container host names."""
        return self.run_id[:12]

    @property
    def replaced_suffix(self) -> str:
        """16 hexadecimal digits, for the names of replaced containers."""
        return self.run_id[:16]

    @property
    def behaviour(self) -> Behaviour:
        """What the command changes."""
        return BEHAVIOUR.get(self.command, Behaviour())

    @property
    def owner(self) -> Owner:
        """Whose containers it may touch."""
        return Owner(service=self.config.service, destination=self.config.destination or "", roles=self.roles)

    @property
    def release_host(self) -> str:
        """The host on which the release command runs; empty where none does."""
        release = self.config.release if self.behaviour.releases else None
        return (release.host or self.config.role(self.release_role).servers[0].host) if release else ""

    @property
    def release_role(self) -> str:
        """The role whose surroundings the release command gets."""
        release = self.config.release
        return (release.role if release is not None else None) or self.config.primary_role

    def may_leave_out(self, host: str) -> bool:
        """Whether the run goes on without a host that cannot be reached.

        The primary host keeps the lock, and nothing boots before the release command has run. A deploy only gives
        advice about a host that carries nothing but accessories.
        """
        if host in (self.config.primary_host, self.release_host):
            return False
        return self.skips_unreachable or (self.behaviour.may_spare_accessories and self.has_accessories_only(host))

    def may_do_without(self, left_out: Collection[str]) -> bool:
        """Whether so many hosts may be left out (``boot.max_unavailable``); those without the app do not count."""
        app_hosts = {server.host for server in self.config.role_hosts}
        return self.config.boot.allows_without(len(app_hosts & set(left_out)), len(app_hosts))

    def has_accessories_only(self, host: str) -> bool:
        """Whether the host is in the configuration for its accessories alone."""
        return host not in {server.host for server in self.config.role_hosts} and bool(self.config.accessories_on(host))

    @property
    def fleet(self) -> tuple[str, ...]:
        """Hosts that the run may have to do with: those of the configuration, then those that it decommissions."""
        return (*(server.host for server in self.config.all_hosts), *self.decommissioned)

    @property
    def known_roles(self) -> tuple[str, ...]:
        """All roles of the configuration, whether the run may touch them or not."""
        return tuple(role.name for role in self.config.roles)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The container prefixes of the roles that the run may touch."""
        return tuple(naming.container_prefix(self.config, role) for role in self.known_roles if self.includes(role))

    @property
    def latest_image(self) -> str:
        """The name that the image of the version in service has besides."""
        return naming.image_reference(self.config, naming.latest_tag(self.config))

    def batches(self, hosts: Iterable[str]) -> list[tuple[str, ...]]:
        """Hosts that boot together; hosts without role have nothing to boot and come along with the last ones."""
        names = tuple(hosts)
        routed = {server.host for server in self.config.role_hosts}.union(self.decommissioned)
        batches = self.config.boot.batches([host for host in names if host in routed])
        rest = tuple(host for host in names if host not in routed)
        return [*batches[:-1], (*(batches[-1] if batches else ()), *rest)] if rest else batches


def select(
    config: Config, *, hosts: Sequence[str] = (), roles: Sequence[str] = (), primary: bool = False, command: str = ""
) -> Target:
    """Apply the filters of a command, globs with ``*``, ``?``, ``[ab]`` and ``{a,b}``; ``primary`` leaves one host."""
    role_names = _matching("roles", roles, [role.name for role in config.roles])
    selected = [config.role(role) for role in role_names]
    names = [server.host for server in config.role_hosts if any(server.host in role.hosts for role in selected)]
    if command in WITH_ACCESSORIES and not roles:
        names = [server.host for server in config.all_hosts]
    chosen = _matching("hosts", hosts, names)
    return Target(hosts=tuple(chosen[:1] if primary else chosen), roles=tuple(role_names) if roles else ())


def _matching(option: str, patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    if not patterns:
        return list(names)
    expanded = [text for pattern in patterns for text in expand_braces(pattern)]
    found = [name for name in names if any(fnmatchcase(name, pattern) for pattern in expanded)]
    if not found:
        raise ConfigError(f"No --{option} match for {','.join(patterns)}; there are {', '.join(names)}")
    return found


def expand_braces(pattern: str) -> list[str]:
    """``web{1,2}`` → ``web1``, ``web2``; without braces the pattern itself."""
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(BRACES.split(pattern))]
    return ["".join(choice) for choice in product(*choices)]
