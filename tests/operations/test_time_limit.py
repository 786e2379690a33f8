"""No command of a connection lasts for longer than it may."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.connectors.util import make_unix_command

from kamal_pyinfra.commands.guard import guarded
from kamal_pyinfra.operations.time_limit import limit_commands, limited


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
        channel = SimpleNamespace(recv_exit_status=lambda: done.returncode)
        stderr = Stream(done.stderr.splitlines(keepends=True), channel)
        return None, Stream(done.stdout.splitlines(keepends=True), channel), stderr


class Stream(list[str]):
    def __init__(self, lines: list[str], channel: Any) -> None:
        super().__init__(lines)
        self.channel = channel


def said(command: str, seconds: int) -> tuple[int, list[str], list[str]]:
    client = Client()
    limit_commands(client, seconds)
    limit_commands(client, seconds)
    _, out, err = client.exec_command(unix(command), get_pty=False)
    return out.channel.recv_exit_status(), list(out), list(err)


def test_a_command_that_ends_is_told_nothing_about() -> None:
    assert said("echo out; echo err >&2; exit 3", 5) == (3, ["out\n"], ["err\n"])


def test_a_command_that_exits_as_if_it_was_killed_is_told_nothing_about() -> None:
    assert said("exit 137", 5) == (137, [], [])


def test_a_command_that_does_not_end_is_stopped_and_says_so() -> None:
    told = ["It did not end within 1 s and was stopped.\n"]
    assert said("echo out; sleep 30", 1) == (124, ["out\n"], told)
    assert said(guarded("sleep 30", seconds=1), 20) == (124, [], told)
