"""Which hosts and roles a command is about (Kamal 1.9, `--hosts`, `--roles`, `--primary`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import product

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError

BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, kw_only=True)
class Target:
    """The selected part of the fleet.

    Args:
        hosts: names, primary role's hosts first.
        roles: names if only some were asked for; empty for all.
    """

    hosts: tuple[str, ...]
    roles: tuple[str, ...]


WITH_ACCESSORIES = ("setup", "deploy", "env", "accessory", "prune", "remove", "audit", "server", "doctor", "details")
"""Commands that hosts without a role take part in, for their accessories."""


def select(
    config: Config,
    *,
    hosts: Sequence[str] = (),
    roles: Sequence[str] = (),
    primary: bool = False,
    command: str = "",
) -> Target:
    """Apply the filters of the command line.

    Args:
        config: the loaded configuration.
        hosts: globs with ``*``, ``?``, ``[ab]`` and ``{a,b}``; empty for all.
        roles: globs; empty for all.
        command: whose hosts; some have to do with accessories too.
        primary: only the first host that is left.

    Raises:
        ConfigError: a filter matches nothing.
    """
    role_names = _matching("roles", roles, [role.name for role in config.roles])
    of_roles = [
        server.host
        for server in config.role_hosts
        if any(config.role(role).runs_on(server.host) for role in role_names)
    ]
    if command in WITH_ACCESSORIES and not roles:
        of_roles = [server.host for server in config.all_hosts]
    chosen = _matching("hosts", hosts, of_roles)
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
    parts = BRACES.split(pattern)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(choice) for choice in product(*choices)]
