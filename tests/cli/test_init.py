"""`kp init` in a folder: files where there are none, three questions or none, and the next command."""

from __future__ import annotations

import os
import pty
import stat
import subprocess
import sys
from pathlib import Path

from tests.cli.test_main import MORE, kp

CREATED = """\
created   config/deploy.yml
created   config/deploy.schema.json
created   .env
created   .env.example
created   .gitignore
created   inventory.py
created   deploys/ (7 files)
created   .kamal/hooks/ (7 files)

An app on port 3000, healthy when /up answers.
There is no Dockerfile yet; kp builds the image from one.
No file here seems to answer /up: let the app do so, or change `healthcheck`.
"""
NEXT = "Next: run `kp setup`.\n"
WITH_PASSWORD = "Next: write the registry's password into .env, then run `kp setup`.\n"
ARGUMENTS = (
    "--host",
    "192.0.2.10",
    "--host",
    "192.0.2.11",
    "--image",
    "registry.example.com/acme/shop",
    "--username",
    "me",
)


def test_flags_answer_every_question(tmp_path: Path) -> None:
    done = kp(tmp_path, "init", *ARGUMENTS)
    assert (done.returncode, done.stdout, done.stderr) == (0, CREATED + WITH_PASSWORD, "")
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert os.access(tmp_path / ".kamal/hooks/pre-build.sample", os.X_OK)
    seen = kp(tmp_path, "config")
    assert "repository: registry.example.com/acme/shop\nprimary_host: 192.0.2.10\n" in seen.stdout
    refused = kp(tmp_path, "plan", "--version", "v1")
    assert refused.returncode == 3
    assert "KAMAL_REGISTRY_PASSWORD is not set; add it to .env or export it" in refused.stderr


def test_a_server_is_all_that_has_to_be_said(tmp_path: Path) -> None:
    done = kp(tmp_path, "init", "--host", "192.0.2.10")
    assert (done.returncode, done.stdout, done.stderr) == (0, CREATED + NEXT, "")
    assert "KAMAL_REGISTRY_PASSWORD" not in (tmp_path / ".env").read_text()
    seen = kp(tmp_path, "config")
    assert "server: localhost:5555\n" in seen.stdout


def test_without_a_terminal_nothing_is_asked_and_what_is_left_to_do_is_said(tmp_path: Path) -> None:
    done = kp(tmp_path, "init")
    todo = "Put your own servers into config/deploy.yml.\n"
    assert (done.returncode, done.stdout) == (0, CREATED + todo + NEXT)


def test_what_is_there_stays_and_ignore_files_get_what_they_lack(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/deploy.yml").write_text("service: mine\n")
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / ".gitignore").write_text("*.pyc")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / ".dockerignore").write_text("/.env*\n")
    done = kp(tmp_path, "init")
    lines = done.stdout.splitlines()
    assert {"kept      config/deploy.yml", "kept      .env", "added to  .gitignore", "kept      .dockerignore"} < set(
        lines
    )
    assert lines[-1] == "Next: run `kp plan`."
    assert (tmp_path / "config/deploy.yml").read_text() == "service: mine\n"
    assert (tmp_path / ".env").read_text() == "A=1\n"
    assert (tmp_path / ".gitignore").read_text() == (
        "*.pyc\n.env\n.env.*\n!.env.example\n!.env*.erb\n!.env*.tpl\n!.env*.j2\n"
    )
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    again = kp(tmp_path, "init")
    assert {line.split()[0] for line in again.stdout.splitlines()[:-1]} == {"kept"}
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_bundle_is_accepted_and_explained(tmp_path: Path) -> None:
    done = kp(tmp_path, "init", "--bundle", *ARGUMENTS)
    assert done.returncode == 0
    assert done.stderr == (
        "--bundle adds Kamal to a Gemfile, which is a Ruby matter; "
        "kp is installed already, so there is nothing to add.\n"
    )


def test_a_bad_answer_writes_nothing(tmp_path: Path) -> None:
    done = kp(tmp_path, "init", "--host", "a/b")
    assert (done.returncode, done.stderr) == (3, f"--host: 'a/b' is no server; write [USER@]HOST[:PORT]\n{MORE}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file")
    done = kp(tmp_path, "init")
    assert done.returncode == 3
    assert done.stderr == f"{tmp_path}/config/deploy.yml: cannot be written: File exists\n{MORE}"


def typed(folder: Path, answers: bytes) -> str:
    """What `kp init` says on a real pseudo terminal."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kamal_pyinfra", "init"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    os.write(parent, answers)
    assert process.wait(timeout=60) == 0
    said = os.read(parent, 65536).decode()
    os.close(parent)
    return said


QUESTIONS = (
    "Servers, separated by blanks: ",
    "Name of the image [",
    "Registry, as [SERVER/]USER (empty: none is needed): ",
)


def test_a_terminal_is_asked_three_questions(tmp_path: Path) -> None:
    """The answers end up in the file; of a registry only where one was named."""
    said = typed(tmp_path, b"192.0.2.10, 192.0.2.11\nshop\n\n")
    assert [question for question in QUESTIONS if question not in said] == []
    assert NEXT.strip() in said
    assert "repository: localhost:5555/shop\n" in kp(tmp_path, "config").stdout
    assert "192.0.2.11" in (tmp_path / "config/deploy.yml").read_text()


def test_a_registry_is_one_answer(tmp_path: Path) -> None:
    said = typed(tmp_path, b"192.0.2.10\nshop\nregistry.example.com/me\n")
    assert WITH_PASSWORD.strip() in said
    assert "repository: registry.example.com/shop\n" in kp(tmp_path, "config").stdout
    assert "  username: me\n" in (tmp_path / "config/deploy.yml").read_text()


def test_an_image_with_a_server_leaves_the_user_to_be_asked(tmp_path: Path) -> None:
    said = typed(tmp_path, b"192.0.2.10\nregistry.example.com/acme/shop\n\n")
    assert "User name at registry.example.com: " in said
    assert WITH_PASSWORD.strip() in said
    assert "  username: acme\n" in (tmp_path / "config/deploy.yml").read_text()
