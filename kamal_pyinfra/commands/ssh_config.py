"""Settings for the ``ssh`` program, which the docker command calls to reach a remote engine."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.commands.shell import words
from kamal_pyinfra.config import Ssh

STRICT = {"strict": "yes", "accept-new": "accept-new"}
OWN_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
OWN_KNOWN_HOSTS = "~/.ssh/known_hosts"
ALIVE_SECONDS = 10
"""How often a silent host is asked whether it is still there."""
ALIVE_MISSES = 3
"""After so many without an answer the connection counts as cut."""


def ssh_config(ssh: Ssh, *, keys: Sequence[str], known_hosts: str | None) -> str:
    """An SSH client configuration: deploy.yml's keys and known hosts, then all that the user has.

    Args:
        ssh: the ``ssh`` section; user, port and jump host are not for build hosts.
        keys: paths of its private keys.
        known_hosts: path of its file with host keys.
    """
    # Once a file names a key, ssh no longer tries those that it would have tried by itself.
    own_keys = () if ssh.keys_only or not keys else OWN_KEYS
    lines = [
        "BatchMode yes",
        "ForwardAgent no",
        *(setting.replace("=", " ") for setting in patience(ssh)),
        f"StrictHostKeyChecking {STRICT[ssh.host_keys]}",
        *(f"IdentityFile {quoted(key)}" for key in (*keys, *own_keys)),
        *(["IdentitiesOnly yes"] if ssh.keys_only else []),
        *([f"UserKnownHostsFile {quoted(known_hosts)} {OWN_KNOWN_HOSTS}"] if known_hosts else []),
        "Include ~/.ssh/config",
        "Include /etc/ssh/ssh_config",
    ]
    return "".join(f"{line}\n" for line in lines)


def patience(ssh: Ssh | None) -> tuple[str, ...]:
    """How long to wait for a host, as settings of the ``ssh`` program; ``None``: its own files say it."""
    return (
        *((f"ConnectTimeout={ssh.connect_timeout}",) if ssh is not None else ()),
        f"ServerAliveInterval={ALIVE_SECONDS}",
        f"ServerAliveCountMax={ALIVE_MISSES}",
    )


def quoted(path: str) -> str:
    """A path as a word of a configuration."""
    return '"' + path.replace("%", "%%").replace('"', '\\"').replace("\n", "") + '"'


def ssh_script(program: str, config: str) -> str:
    """A program that is called as ``ssh`` and adds a configuration."""
    return f'#!/bin/sh\nexec {words(program, "-F", config)} "$@"\n'
