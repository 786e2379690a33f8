"""What the ssh program is told on the way to a build host."""

from __future__ import annotations

from kamal_pyinfra.config import Ssh
from kamal_pyinfra.ssh.host_data import ssh_config


def test_the_configuration_of_a_build_host_as_text():
    ssh = Ssh(connect_timeout=5, host_keys="strict")
    assert ssh_config(ssh, keys=["/keys/50% mine"], known_hosts="/keys/known") == (
        "BatchMode yes\n"
        "ForwardAgent no\n"
        "ConnectTimeout 5\n"
        "ServerAliveInterval 10\n"
        "ServerAliveCountMax 3\n"
        "StrictHostKeyChecking yes\n"
        'IdentityFile "/keys/50%% mine"\n'
        'IdentityFile "~/.ssh/id_ed25519"\n'
        'IdentityFile "~/.ssh/id_ecdsa"\n'
        'IdentityFile "~/.ssh/id_rsa"\n'
        'UserKnownHostsFile "/keys/known" ~/.ssh/known_hosts\n'
        "Include ~/.ssh/config\n"
        "Include /etc/ssh/ssh_config\n"
    )
