"""What sudo refuses is one line that names host, user and the way out; on a terminal the password is asked for."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from kamal_pyinfra.ssh.commands import with_reasons_of_sudo

ELSE = "or reach the host as root, or as a user in the group docker without `sudo: true`"
GIVE = f"give admin `NOPASSWD: ALL` in a file of /etc/sudoers.d there, {ELSE}"
WANTS = f"web1: sudo wants a password of admin; {GIVE}"
MAY_NOT = f"web1: admin may not use sudo; {GIVE}"
MISSING = f"web1: sudo is not installed; install it, {ELSE}"
ASKPASS = "sudo: unable to run /tmp/pyinfra-sudo-askpass-x9: Permission denied"
CASES = {
    "sudo: a password is required": WANTS,
    "sudo-rs: interactive authentication is required": WANTS,
    "sudo: no tty present and no askpass program specified": WANTS,
    "admin is not in the sudoers file.": MAY_NOT,
    "admin is not in the sudoers file.  This incident will be reported.": MAY_NOT,
    "Sorry, user admin may not run sudo on web1.": MAY_NOT,
    "Sorry, user admin is not allowed to execute '/bin/sh' as root on web1.": MAY_NOT,
    "sudo: sorry, you must have a tty to run sudo": "web1: sudo wants a terminal (requiretty); write "
    "`Defaults:admin !requiretty` into its sudoers",
    "sh: 1: sudo: not found": MISSING,
    "bash: line 1: sudo: command not found": MISSING,
    "sh: 1: exec: sudo: not found": MISSING,
    ASKPASS: f"web1: sudo may not run the program that hands over the password ({ASKPASS}); {GIVE}",
}
LECTURE = ["We trust you have received the usual lecture.", "", "    #1) Respect the privacy of others."]


class Client:
    """A connection that prints lines to standard error."""

    def __init__(self, *lines: str, code: int = 1) -> None:
        self.lines, self.code = lines, code

    def exec_command(self, command: str, **_: Any) -> tuple[Any, Any, Any]:
        return None, iter(()), Stream(self.lines, self.code)


class Stream:
    def __init__(self, lines: tuple[str, ...], code: int) -> None:
        self.lines = lines
        self.channel = SimpleNamespace(recv_exit_status=lambda: code)

    def __iter__(self) -> Any:
        return iter(f"{line}\n" for line in self.lines)


def heard(client: Client, command: str = "sudo -H -n sh -c 'docker ps'") -> list[str]:
    _, _, stderr = with_reasons_of_sudo(client.exec_command, "web1", "admin", command)
    return [line.rstrip("\n") for line in stderr]


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())


@pytest.mark.parametrize("line", CASES)
def test_a_refusal_is_one_line_with_the_way_out(line):
    assert heard(Client(line)) == [CASES[line]]
    assert heard(Client(*LECTURE, line)) == [*LECTURE, CASES[line]]


def test_on_a_terminal_the_line_that_pyinfra_looks_for_stays(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    assert heard(Client("sudo: a password is required")) == ["sudo: a password is required"]
    assert heard(Client(ASKPASS)) == [CASES[ASKPASS]]


def test_in_another_language_the_line_is_shown_with_a_way_to_try_it():
    line = "sudo: Ein Passwort ist notwendig"
    assert heard(Client(line)) == [line, f"web1: sudo refuses admin ({line}); see that `sudo -n true` works there"]


@pytest.mark.parametrize(
    ("command", "lines", "code"),
    [
        ("sh -c 'sudo ls'", ("sudo: a password is required",), 1),
        ("sudo -H -n sh -c 'docker exec shop-web-v1 sudo ls'", ("sh: sudo: not found",), 127),
        ("sudo -H -n sh -c 'docker run --rm shop sudo ls'", ("sudo: a terminal is required",), 1),
        ("sudo -H -n sh -c 'docker ps'", ("sudo: unable to resolve host web1: Name or service not known",), 0),
        ("sudo -H -n sh -c 'docker ps'", ("permission denied",), 1),
    ],
)
def test_what_other_programs_print_stays_as_it_is(command, lines, code):
    assert heard(Client(*lines, code=code), command) == list(lines)
