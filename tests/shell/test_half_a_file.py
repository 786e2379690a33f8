"""What a host is sent on standard input counts only when all of it came: a connection may drop at any byte."""

from __future__ import annotations

import ast
import base64
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kamal_pyinfra.shell import accessory, image
from kamal_pyinfra.shell import exec as app_tasks
from kamal_pyinfra.shell import host as files
from kamal_pyinfra.shell.host import measured
from kamal_pyinfra.shell.script import with_functions

PACKAGE = Path(files.__file__).parent.parent
SHELLS = (["dash"], ["bash"], ["busybox", "sh"])
SECRET = "A=1\nDATABASE_URL=postgres://u:hush@db/shop\nKEY=é\n"
CONTENT = b"[mysqld]\nlevel=one\n\xff\xfe"
DOCKER = """#!/bin/sh
cat >> docker-got
"""


@dataclass(frozen=True)
class Writer:
    """Something that reads standard input on a host.

    Args:
        command: what a host runs.
        sent: what it is sent.
        place: the file that is written.
        whole: its content when everything came.
        before: its content until then; ``None`` if there is none.
    """

    command: str
    sent: str
    place: str
    whole: bytes
    before: bytes | None = b"as it was\n"


WRITERS = {
    "an env file or a record": Writer(
        files.write_secret("env/it's.env"), measured(SECRET), "env/it's.env", SECRET.encode()
    ),
    "a file of an accessory": Writer(
        accessory.write_file("shop-db/etc/my.cnf"),
        f"{len(CONTENT)}\n{base64.b64encode(CONTENT).decode()}\n",
        "shop-db/etc/my.cnf",
        CONTENT,
    ),
    "the password of a registry": Writer(
        image.log_in(None, "acme"), measured("hush hush"), "docker-got", b"hush hush", None
    ),
    "the variables of a command": Writer(
        app_tasks.with_variables('printf %s "$A$B" > ran'), app_tasks.variables({"A": "it's\n", "B": "two"}), "ran",
        b"it's\ntwo", None,
    ),
}  # fmt: skip

SENDERS = {
    "operations/accessory.py": 1,  # files of accessories
    "operations/app.py": 2,  # the record
    "operations/host.py": 1,  # env files
    "operations/image.py": 1,  # the password
    "runner/exec.py": 1,  # the variables of a command
}
"""Modules with a command for a host that is sent something, and how many."""


def senders() -> Iterator[tuple[str, str]]:
    """Each call with standard input for a host: its module, and what is sent."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            for keyword in node.keywords if isinstance(node, ast.Call) else ():
                name = keyword.arg
                is_sent = name == "_stdin" or (name == "stdin" and getattr(node.func, "id", "") == "execute")
                if is_sent:
                    yield str(path.relative_to(PACKAGE)), ast.unparse(keyword.value)


def test_every_command_that_is_sent_something_is_tried_here() -> None:
    """A new one must be added to the writers above."""
    found = [module for module, _ in senders()]
    assert {module: found.count(module) for module in found} == SENDERS


def home(folder: Path, writer: Writer) -> Path:
    """A home in which the file has an older content, and `docker` keeps what it is given."""
    (folder / "bin").mkdir()
    (folder / "bin/docker").write_text(DOCKER)
    (folder / "bin/docker").chmod(0o755)
    place = folder / "home" / writer.place
    place.parent.mkdir(parents=True)
    if writer.before is not None:
        place.write_bytes(writer.before)
    return folder / "home"


def run(shell: list[str], folder: Path, writer: Writer, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    environ = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "HOME": str(folder / "home")}
    return subprocess.run(
        [*shell, "-c", with_functions(writer.command)], cwd=folder / "home", env=environ, input=sent,
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_what_comes_whole_is_written_as_it_is(shell: list[str], writer: Writer, tmp_path: Path) -> None:
    """All of it must arrive, byte for byte, and nothing may be left beside it."""
    folder = home(tmp_path, writer)
    ended = run(shell, tmp_path, writer, writer.sent.encode())
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (folder / writer.place).read_bytes() == writer.whole
    assert [path for path in folder.rglob("*") if path.is_file()] == [folder / writer.place]


CUTS: dict[str, Callable[[int], int]] = {
    "at once": lambda _: 0,
    "after a byte": lambda _: 1,
    "in the middle": lambda length: length // 2,
    "before the last line": lambda length: length - 8,
    "before the last bytes": lambda length: length - 3,
}


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_what_ends_early_replaces_nothing(
    shell: list[str], cut: Callable[[int], int], writer: Writer, tmp_path: Path
) -> None:
    """The old content must stay, no draft may be left, and the host must say why."""
    folder = home(tmp_path, writer)
    sent = writer.sent.encode()
    ended = run(shell, tmp_path, writer, sent[: cut(len(sent))])
    assert ended.returncode == 1
    assert ended.stderr.decode().endswith(": the connection ended before all of it had come; nothing was changed\n")
    assert "hush" not in ended.stderr.decode()
    left = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert left == ({} if writer.before is None else {Path(writer.place).name: writer.before})
