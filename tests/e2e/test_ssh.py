"""What sshd and sudo of a host refuse, with the real ones."""

from __future__ import annotations

import os
import pty
import select
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest

from tests.e2e.project import BIN, Project, eventually

SUDOERS = "/etc/sudoers.d/admin"
NO_PASSWORD = f"echo 'admin ALL=(ALL) NOPASSWD: ALL' > {SUDOERS}"
PORT = 2222
OWN = f"/run/sshd-{PORT}"


@contextmanager
def condition(project: Project, host: str, command: str, undo: str) -> Iterator[None]:
    """A host that is as it is not by itself."""
    project.lab.exec(host, command)
    try:
        yield
    finally:
        project.lab.exec(host, undo)


def limited(project: Project, **options: str) -> AbstractContextManager[None]:
    """Another sshd on web1, on a port of its own, with limits."""
    given = "\\n".join(f"{name} {value}" for name, value in {"Port": PORT, "PidFile": f"{OWN}.pid", **options}.items())
    rest = "cat /etc/ssh/sshd_config.d/*.conf | grep -v MaxStartups"  # what comes last counts for that one
    start = f"{{ printf '{given}\\n'; {rest}; }} > {OWN}.conf && /usr/sbin/sshd -f {OWN}.conf"
    return condition(project, "web1", start, f"kill $(cat {OWN}.pid); rm {OWN}.conf")


def by_sudo(project: Project, host: str) -> str:
    """The only host, reached as a user with sudo; its address."""
    address = project.lab.hosts[host]
    project.change(lambda config: config.update(servers=[{address: {"user": "admin", "sudo": True}}]))
    return address


def test_sudo_that_wants_a_password_is_one_line_in_every_command(project: Project) -> None:
    """Without a terminal `plan`, `doctor` and `logs -f` must exit 1 with a line that names host, user and way out."""
    address = by_sudo(project, "web1")
    with condition(project, "web1", f"echo 'admin ALL=(ALL) ALL' > {SUDOERS}", NO_PASSWORD):
        for command in (["plan"], ["doctor"], ["logs", "--follow"]):
            done = project.kp(*command, code=1)
            said = " ".join((done.stdout + done.stderr).split())
            assert f"{address}: sudo wants a password of admin; give admin `NOPASSWD: ALL`" in said
            assert "Traceback" not in said


def test_on_a_terminal_sudo_asks_once_also_where_tmp_forbids_programs(project: Project) -> None:
    """Somebody at a terminal must be asked for the password once in a run."""
    by_sudo(project, "web1")
    wants = f"echo admin:hush | chpasswd; echo 'admin ALL=(ALL) ALL' > {SUDOERS}; mount -t tmpfs -o noexec tmpfs /tmp"
    back = f"umount /tmp; {NO_PASSWORD}; usermod --password '*' admin"
    with condition(project, "web1", wants, back):
        code, shown = at_a_terminal(project, "server", "exec", "id -u; id -un")
    assert (code, shown.count("sudo password:")) == (0, 1), shown
    assert "root" in shown


def at_a_terminal(project: Project, *arguments: str) -> tuple[int, str]:
    """Run kp on a terminal and type the password when it asks."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(project.folder)
        os.execve(BIN / "kp", ["kp", *arguments], project.environment("v1"))
    shown, answered, end = b"", 0, time.monotonic() + 90
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:  # it has ended
            break
        shown += data
        if shown.count(b"password:") > answered:
            answered += 1
            time.sleep(0.3)  # getpass throws away what was typed before it listens
            os.write(terminal, b"hush\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown.decode(errors="replace")


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_deploy_works_where_sshd_allows_one_session(project: Project, sessions: int) -> None:
    """With one session, one login at a time and penalties, deploys must end well; a closed session may linger."""
    address = project.lab.hosts["web1"]
    project.change(lambda config: config.update(servers=[f"root@{address}:{PORT}"]))
    with limited(project, MaxSessions=str(sessions), MaxStartups="1:100:1", PerSourcePenalties="yes"):
        project.kp("setup", version="v1")
        for version in ("v2", "v1"):
            project.kp("deploy", "--skip-push", version=version) if version == "v1" else project.kp(
                "deploy", version=version
            )
            assert project.served("web1") == version
            assert not project.lock_exists()


def test_an_sshd_with_too_many_connections_is_asked_again_and_named(project: Project) -> None:
    """Where MaxStartups refuses a connection, later attempts must succeed, or its reason be said."""
    address = project.lab.hosts["web1"]
    project.change(lambda config: config.update(servers=[f"root@{address}:{PORT}"]))
    with limited(project, MaxStartups="1:100:1", PerSourcePenalties="no", LoginGraceTime="60"):
        with closing(socket.create_connection((address, PORT))) as other:
            assert other.recv(8).startswith(b"SSH-2.0-")
            failed = project.kp("lock", "status", code=1)
        assert "too many connections at once (MaxStartups)" in " ".join((failed.stdout + failed.stderr).split())
        assert "There is no deploy lock" in project.kp("lock", "status").stdout


def greets(address: str) -> bool:
    """Connect, and go without a login; whether sshd said who it is."""
    with closing(socket.create_connection((address, PORT))) as other:
        return other.recv(8).startswith(b"SSH-2.0-")


def test_an_address_that_sshd_punishes_is_named(project: Project) -> None:
    """Where PerSourcePenalties refuses this address, its reason must be said, and nothing be tried for long."""
    address = project.lab.hosts["web1"]
    project.change(lambda config: config.update(servers=[f"root@{address}:{PORT}"]))
    with limited(project, PerSourcePenalties="noauth:30s min:1s", LoginGraceTime="60"):
        eventually(lambda: not greets(address), what="the penalty")
        failed = project.kp("lock", "status", code=1)
    said = " ".join((failed.stdout + failed.stderr).split())
    assert "a penalty for this address (PerSourcePenalties)" in said
    assert "Not allowed at this time" in said
