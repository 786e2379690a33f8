"""The hosts of ``config/deploy.yml`` as pyinfra groups: one group per role.

An ``inventory.py`` needs two lines::

    from kamal_pyinfra.inventory import load_groups
    globals().update(load_groups())
"""

from __future__ import annotations

import os
from typing import Any

from kamal_pyinfra.config import Config, Server, load_config

Group = list[tuple[str, dict[str, Any]]]

STRICT = {"strict": "yes", "accept-new": "accept-new"}
CONNECT_RETRIES = 2


def load_groups(path: str | None = None, destination: str | None = None) -> dict[str, Group]:
    """Groups for a pyinfra inventory file.

    Args:
        path: the configuration; else the variable ``KP_CONFIG``, else ``config/deploy.yml``.
        destination: as ``kp -d``; else the variable ``KP_DESTINATION``.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    chosen_path = path or os.environ.get("KP_CONFIG", "config/deploy.yml")
    config = load_config(chosen_path, destination=destination or os.environ.get("KP_DESTINATION"))
    return role_groups(config)


def role_groups(config: Config) -> dict[str, Group]:
    """One group per role, hosts in the order of the configuration."""
    return {role.name: [(server.host, host_data(config, server)) for server in role.servers] for role in config.roles}


def host_data(config: Config, server: Server) -> dict[str, Any]:
    """How pyinfra reaches one host."""
    key = server.key or next(iter(config.ssh.keys), None)
    data: dict[str, Any] = {
        "ssh_user": server.user or config.ssh.user,
        "ssh_port": server.port or int(config.ssh.port),
        "ssh_forward_agent": False,
        "ssh_strict_host_key_checking": STRICT[config.ssh.host_keys],
        "ssh_connect_retries": CONNECT_RETRIES,
    }
    if key:
        data["ssh_key"] = str(key)
    if config.ssh.known_hosts:
        data["ssh_known_hosts_file"] = config.ssh.known_hosts
    if server.sudo:
        data["_sudo"] = True
    return data
