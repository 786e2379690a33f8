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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyinfra

from kamal_pyinfra.commands.ssh_config import quoted
from kamal_pyinfra.config import Config, Server, Ssh, load_config
from kamal_pyinfra.config.ssh_address import parse_address
from kamal_pyinfra.deploys.command_line import call_before_connecting, is_about_to_connect, show_no_secrets
from kamal_pyinfra.errors import ConfigError, HookFailed
from kamal_pyinfra.operations.time_limit import LIMIT
from kamal_pyinfra.text import sanitized

if TYPE_CHECKING:
    from kamal_pyinfra.operations.ssh_client import Route

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
    """How pyinfra reaches one host; what ``deploy.yml`` does not say, ``~/.ssh/config`` may."""
    from kamal_pyinfra.operations import ssh_client  # noqa: PLC0415 - imports pyinfra, which not every command needs

    ssh_client.install()
    ssh = config.ssh
    data: dict[str, Any] = {
        **given_login(config, server),
        "ssh_forward_agent": False,
        "ssh_strict_host_key_checking": STRICT[ssh.host_keys],
        LIMIT: ssh.command_timeout,
        "ssh_connect_retries": CONNECT_RETRIES,
        "ssh_connect_retry_min_delay": 0.5,
        "ssh_connect_retry_max_delay": 2.0,
        "ssh_paramiko_connect_kwargs": {ssh_client.ROUTE: route(config, server), "channel_timeout": CHANNEL_SECONDS},
    }
    if server.address != server.host:
        data["ssh_hostname"] = server.address
    if ssh.known_hosts:
        data["ssh_known_hosts_file"] = str(Path(ssh.known_hosts).expanduser())
    if server.sudo:
        data["_sudo"] = True
    return data


def given_login(config: Config, server: Server) -> dict[str, Any]:
    """User and port of a host, where ``deploy.yml`` says them."""
    ssh = config.ssh
    user = server.user or (ssh.user if ssh.says("user") else None)
    port = server.port or (int(ssh.port) if ssh.says("port") else None)
    return {name: value for name, value in (("ssh_user", user), ("ssh_port", port)) if value is not None}


def route(config: Config, server: Server) -> Route:
    """What ``deploy.yml`` says about the way to one host."""
    from kamal_pyinfra.operations.ssh_client import Route, no_keys  # noqa: PLC0415 - imports pyinfra

    ssh = config.ssh
    given = tuple(_parse_key(text.get_secret_value()) for text in (() if server.key else ssh.key_data))
    return Route(
        keys=tuple(str(Path(key).expanduser()) for key in ([server.key] if server.key else ssh.keys)),
        key_data=(lambda: given) if given else no_keys,
        keys_only=ssh.keys_only,
        is_strict=ssh.host_keys == "strict" if ssh.says("host_keys") else None,
        known_hosts=str(Path(ssh.known_hosts).expanduser()) if ssh.known_hosts else None,
        jumps=ssh.jumps,
        proxy_command=ssh.proxy_command or "",
        timeout=ssh.connect_timeout if ssh.says("connect_timeout") else None,
        banner_timeout=ssh.connect_timeout,
    )


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
    """An SSH client configuration with the jump hosts or the proxy command, for the program ``ssh``.

    It goes before the user's own ``~/.ssh/config``, which it includes. There is no secret in it. With both, the
    jump hosts count (Kamal 1.9).
    """
    lines = _jump_lines(ssh) if ssh.jumps else ["Host *", f"  ProxyCommand {ssh.proxy_command}", *OWN_FILES]
    text = "".join(f"{line}\n" for line in lines)
    folder = Path("~/.cache/kamal_pyinfra").expanduser()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"ssh_config-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    with contextlib.suppress(OSError, ValueError):
        if path.read_text(encoding="utf-8") == text:
            return str(path)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix="ssh_config-", delete=False) as draft:
        draft.write(text)
    Path(draft.name).replace(path)  # another run may be reading it: it finds the old file or the new one
    return str(path)


# In a block of another host they would not count.
OWN_FILES = ("Host *", "Include ~/.ssh/config", "Include /etc/ssh/ssh_config")


def _jump_lines(ssh: Ssh) -> list[str]:
    hops = [hop for hop in map(parse_address, ssh.jumps) if hop is not None]
    lines = [f"Host {' '.join(hop.host for hop in hops)}", "  ForwardAgent no"]
    strict = [f"  StrictHostKeyChecking {STRICT[ssh.host_keys]}"]
    lines += strict if ssh.says("host_keys") else []
    lines += [f"  UserKnownHostsFile {quoted(str(Path(ssh.known_hosts).expanduser()))}"] if ssh.known_hosts else []
    lines += [f"  IdentityFile {quoted(str(Path(key).expanduser()))}" for key in ssh.keys]
    lines += [f"Host * {' '.join(f'!{hop.host}' for hop in hops)}", f"  ProxyJump {','.join(ssh.jumps)}"]
    # After the user's own file, which may say something else.
    return [*lines, *OWN_FILES, f"Host {' '.join(hop.host for hop in hops)}", "  User root", *strict]
