from __future__ import annotations

import os
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings

from kamal_pyinfra.shell import host as audit
from kamal_pyinfra.shell import host as files
from kamal_pyinfra.shell.script import with_functions
from tests.shell.test_shell import texts


def run(script: str, cwd: Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["sh", "-c", with_functions(script)]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, check=True, timeout=60)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_secret_file_has_exactly_what_came_on_standard_input(tmp_path):
    content = "A=$(id) `x` \"'\\ é\nB=\n".encode()
    ended = run(files.write_secret("shop web.env"), tmp_path, b"%d\n" % len(content) + content)
    assert (ended.stdout, ended.stderr) == (b"", b"")
    assert (tmp_path / "shop web.env").read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == ["shop web.env"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_secret_file_is_its_owners_whatever_the_umask(tmp_path, umask):
    ended = subprocess.Popen(
        ["sh", "-c", with_functions(files.write_secret("web.env"))], cwd=tmp_path, stdin=subprocess.PIPE, umask=umask
    )
    ended.communicate(b"4\nA=1\n", timeout=60)
    assert mode(tmp_path / "web.env") == 0o600


def test_a_secret_file_is_never_half_there_nor_open_to_others(tmp_path):
    (tmp_path / "web.env").write_text("A=old\n")
    (tmp_path / "web.env").chmod(0o644)
    writing = subprocess.Popen(
        ["sh", "-c", with_functions(files.write_secret("web.env"))], cwd=tmp_path, stdin=subprocess.PIPE, umask=0o022
    )
    assert writing.stdin is not None
    writing.stdin.write(b"10\nA=new\n")
    writing.stdin.flush()
    draft = tmp_path / "web.env.tmp"
    waited = threading.Event()
    for _ in range(500):
        if draft.exists() and draft.stat().st_size:
            break
        waited.wait(0.01)
    assert mode(draft) == 0o600
    assert (tmp_path / "web.env").read_text() == "A=old\n"
    writing.communicate(b"B=2\n", timeout=60)
    assert (tmp_path / "web.env").read_text() == "A=new\nB=2\n"
    assert mode(tmp_path / "web.env") == 0o600


def test_a_draft_that_a_killed_run_left_open_to_others_is_not_written_to(tmp_path):
    (tmp_path / "web.env.tmp").write_text("left over")
    (tmp_path / "web.env.tmp").chmod(0o644)
    run(files.write_secret("web.env"), tmp_path, b"4\nA=1\n")
    assert mode(tmp_path / "web.env") == 0o600


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o027, 0o077])
def test_folders_for_secrets_are_their_owners_whatever_the_umask(tmp_path, umask):
    paths = (".kamal", ".kamal/locks", ".kamal/env/roles", ".kamal/env/traefik")
    old_umask = os.umask(umask)
    try:
        run(files.make_directories(paths), tmp_path)
    finally:
        os.umask(old_umask)
    assert [mode(tmp_path / path) for path in paths] == [0o755, 0o755, 0o700, 0o700]


def test_the_commands_as_text():
    assert files.make_directories((".kamal", "a b")) == "( umask 022 && mkdir -p .kamal 'a b' )"
    assert files.make_directories(("/srv/env", "/srv/env/locks")) == "( umask 022 && mkdir -p /srv/env /srv/env/locks )"
    assert files.make_directories((".kamal/env/roles",)) == (
        "( umask 022 && mkdir -p .kamal/env/roles ) && chmod 700 .kamal/env/roles"
    )
    assert files.write_secret("/run/a b.env") == "write_secret '/run/a b.env'"
    assert files.remove_directories(("a b", "c")) == "rm -rf 'a b' c"


@settings(max_examples=30, deadline=None)
@given(message=texts, performer=texts, destination=texts, role=texts, name=texts)
def test_any_message_is_one_line_of_the_audit_log(tmp_path_factory, message, performer, destination, role, name):
    root = tmp_path_factory.mktemp("audit")
    log = name.replace("/", "_")[:30] + "-audit.log"
    command = audit.line(message, log=log, at="T", performer=performer, destination=destination, role=role)
    ended = run(f"{command} && {command}", root)
    tags = " ".join(f"[{tag}]" for tag in ("T", performer, destination, role) if tag)
    line = f"{tags} {message}".replace("\n", " ") + "\n"
    assert (ended.stdout, ended.stderr) == (b"", b"")
    assert [path.name for path in root.iterdir()] == [log]
    assert (root / log).read_bytes().decode() == line * 2


def test_an_audit_line_is_kamals():
    assert (
        audit.line(
            "Booted app version abc",
            log=".kamal/shop-staging-audit.log",
            at="2024-05-01T10:00:00Z",
            performer="dev@example.com",
            destination="staging",
            role="web",
        )
        == "printf '%s\\n' '[2024-05-01T10:00:00Z] [dev@example.com] [staging] [web] Booted app version abc'"
        " >> .kamal/shop-staging-audit.log"
    )
    assert audit.line("Pruned images", log="a.log", at="T", performer="p") == (
        "printf '%s\\n' '[T] [p] Pruned images' >> a.log"
    )


def test_empty_folders_go_and_others_stay(tmp_path):
    (tmp_path / "it's/locks/shop").mkdir(parents=True)
    (tmp_path / "it's/env").mkdir()
    (tmp_path / "it's/env/blog.env").write_text("x")
    command = files.remove_empty_directories("it's")
    for _ in range(2):
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
        assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
            "it's",
            "it's/env",
            "it's/env/blog.env",
        ]
    subprocess.run(["sh", "-c", files.remove_files(("it's/env/blog.env", "gone"))], cwd=tmp_path, check=True)
    for _ in range(2):
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
        assert list(tmp_path.iterdir()) == []
