"""No command of a connection lasts for longer than it may."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event
from pyinfra.api.command import StringCommand
from pyinfra.connectors.util import make_unix_command

from kamal_pyinfra.shell.script import guarded
from kamal_pyinfra.ssh import commands as time_limit
from kamal_pyinfra.ssh.commands import in_time, limited

PACKAGE = Path(time_limit.__file__).parent.parent


def unix(command: str, **arguments: Any) -> str:
    """The command as pyinfra sends it."""
    return str(make_unix_command(StringCommand(command), **arguments).get_raw_value())


@pytest.mark.parametrize(
    ("arguments", "first"),
    [({}, ""), ({"_sudo": True}, "sudo -H -n "), ({"_sudo": True, "_sudo_user": "app"}, "sudo -H -n -u app ")],
    ids=["plain", "sudo", "sudo as another user"],
)
def test_a_command_without_limit_gets_one(arguments: dict[str, Any], first: str) -> None:
    """Behind sudo, since a user cannot end what runs as root."""
    shell = unix("docker version && echo it's")
    assert unix("docker version && echo it's", **arguments) == f"{first}{shell}"
    assert limited(f"{first}{shell}", 7) == (f"{first}timeout -k 5 7 {shell}", 7)


@pytest.mark.parametrize("arguments", [{}, {"_sudo": True}], ids=["plain", "sudo"])
def test_a_command_with_its_own_limit_keeps_it(arguments: dict[str, Any]) -> None:
    sent = unix(guarded("docker pull x", seconds=900), **arguments)
    assert limited(sent, 7) == (sent, 900)


def test_words_that_look_like_a_limit_are_none() -> None:
    for arguments in ({}, {"_sudo": True}):
        assert limited(unix("echo sh -c timeout -k 5 9 ", **arguments), 7)[1] == 7


class Client:
    """Runs what it is sent in a shell, as sshd does."""

    def exec_command(self, command: str, get_pty: bool = False) -> tuple[Any, Any, Any]:
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=20)
        channel = SimpleNamespace(recv_exit_status=lambda: done.returncode, exit_status_ready=lambda: True)
        stderr = Stream(done.stderr.splitlines(keepends=True), channel)
        return None, Stream(done.stdout.splitlines(keepends=True), channel), stderr


class Stream(list[str]):
    def __init__(self, lines: list[str], channel: Any) -> None:
        super().__init__(lines)
        self.channel = channel


def said(command: str, seconds: int) -> tuple[int, list[str], list[str]]:
    _, out, err = in_time(Client().exec_command, seconds, unix(command), get_pty=False)
    return out.channel.recv_exit_status(), list(out), list(err)


def test_a_command_that_ends_is_told_nothing_about() -> None:
    assert said("echo out; echo err >&2; exit 3", 5) == (3, ["out\n"], ["err\n"])


def test_a_command_that_exits_as_if_it_was_killed_is_told_nothing_about() -> None:
    assert said("exit 137", 5) == (137, [], [])


def test_a_command_that_does_not_end_is_stopped_and_says_so() -> None:
    told = "It did not end within 1 s{} and was stopped.\n"
    assert said("echo out; sleep 30", 1) == (124, ["out\n"], [told.format(" (ssh.command_timeout)")])
    assert said(guarded("sleep 30", seconds=1), 20) == (124, [], [told.format("")])
    pull = guarded("sleep 30", seconds=1, key="pull_timeout")
    assert said(pull, 20) == (124, [], [told.format(" (pull_timeout)")])


class Hung:
    """A connection to a host on which nothing ends; what reads from it waits until it is closed."""

    def __init__(self) -> None:
        self.is_over = Event()
        self.channel = SimpleNamespace(
            recv_exit_status=lambda: self.is_over.wait() and -1,
            exit_status_ready=self.is_over.is_set,
            get_transport=lambda: SimpleNamespace(close=self.is_over.set),
        )

    def exec_command(self, command: str) -> tuple[Any, Any, Any]:
        return None, self, self

    def __iter__(self) -> Iterator[str]:
        yield "out\n"
        self.is_over.wait()


def test_a_host_that_ends_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must hold up nobody for longer than the limit and a grace, and be named with what makes the time longer."""
    monkeypatch.setattr(time_limit, "PATIENCE_SECONDS", 0.1 - time_limit.KILL_SECONDS - 1)
    client = Hung()
    _, _, err = in_time(client.exec_command, 1, unix("docker ps"))
    told = "No answer came within 1 s (ssh.command_timeout); the host or Docker hangs.\n"
    assert list(err) == ["out\n", told]
    assert err.channel.recv_exit_status() == -1


def test_a_connection_stays_open_after_a_command_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "PATIENCE_SECONDS", -time_limit.KILL_SECONDS - 1)
    client = Hung()
    in_time(client.exec_command, 1, unix("docker ps"))
    client.channel.exit_status_ready = lambda: True
    gevent.sleep(0.05)
    assert not client.is_over.is_set()


SENDERS = {
    "ssh/client.py": "asks again where sshd refuses a session, and leads through jump hosts",
    "ssh/connection.py": "a stream, which ends when it is closed",
    "ssh/login_shell.py": "the stream's command, for any login shell",
    "ssh/patches.py": "the one place where commands go through the layers, of which one limits them",
}


def test_no_command_goes_past_the_limit() -> None:
    """Nobody else may open a channel to a host: what is not sent here would have no limit."""
    calls = ("exec_command", "open_session", "invoke_shell", "open_channel")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in calls
    }
    assert found == set(SENDERS)
