"""Hosts of ``config/deploy.yml`` as pyinfra groups: one per role and accessory.

An ``inventory.py`` needs two lines::

    from kamal_pyinfra.inventory import load_groups
    globals().update(load_groups())
"""

from __future__ import annotations

import os
import sys
from typing import Any

import pyinfra

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.deploys.pyinfra_cli.arguments import call_before_connecting, is_about_to_connect, show_no_secrets
from kamal_pyinfra.errors import ConfigError, HookFailed
from kamal_pyinfra.ssh.host_data import host_data
from kamal_pyinfra.ssh.host_keys import RunKeys
from kamal_pyinfra.text import sanitized

Group = list[tuple[str, dict[str, Any]]]


def load_groups(path: str | None = None, destination: str | None = None) -> dict[str, Group]:
    """Return groups for a pyinfra inventory file; call the hook ``pre-connect`` when pyinfra is about to connect.

    Without a path the variable ``KP_CONFIG`` has it, else it is ``config/deploy.yml``; without a destination the
    variable ``KP_DESTINATION`` has it. A configuration that cannot be used ends pyinfra (exit code 3), as a hook does
    that failed (1).
    """
    if pyinfra.is_cli:
        show_no_secrets()
    chosen_path = path or os.environ.get("KP_CONFIG", "config/deploy.yml")
    try:
        config = load_config(chosen_path, destination=destination or os.environ.get("KP_DESTINATION"))
        if is_about_to_connect():
            call_before_connecting(config)
    except (ConfigError, HookFailed) as error:  # pyinfra would show a traceback of the inventory file
        sys.stderr.write(f"{sanitized(str(error))}\n")
        raise SystemExit(error.exit_code) from None
    return role_groups(config)


def role_groups(config: Config) -> dict[str, Group]:
    """Return one group per role and accessory; an accessory with a role's name is in the group ``accessory_NAME``."""
    servers = {server.host: server for server in config.all_hosts}
    groups = {role.name: [server.host for server in role.servers] for role in config.roles}
    for name in config.accessories:
        group = f"accessory_{name}" if name in groups else name
        groups[group] = [server.host for server in config.accessory_servers(name)]
    keys = RunKeys()
    return {
        group: [(host, host_data(config, servers[host], keys)) for host in hosts] for group, hosts in groups.items()
    }
