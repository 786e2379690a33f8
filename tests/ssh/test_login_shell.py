"""What a host's login shell prints by itself is told from what a command prints."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from paramiko import SSHException

from kamal_pyinfra.shell.login_shell import sheltered
from kamal_pyinfra.ssh.login_shell import NOT_RUN, MarkedChannel, in_any_login_shell

NOISE = "printf 'free\\nlock-taken\\nno line end'; echo 'nvm: not found' >&2; trap 'echo bye' EXIT; "


class Stream(list[str]):
    def __init__(self, lines: list[str], channel: Any) -> None:
        super().__init__(lines)
        self.channel = channel


class Client:
    """Runs what it is sent as sshd does, with a login shell that does something of its own."""

    def __init__(self, login: str, *, is_active: bool = True) -> None:
        self.login = login
        self.transport = SimpleNamespace(is_active=lambda: is_active)
        self.sent: list[str] = []

    def exec_command(self, command: str) -> tuple[Any, Any, Any]:
        self.sent.append(command)
        script = self.login.replace("COMMAND", command)
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=20)
        channel = SimpleNamespace(recv_exit_status=lambda: done.returncode, get_transport=lambda: self.transport)
        streams = [Stream(text.splitlines(keepends=True), channel) for text in (done.stdout, done.stderr)]
        return None, *streams


def read(client: Any, command: str) -> tuple[list[str], list[str], int]:
    _, out, err = in_any_login_shell(client.exec_command, "192.0.2.1", command)
    return list(out), list(err), out.channel.recv_exit_status()


@pytest.mark.parametrize("login", ["COMMAND", f"{NOISE}COMMAND"], ids=["quiet", "noisy"])
def test_only_the_commands_own_lines_and_its_code_are_read(login: str) -> None:
    client = Client(login)
    assert read(client, "sh -c 'echo one; echo err >&2; printf two; exit 7'") == (["one\n", "two"], ["err\n"], 7)
    assert len(client.sent) == 1
    assert read(Client(login), "true") == ([], [], 0)


@pytest.mark.parametrize(
    ("login", "printed"),
    [
        ("echo only git here", "printed `only git here`"),
        ("echo 'no account' >&2; exit 1", "printed `no account`"),
        (": COMMAND", "printed nothing"),
        ("echo COMMAND > /dev/null; printf 'a\\nb\\033[2J'", "printed `a\\nb`"),
        ("yes x | head -c 100000", "printed `" + "x\\n" * 19 + "x`"),
    ],
    ids=["forced command", "no login", "another shell", "escapes", "much"],
)
def test_a_shell_that_runs_something_else_is_a_failure_with_what_it_printed(login: str, printed: str) -> None:
    out, err, code = read(Client(login), "echo deploy-lock-taken")
    assert (out, code) == ([], NOT_RUN)
    assert err[-1].startswith(f"commands do not run on 192.0.2.1: the login shell or a ForceCommand {printed}")
    assert len(err) == 1
    assert len(err[0]) < 450


def test_a_connection_that_ends_first_is_no_other_shell() -> None:
    assert read(Client("echo why >&2; exit 255", is_active=False), "true") == ([], ["why\n"], 255)


class Source:
    """An SSH channel that gives the bytes of a login shell in pieces."""

    def __init__(self, login: str, size: int) -> None:
        self.login = login
        self.size = size
        self.data = b""

    def exec_command(self, command: str) -> None:
        script = self.login.replace("COMMAND", command)
        self.data = subprocess.run(["bash", "-c", script], capture_output=True, check=False, timeout=20).stdout

    def recv(self, _: int) -> bytes:
        piece, self.data = self.data[: self.size], self.data[self.size :]
        return piece


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_stream_begins_with_what_the_command_writes(size: int) -> None:
    channel = MarkedChannel(Source("printf 'free\\nunknown'; COMMAND", size), "192.0.2.1")  # type: ignore[arg-type]
    channel.exec_command("printf 'a\\nb'")
    assert b"".join(iter(lambda: channel.recv(100), b"")) == b"a\nb"


def test_a_stream_of_another_shell_ends_with_what_it_printed() -> None:
    channel = MarkedChannel(Source("echo only git here", 5), "192.0.2.1")  # type: ignore[arg-type]
    channel.exec_command("docker ps")
    with pytest.raises(SSHException, match=r"commands do not run on 192.0.2.1: .* printed `only git here`"):
        channel.recv(100)


def test_the_marks_of_two_commands_differ() -> None:
    client: Any = Client("COMMAND")
    read(client, "true")
    client.exec_command("true")
    assert client.sent[0] != client.sent[1] != sheltered("true")
