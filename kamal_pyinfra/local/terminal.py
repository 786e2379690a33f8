"""A real terminal on a host: this process becomes the local ``ssh``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from kamal_pyinfra.config import Config, Server
from kamal_pyinfra.config.servers import SSH_PORT
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.local.hooks import call_pre_connect
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.login_shell import sheltered
from kamal_pyinfra.shell.script import quoted
from kamal_pyinfra.ssh.client_config import DEFAULT_USER, HostSettings, SshConfigError, host_settings
from kamal_pyinfra.ssh.host_data import STRICT, given_login, jump_config_file, patience

# An agent that runs a command ends with it, also when this process is gone.
ADD_KEYS = 'while [ "$1" != -- ]; do ssh-add -q - < "/dev/fd/$1" || exit 1; shift; done; shift; exec "$@"'


def open_terminal(run: Run, host: str, command: str) -> NoReturn:
    """Run a command on a host with this terminal as its own; this process is replaced."""
    require_terminal()
    server = next(server for server in run.config.all_hosts if server.host == host)
    argv = terminal_command(run.config, server, command)
    call_pre_connect(run, lambda line: None)
    sys.stdout.flush()
    if run.config.ssh.key_data and not server.key:
        argv = with_keys([key.get_secret_value() for key in run.config.ssh.key_data], argv)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - no shell; the words are ours
    except FileNotFoundError:
        raise ConfigError(f"-i needs `{argv[0]}` on this machine; it is not installed") from None


def with_keys(keys: Sequence[str], argv: Sequence[str]) -> list[str]:
    """The command under an agent of its own that holds the keys: neither a command line nor a file has them."""
    pipes = [os.pipe() for _ in keys]
    for key, (reader, writer) in zip(keys, pipes, strict=True):
        os.set_inheritable(reader, True)
        with os.fdopen(writer, "w", encoding="utf-8") as pipe:
            pipe.write(key if key.endswith("\n") else f"{key}\n")
    return ["ssh-agent", "sh", "-c", ADD_KEYS, "sh", *(str(reader) for reader, _ in pipes), "--", *argv]


def require_terminal() -> None:
    """Raise ConfigError if standard input is no terminal."""
    if not sys.stdin.isatty():
        raise ConfigError("-i needs a terminal, and standard input is none; leave it out to run the command once")


def terminal_command(config: Config, server: Server, command: str) -> list[str]:
    """The local ``ssh`` with the configuration's settings for the connection; with ``sudo`` it runs as root."""
    # There is a terminal to type sudo's password on.
    shell = sheltered(f"exec sudo -H sh -c {quoted(command)}" if server.sudo else command)
    found, login = settings_of(config, server), given_login(config, server)
    ssh = config.ssh
    user = login.get("ssh_user") or (None if found.user else DEFAULT_USER)
    strict = (
        "yes" if found.strict in ("yes", "true") and "host_keys" not in ssh.model_fields_set else STRICT[ssh.host_keys]
    )
    waits = ssh if "connect_timeout" in ssh.model_fields_set or not found.connect_timeout else None
    files = (server.key,) if server.key else ssh.keys
    is_only = ssh.keys_only and not (ssh.key_data and not server.key)  # an agent of our own offers those
    return [
        *("ssh", "-t", "-a"),  # Kamal 1.9 forwards the agent, to every host
        *(("-F", jump_config_file(ssh)) if ssh.proxy or ssh.proxy_command else ()),
        *(("-p", str(login["ssh_port"])) if "ssh_port" in login else ()),
        *(("-l", user) if user else ()),
        *(word for setting in patience(waits) for word in ("-o", setting)),
        *("-o", f"StrictHostKeyChecking={strict}"),
        *(("-o", f"UserKnownHostsFile={Path(ssh.known_hosts).expanduser()}") if ssh.known_hosts else ()),
        *(word for key in files for word in ("-i", str(Path(key).expanduser()))),
        *(("-o", "IdentitiesOnly=yes") if is_only else ()),
        *("--", server.address, shell),
    ]


def settings_of(config: Config, server: Server) -> HostSettings:
    """What ``~/.ssh/config`` has about a host, with ``deploy.yml``."""
    login = given_login(config, server)
    try:
        return host_settings(server.address, user=login.get("ssh_user"), port=login.get("ssh_port"))
    except SshConfigError as error:
        raise ConfigError(str(error)) from None


def ssh_address(config: Config, server: Server) -> str:
    """How a person gets to a host with ``ssh``: what to type after it."""
    found = settings_of(config, server)
    port = f" -p {found.port}" if found.port not in (None, SSH_PORT) else ""
    return f"{found.user or DEFAULT_USER}@{server.address}{port}"
