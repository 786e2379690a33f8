"""The local ssh that kp becomes: everything that the configuration says about a connection."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from kamal_pyinfra.errors import ConfigError, HookFailed
from kamal_pyinfra.local.terminal import open_terminal, ssh_address, terminal_command, with_keys
from kamal_pyinfra.shell.login_shell import sheltered
from tests.conftest import MakeConfig, a_run

PATIENCE = ("-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3")


def command(config, shell: str) -> list[str]:
    return terminal_command(config, config.role_hosts[0], shell)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without a file of ssh's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_with_nothing_said_it_is_root(config: MakeConfig) -> None:
    assert command(config(), "docker exec -it shop-web-v1 sh -c 'a  b'") == [
        *("ssh", "-t", "-a", "-l", "root"),
        *PATIENCE,
        *("-o", "StrictHostKeyChecking=accept-new"),
        *("--", "192.0.2.1", sheltered("docker exec -it shop-web-v1 sh -c 'a  b'")),
    ]


def test_what_the_users_own_file_says_is_left_to_ssh(config: MakeConfig, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh/config").write_text(
        "Host 192.0.2.1\n User deploy\n Port 2222\n ConnectTimeout 3\n StrictHostKeyChecking yes\n"
    )
    assert command(config(), "id") == [
        *("ssh", "-t", "-a", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"),
        *("-o", "StrictHostKeyChecking=yes", "--", "192.0.2.1", sheltered("id")),
    ]
    server = config().role_hosts[0]
    assert ssh_address(config(), server) == "deploy@192.0.2.1 -p 2222"
    assert ssh_address(config(ssh={"user": "root", "port": 22}), server) == "root@192.0.2.1"
    assert command(config(ssh={"user": "root", "port": 22}), "id")[3:7] == ["-p", "22", "-l", "root"]


def test_an_address_with_a_port_is_taken_apart(config: MakeConfig) -> None:
    argv = command(config(servers=["ops@[2001:db8::1]:2222"]), "id")
    assert (argv[3:7], argv[-2]) == (["-p", "2222", "-l", "ops"], "2001:db8::1")


def test_a_file_of_ssh_that_cannot_be_understood_is_named(config: MakeConfig, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh/config").write_text("Port x\n")
    with pytest.raises(ConfigError, match="config:1: 'x' should be a number"):
        command(config(), "id")


def test_a_host_of_its_own_kind_needs_sudo(config: MakeConfig) -> None:
    host = {"192.0.2.1": {"user": "admin", "port": 2222, "key": "/keys/own", "sudo": True}}
    ssh = {"keys": ["/keys/all"], "keys_only": True, "host_keys": "strict", "known_hosts": "/known"}
    assert command(config(servers=[host], ssh=ssh), "echo 'it'") == [
        *("ssh", "-t", "-a", "-p", "2222", "-l", "admin"),
        *PATIENCE,
        *("-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=/known"),
        *("-i", "/keys/own", "-o", "IdentitiesOnly=yes"),
        *("--", "192.0.2.1", sheltered("""exec sudo -H sh -c 'echo '"'"'it'"'"''""")),
    ]


def test_a_jump_host_and_a_proxy_command(config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    jump = command(config(ssh={"proxy": "ops@192.0.2.9"}), "id")
    assert "ProxyJump ops@192.0.2.9" in Path(jump[jump.index("-F") + 1]).read_text()
    proxied = command(config(ssh={"proxy_command": "nc %h %p"}), "id")
    assert "  ProxyCommand nc %h %p\n" in Path(proxied[proxied.index("-F") + 1]).read_text()


def test_keys_that_are_in_no_file_are_held_by_an_agent_for_as_long_as_the_command_runs(tmp_path: Path) -> None:
    """Neither a command line nor a file has them, and the agent has all of them."""
    texts = []
    for name in ("a", "b"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", tmp_path / name], check=True)
        texts.append((tmp_path / name).read_text())
        (tmp_path / name).unlink()
    argv = with_keys(texts, ["sh", "-c", "ssh-add -l; exit 7"])
    assert not any("PRIVATE KEY" in word for word in argv)
    descriptors = [int(word) for word in argv if word.isdecimal()]
    ran = subprocess.run(argv, check=False, pass_fds=descriptors, capture_output=True, text=True, timeout=30)
    assert (ran.returncode, [line.split()[2] for line in ran.stdout.splitlines()]) == (7, ["a", "b"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pub", "b.pub"]


def test_without_a_terminal_it_is_refused(config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(ConfigError, match="-i needs a terminal"):
        open_terminal(a_run(config()), "192.0.2.1", "id")


def test_the_hook_before_a_connection_is_called_and_may_refuse_it(
    config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = tmp_path / ".kamal/hooks/pre-connect"
    hook.parent.mkdir(parents=True)
    hook.write_text("#!/bin/sh\necho no VPN\nexit 1\n")
    hook.chmod(0o755)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("os.execvp", lambda *argv: pytest.fail("connected all the same"))
    with pytest.raises(HookFailed, match="no VPN"):
        open_terminal(a_run(config()), "192.0.2.1", "id")
