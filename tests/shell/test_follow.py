"""The script that follows all containers of a host in one session, run by real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from kamal_pyinfra.shell import logs
from kamal_pyinfra.shell.logs import LogFilter

DOCKER = """#!/bin/sh
cd {folder} || exit 1
case $1 in
ps) cat listed || {{ echo "no daemon" >&2; exit 1; }} ;;
logs)
  echo "$*" >> calls
  for id; do :; done
  cat "$id.log"
  [ ! -e "$id.stays" ] || exec sleep 60 ;;
esac
"""
T1, T2 = "2026-05-01T10:00:01.000000000Z", "2026-05-01T10:00:02.000000000Z"
BUSYBOX = ("awk", "cat", "date", "grep", "sed", "sh", "sleep", "timeout", "rm", "kill")


class Host:
    """Containers as files: those listed, their logs, and whether they go on."""

    def __init__(self, folder: Path, shell: str) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.programs.mkdir()
        (self.programs / "docker").write_text(DOCKER.format(folder=folder))
        (self.programs / "docker").chmod(0o755)
        if shell == "busybox":  # has no stdbuf
            for name in BUSYBOX:
                (self.programs / name).symlink_to(shutil.which("busybox") or "/missing")
        else:
            (self.programs / "sh").symlink_to(shutil.which(shell) or "/missing")
        self.path = str(self.programs) if shell == "busybox" else f"{self.programs}:{os.environ['PATH']}"

    def has(self, number: str, log: str, *, stays: bool = True) -> None:
        (self.folder / f"{number}.log").write_text(log)
        if stays:
            (self.folder / f"{number}.stays").touch()
        with (self.folder / "listed").open("a") as listed:
            listed.write(f"{number} shop-{number} web\n")

    def start(self, script: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["sh", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={"PATH": self.path},
            start_new_session=True,
        )

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture(params=["dash", "bash", "busybox"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    return Host(tmp_path, request.param)


def ended(running: subprocess.Popen[bytes], host: Host) -> tuple[list[bytes], bytes]:
    """The lines of a script whose Docker no longer answers."""
    (host.folder / "listed").unlink()
    out, err = running.communicate(timeout=30)
    return out.splitlines(), err


def until(running: subprocess.Popen[bytes], wanted: bytes) -> list[bytes]:
    """Lines up to one."""
    assert running.stdout is not None
    found: list[bytes] = []
    while not found or found[-1] != wanted:
        line = running.stdout.readline()
        assert line, found
        found.append(line.rstrip(b"\n"))
    return found


def test_lines_of_many_containers_come_through_one_session_as_they_are_written(host: Host) -> None:
    for number in range(12):
        host.has(f"a{number:x}", f"{T1} of a{number:x}\n")
    running = host.start(logs.watch("docker ps", LogFilter(lines=3), LogFilter(), {"a1": LogFilter(since=T1)}))
    lines: list[bytes] = []
    while sum(line.startswith(b"line ") for line in lines) < 12:
        assert running.stdout is not None
        lines.append(running.stdout.readline().rstrip(b"\n"))
    host.has("b0", f"{T2} of the new one\n")
    lines += until(running, f"line b0 {T2} of the new one".encode())
    rest, err = ended(running, host)
    assert err == b"no daemon\n" or b"listed" in err
    shown = [line for line in (*lines, *rest) if line.startswith(b"line ")]
    assert sorted(shown) == sorted(
        [
            *(f"line a{number:x} {T1} of a{number:x}".encode() for number in range(12)),
            f"line b0 {T2} of the new one".encode(),
        ]
    )
    assert lines[:3] == [b"round", b"container a0 shop-a0 web", b"begin a0"]
    follow = "logs --timestamps --follow"
    assert sorted(host.calls) == sorted(
        [
            *(f"{follow} --tail 3 a{number:x}" for number in range(12) if number != 1),
            f"{follow} --since {T1} a1",
            f"{follow} b0",
        ]
    )


def test_a_container_that_was_started_anew_is_followed_anew(host: Host) -> None:
    host.has("a0", f"{T1} one\n", stays=False)
    began = int(time.time())
    running = host.start(logs.watch("docker ps", LogFilter(lines=3), LogFilter(), {}))
    until(running, b"begin a0")
    until(running, b"begin a0")
    ended(running, host)
    first, second = host.calls[:2]
    assert first == "logs --timestamps --follow --tail 3 a0"
    since = int(second.removeprefix("logs --timestamps --follow --since ").removesuffix(" a0"))
    assert began - 2 <= since <= began + 30


def test_a_long_line_comes_in_pieces_that_no_other_line_can_part(host: Host) -> None:
    host.has("a0", f"{T1} {'x' * 7000}\n{T2} next\n")
    running = host.start(logs.watch("docker ps", LogFilter(), LogFilter(), {}))
    lines = until(running, f"line a0 {T2} next".encode())
    ended(running, host)
    pieces = [line.removeprefix(b"line a0 ") for line in lines if line.startswith(b"line a0 ")][:-1]
    assert b"".join(pieces).decode() == f"{T1} {'x' * 7000}"
    if len(pieces) > 1:
        assert [len(piece) for piece in pieces] == [3000, 3000, 1031]


def test_only_lines_that_match_are_sent(host: Host) -> None:
    host.has("a0", f"{T1} it's x\n{T1} other\n{T2} it's y\n", stays=False)  # busybox grep holds lines back
    wanted = LogFilter(grep="it's", grep_options=("-i",))
    running = host.start(logs.watch("docker ps", wanted, wanted, {}))
    lines = until(running, f"line a0 {T2} it's y".encode())
    ended(running, host)
    assert f"line a0 {T1} it's x".encode() in lines
    assert not any(b"other" in line for line in lines)


def test_nothing_is_left_when_docker_does_not_answer(host: Host) -> None:
    host.has("a0", f"{T1} one\n")
    running = host.start(logs.watch("docker ps", LogFilter(), LogFilter(), {}))
    until(running, f"line a0 {T1} one".encode())
    ended(running, host)  # its pipes end only when all that was started has gone
    assert running.returncode != 0
