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
created   deploys/setup.py
created   deploys/deploy.py
created   deploys/redeploy.py
created   deploys/rollback.py
created   deploys/env_push.py
created   deploys/prune.py
created   deploys/traefik_reboot.py
created   .kamal/hooks/docker-setup.sample
created   .kamal/hooks/pre-connect.sample
created   .kamal/hooks/pre-build.sample
created   .kamal/hooks/pre-deploy.sample
created   .kamal/hooks/post-deploy.sample
created   .kamal/hooks/pre-traefik-reboot.sample
created   .kamal/hooks/post-traefik-reboot.sample

An app on port 3000, healthy when /up answers.
There is no Dockerfile yet; kp builds the image from one.
Nothing here seems to answer /up: let the app do so, or change `healthcheck`.
"""
NEXT = "Next: write the registry's password into .env, then run `kp setup`.\n"
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
    assert (done.returncode, done.stdout, done.stderr) == (0, CREATED + NEXT, "")
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
    assert os.access(tmp_path / ".kamal/hooks/pre-build.sample", os.X_OK)
    seen = kp(tmp_path, "config")
    assert "repository: registry.example.com/acme/shop\nprimary_host: 192.0.2.10\n" in seen.stdout
    refused = kp(tmp_path, "plan", "--version", "v1")
    assert refused.returncode == 3
    assert "KAMAL_REGISTRY_PASSWORD is not set; add it to .env or export it" in refused.stderr


def test_without_a_terminal_nothing_is_asked_and_what_is_left_to_do_is_said(tmp_path: Path) -> None:
    done = kp(tmp_path, "init")
    todo = "Put your own servers, image and registry into config/deploy.yml.\n"
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


def test_a_terminal_is_asked_three_questions(tmp_path: Path) -> None:
    """Over a real pseudo terminal: the answers end up in the file."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kamal_pyinfra", "init"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    os.write(parent, b"192.0.2.10, 192.0.2.11\nregistry.example.com/acme/shop\nme\n")
    assert process.wait(timeout=60) == 0
    said = os.read(parent, 65536).decode()
    os.close(parent)
    questions = ["Servers, separated by blanks: ", "unless that is Docker Hub [acme/", "User name at the registry: "]
    assert [question for question in questions if question not in said] == []
    assert "repository: registry.example.com/acme/shop" in kp(tmp_path, "config").stdout
    assert "192.0.2.11" in (tmp_path / "config/deploy.yml").read_text()
