"""What sudo on a host refuses, in a line with the way out; on a terminal pyinfra asks for the password it wants."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

from pyinfra.connectors.util import SUDO_PASSWORD_REQUIRED_LINES

from kamal_pyinfra.ssh.patches import Execute

BEFORE = re.compile(r"(?:env (?:\S+=\S* )+)?(?:exec )?sudo ")
"""How a command begins that goes through sudo, with a password or without."""
PASSED_ON = re.compile(r"docker (exec|run) ")
"""What a program in a container prints about a sudo of its own is not the host's; a command of ours came before it."""
ELSE = "or reach the host as root, or as a user in the group docker without `sudo: true`"
OWN_LINE = re.compile(r"sudo(-rs)?: ")
ASKPASS = "sudo-askpass"


def with_reasons_of_sudo(execute: Execute, host: str, user: str) -> Execute:
    """Commands of which it is known why sudo refused them, and what to do.

    Args:
        execute: gives lines of text.
        host: its name.
        user: that logs in there.
    """

    def run(command: str, *arguments: Any, **options: Any) -> tuple[Any, Any, Any]:
        stdin, stdout, stderr = execute(command, *arguments, **options)
        is_own = BEFORE.match(command) is not None and PASSED_ON.search(command) is None
        return stdin, stdout, _Explained(stderr, host, user) if is_own else stderr

    return run


def reason(line: str, host: str, user: str) -> str:
    """A line that sudo or the shell before it printed, as what is wrong and what to do; empty if it is another line.

    Args:
        line: of standard error.
        host: its name.
        user: who logs in there.
    """
    give = f"give {user} `NOPASSWD: ALL` in a file of /etc/sudoers.d there, {ELSE}"
    if line in SUDO_PASSWORD_REQUIRED_LINES or "no tty present and no askpass" in line:
        return f"{host}: sudo wants a password of {user}; {give}"
    if ASKPASS in line and OWN_LINE.match(line):
        return f"{host}: sudo may not run the program that hands over the password ({line}); {give}"
    if re.search(r"\bsudo: (command )?not found$", line) or line == "sudo: No such file or directory":
        return f"{host}: sudo is not installed; install it, {ELSE}"
    if "is not in the sudoers file" in line or "is not allowed to" in line or "may not run sudo" in line:
        return f"{host}: {user} may not use sudo; {give}"
    if "must have a tty" in line:
        return f"{host}: sudo wants a terminal (requiretty); write `Defaults:{user} !requiretty` into its sudoers"
    return ""


class _Explained:
    """Standard error of a command that goes through sudo."""

    def __init__(self, stream: Any, host: str, user: str) -> None:
        self.stream, self.host, self.user = stream, host, user

    def __iter__(self) -> Iterator[str]:
        own: list[str] = []
        is_explained = False
        for line in self.stream:
            text = line.rstrip("\r\n")
            why = "" if _is_asked_for(text) else reason(text.strip(), self.host, self.user)
            is_explained = is_explained or bool(why)
            own += [text] if OWN_LINE.match(text) else []
            yield f"{why}\n" if why else line
        # In another language the words are others.
        if own and not is_explained and not _is_asked_for(own[-1]) and self.stream.channel.recv_exit_status() == 1:
            yield f"{self.host}: sudo refuses {self.user} ({own[-1]}); see that `sudo -n true` works there\n"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _is_asked_for(line: str) -> bool:
    """Whether pyinfra reads this line and asks somebody for the password."""
    return line.strip() in SUDO_PASSWORD_REQUIRED_LINES and sys.stdin.isatty()
