"""How pyinfra reaches a host, and settings for the ``ssh`` program, which docker calls to reach a remote engine."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kamal_pyinfra.config import Config, Server, Ssh
from kamal_pyinfra.config.values import parse_address
from kamal_pyinfra.shell.script import quoted as shell_quoted
from kamal_pyinfra.ssh.client import ROUTE, Client, Route, no_keys
from kamal_pyinfra.ssh.client_config import expanded
from kamal_pyinfra.ssh.commands import LIMIT
from kamal_pyinfra.ssh.host_keys import USER_FILE, RunKeys
from kamal_pyinfra.ssh.keys import parse_key
from kamal_pyinfra.ssh.patches import use_client

STRICT = {"strict": "yes", "accept-new": "accept-new"}
OWN_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
OWN_FILES = ("Include ~/.ssh/config", "Include /etc/ssh/ssh_config")
ALIVE_SECONDS = 10  # how often a silent host is asked whether it is still there
ALIVE_MISSES = 3  # after so many without an answer the connection counts as cut
CHANNEL_SECONDS = 30  # for a host that is connected to begin a command; paramiko would wait for an hour


def ssh_config(ssh: Ssh, *, keys: Sequence[str], known_hosts: str | None) -> str:
    """Return a configuration of ``ssh``: deploy.yml's keys and known hosts, then all that the user has."""
    # Once a file names a key, ssh no longer tries those that it would have tried by itself.
    own_keys = () if ssh.keys_only or not keys else OWN_KEYS
    lines = [
        "BatchMode yes",
        "ForwardAgent no",
        *(setting.replace("=", " ") for setting in patience(ssh)),
        f"StrictHostKeyChecking {STRICT[ssh.host_keys]}",
        *(f"IdentityFile {_quoted(key)}" for key in (*keys, *own_keys)),
        *(["IdentitiesOnly yes"] if ssh.keys_only else []),
        *([f"UserKnownHostsFile {_quoted(known_hosts)} {USER_FILE}"] if known_hosts else []),
        *OWN_FILES,
    ]
    return "".join(f"{line}\n" for line in lines)


def patience(ssh: Ssh | None) -> tuple[str, ...]:
    """Return how long to wait for a host, as settings of the ``ssh`` program; ``None``: its own files decide."""
    return (
        *((f"ConnectTimeout={ssh.connect_timeout}",) if ssh is not None else ()),
        f"ServerAliveInterval={ALIVE_SECONDS}",
        f"ServerAliveCountMax={ALIVE_MISSES}",
    )


def _quoted(path: str) -> str:
    return '"' + path.replace("%", "%%").replace('"', '\\"').replace("\n", "") + '"'


def ssh_script(program: str, config: str) -> str:
    """Return a program that is called as ``ssh`` and adds a configuration."""
    return f'#!/bin/sh\nexec {shell_quoted(program, "-F", config)} "$@"\n'


def host_data(config: Config, server: Server, run_keys: RunKeys) -> dict[str, Any]:
    """Return how pyinfra reaches one host; what ``deploy.yml`` leaves open, ``~/.ssh/config`` decides."""
    use_client(Client)
    ssh = config.ssh
    return {
        **given_login(config, server),
        "ssh_forward_agent": False,
        "ssh_strict_host_key_checking": STRICT[ssh.host_keys],
        LIMIT: ssh.command_timeout,
        "ssh_paramiko_connect_kwargs": {ROUTE: _route(ssh, server, run_keys), "channel_timeout": CHANNEL_SECONDS},
        **({"ssh_hostname": server.address} if server.address != server.host else {}),
        **({"ssh_known_hosts_file": expanded(ssh.known_hosts)} if ssh.known_hosts else {}),
        **({"_sudo": True} if server.sudo else {}),
    }


def given_login(config: Config, server: Server) -> dict[str, Any]:
    """Return user and port of a host, where ``deploy.yml`` has them."""
    ssh = config.ssh
    user = server.user or (ssh.user if "user" in ssh.model_fields_set else None)
    port = server.port or (int(ssh.port) if "port" in ssh.model_fields_set else None)
    return {name: value for name, value in (("ssh_user", user), ("ssh_port", port)) if value is not None}


def _route(ssh: Ssh, server: Server, run_keys: RunKeys) -> Route:
    given = tuple(parse_key(text.get_secret_value()) for text in (() if server.key else ssh.key_data))
    return Route(
        run_keys=lambda: run_keys,
        keys=tuple(map(expanded, [server.key] if server.key else ssh.keys)),
        key_data=(lambda: given) if given else no_keys,
        keys_only=ssh.keys_only,
        is_strict=ssh.host_keys == "strict" if "host_keys" in ssh.model_fields_set else None,
        known_hosts=expanded(ssh.known_hosts) if ssh.known_hosts else None,
        jumps=ssh.jumps,
        proxy_command=ssh.proxy_command or "",
        timeout=ssh.connect_timeout if "connect_timeout" in ssh.model_fields_set else None,
        banner_timeout=ssh.connect_timeout,
    )


def jump_config_file(ssh: Ssh) -> str:
    """Write a configuration of ``ssh`` with the jump hosts, else the proxy command (Kamal 1.9), and return its path."""
    lines = _jump_lines(ssh) if ssh.jumps else ["Host *", f"  ProxyCommand {ssh.proxy_command}", "Host *", *OWN_FILES]
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


def _jump_lines(ssh: Ssh) -> list[str]:
    names = [hop.host for hop in map(parse_address, ssh.jumps) if hop is not None]
    strict = [f"  StrictHostKeyChecking {STRICT[ssh.host_keys]}"]
    return [
        f"Host {' '.join(names)}",
        "  ForwardAgent no",
        *(strict if "host_keys" in ssh.model_fields_set else []),
        *([f"  UserKnownHostsFile {_quoted(expanded(ssh.known_hosts))}"] if ssh.known_hosts else []),
        *(f"  IdentityFile {_quoted(expanded(key))}" for key in ssh.keys),
        f"Host * {' '.join(f'!{name}' for name in names)}",
        f"  ProxyJump {','.join(ssh.jumps)}",
        # In a block of another host the user's own files would not count.
        *("Host *", *OWN_FILES),
        # After them, which may name another user.
        *(f"Host {' '.join(names)}", "  User root", *strict),
    ]
