"""The hosts of ``config/deploy.yml`` as pyinfra groups: one group per role and accessory.

An ``inventory.py`` needs two lines::

    from kamal_pyinfra.inventory import load_groups
    globals().update(load_groups())
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import pyinfra

from kamal_pyinfra.config import Config, Server, Ssh, load_config
from kamal_pyinfra.deploys.command_line import call_before_connecting, is_about_to_connect, show_no_secrets
from kamal_pyinfra.errors import ConfigError, HookFailed
from kamal_pyinfra.operations.time_limit import LIMIT
from kamal_pyinfra.plan.text import sanitized

Group = list[tuple[str, dict[str, Any]]]

STRICT = {"strict": "yes", "accept-new": "accept-new"}
CONNECT_RETRIES = 2
"""By pyinfra's own command line; `kp` tries again only what may pass by itself."""
CHANNEL_SECONDS = 30
"""For a host that is connected to begin a command; paramiko would wait for an hour."""


def load_groups(path: str | None = None, destination: str | None = None) -> dict[str, Group]:
    """Groups for a pyinfra inventory file; the hook ``pre-connect`` is called when pyinfra is about to connect.

    Args:
        path: the configuration; else the variable ``KP_CONFIG``, else ``config/deploy.yml``.
        destination: as ``kp -d``; else the variable ``KP_DESTINATION``.

    Raises:
        SystemExit: the configuration cannot be used (exit code 3) or the hook failed (1); why is on standard error.
    """
    if pyinfra.is_cli:
        show_no_secrets()
    chosen_path = path or os.environ.get("KP_CONFIG", "config/deploy.yml")
    try:
        config = load_config(chosen_path, destination=destination or os.environ.get("KP_DESTINATION"))
    except ConfigError as error:  # pyinfra would show a traceback of the inventory file
        sys.stderr.write(f"{sanitized(str(error))}\n")
        raise SystemExit(error.exit_code) from None
    if is_about_to_connect():
        try:
            call_before_connecting(config)
        except HookFailed as error:
            sys.stderr.write(f"{sanitized(str(error))}\n")
            raise SystemExit(error.exit_code) from None
    return role_groups(config)


def role_groups(config: Config) -> dict[str, Group]:
    """One group per role and one per accessory, hosts in the order of the configuration.

    An accessory that is called like a role is in the group ``accessory_NAME``.
    """
    servers = {server.host: server for server in config.all_hosts}
    groups = {role.name: [server.host for server in role.servers] for role in config.roles}
    for name in config.accessories:
        group = f"accessory_{name}" if name in groups else name
        groups[group] = [server.host for server in config.accessory_servers(name)]
    return {group: [(host, host_data(config, servers[host])) for host in hosts] for group, hosts in groups.items()}


def host_data(config: Config, server: Server) -> dict[str, Any]:
    """How pyinfra reaches one host."""
    ssh = config.ssh
    data: dict[str, Any] = {
        "ssh_user": server.user or ssh.user,
        "ssh_port": server.port or int(ssh.port),
        "ssh_forward_agent": False,
        "ssh_strict_host_key_checking": STRICT[ssh.host_keys],
        LIMIT: ssh.command_timeout,
        "ssh_connect_retries": CONNECT_RETRIES,
        "ssh_connect_retry_min_delay": 0.5,
        "ssh_connect_retry_max_delay": 2.0,
        **_keys(ssh, server),
    }
    bounds = {"banner_timeout": ssh.connect_timeout, "channel_timeout": CHANNEL_SECONDS}
    data["ssh_paramiko_connect_kwargs"] = data.get("ssh_paramiko_connect_kwargs", {}) | bounds
    if ssh.known_hosts:
        data["ssh_known_hosts_file"] = str(Path(ssh.known_hosts).expanduser())
    if ssh.proxy or ssh.proxy_command:
        data["ssh_config_file"] = jump_config_file(ssh)
    if server.sudo:
        data["_sudo"] = True
    return data


def _keys(ssh: Ssh, server: Server) -> dict[str, Any]:
    """The private keys to offer: the host's own, or all of ``ssh.keys`` and ``ssh.key_data``."""
    files = [str(Path(key).expanduser()) for key in ([server.key] if server.key else ssh.keys)]
    extra: dict[str, Any] = {"key_filename": files} if len(files) > 1 else {}
    if ssh.key_data and not server.key:
        extra |= _given_keys(ssh, server.user or ssh.user)
    data: dict[str, Any] = {"ssh_key": files[0]} if len(files) == 1 and not extra else {}
    if extra:
        data["ssh_paramiko_connect_kwargs"] = extra
    if ssh.keys_only:
        data |= {"ssh_allow_agent": False, "ssh_look_for_keys": False}
    return data


def _given_keys(ssh: Ssh, user: str) -> dict[str, Any]:
    """What paramiko is told of ``ssh.key_data``; it takes one key by itself, and more by a strategy."""
    keys = [_parse_key(text.get_secret_value()) for text in ssh.key_data]
    if len(keys) == 1:
        return {"pkey": keys[0]}
    from kamal_pyinfra.operations.ssh_keys import SeveralKeys  # noqa: PLC0415 - imports paramiko

    files = tuple(str(Path(key).expanduser()) for key in ssh.keys)
    return {"auth_strategy": SeveralKeys(user, keys, files=files, asks_agent=not ssh.keys_only)}


def _parse_key(text: str) -> Any:
    """A private key from its text.

    Raises:
        ConfigError: it is of no known kind, or has a password.
    """
    import paramiko  # noqa: PLC0415 - slow to import, and seldom needed

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with contextlib.suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(text))
    raise ConfigError("ssh/key_data: not a private key that can be read (a key with a password needs an agent)")


def jump_config_file(ssh: Ssh) -> str:
    """An SSH client configuration with the jump host or the proxy command, the one form in which pyinfra takes them.

    It goes before the user's own ``~/.ssh/config``, which it includes. There is no secret in it. With both, the
    jump host counts (Kamal 1.9).
    """
    lines = _jump_lines(ssh) if ssh.proxy else ["Host *", f"  ProxyCommand {ssh.proxy_command}"]
    text = "".join(f"{line}\n" for line in (*lines, "Include ~/.ssh/config"))
    folder = Path("~/.cache/kamal_pyinfra").expanduser()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"ssh_config-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    path.write_text(text, encoding="utf-8")
    return str(path)


def _jump_lines(ssh: Ssh) -> list[str]:
    user, _, host = (ssh.proxy or "").rpartition("@")
    lines = [f"Host {host.partition(':')[0]}", f"  User {user or 'root'}"]
    lines += [f"  StrictHostKeyChecking {STRICT[ssh.host_keys]}"]
    lines += [f"  UserKnownHostsFile {ssh.known_hosts}"] if ssh.known_hosts else []
    lines += [f"  IdentityFile {key}" for key in ssh.keys]
    return [*lines, f"Host * !{host.partition(':')[0]}", f"  ProxyJump {user or 'root'}@{host}"]
