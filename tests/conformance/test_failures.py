"""How every command fails: the configuration, Docker on this machine, or a host is not usable."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import COMMANDS, ROOT

DEPLOY = """
service: shop
image: shop
servers: {web: [127.0.0.1], job: [127.0.0.1]}
registry: {username: u, password: [PW]}
accessories: {db: {image: postgres, host: 127.0.0.1}}
ssh: {connect_timeout: 2, known_hosts: known, port: %d}
"""
ON_HOSTS = """
setup -P
deploy -P
redeploy -P
rollback v0
plan
status
history
app boot
app start
app stop
app stale_containers --stop
app exec true
app remove
app remove_container v0
app remove_containers
app remove_images
app version
app details
app containers
app images
app logs
accessory boot db
accessory reboot db
accessory upload db
accessory directories db
accessory start db
accessory stop db
accessory restart db
accessory exec db true
accessory details db
accessory logs db
accessory remove db -y
build pull
details
lock status
lock acquire -m why
lock release
env push
env delete
prune all
prune containers
prune images
prune accessories -y
traefik boot
traefik start
traefik stop
traefik restart
traefik remove
traefik reboot -y
traefik details
traefik logs
audit
registry login -L
registry logout -L
remove -y
server bootstrap
server exec true
exec true
logs
envify
""".strip().splitlines()
HERE = """
build push
build deliver
build create
build remove
build details
registry login -R
registry logout -R
""".strip().splitlines()
OTHERWISE = {"kp config", "kp doctor", "kp apply", "kp open", "kp shell", "kp timeline"}
"""Asks no host, tells of a host in its table, reads a plan first, needs a terminal first."""
TOOLS = ("ps", "git", "sh", "uname")

Ended = dict[str, tuple[int, str]]


def run(folder: Path, lines: list[str], **env: str) -> Ended:
    """How commands end in a folder, on a machine with git and without docker."""
    (folder / "bin").mkdir()
    for tool in TOOLS:
        (folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.every_command", json.dumps(lines)],
        check=True,
        cwd=folder,
        env={"PATH": str(folder / "bin"), "HOME": str(folder), "PYTHONPATH": str(ROOT), "VERSION": "v1", **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
    )
    ended: Ended = json.loads(done.stdout.splitlines()[-1])
    return ended


@pytest.fixture(scope="module")
def unreachable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ended]:
    """All commands, with a host on which nobody listens at the port of SSH."""
    folder = tmp_path_factory.mktemp("unreachable")
    (folder / "config").mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / ".env.erb").write_text("A=1\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        (folder / "config/deploy.yml").write_text(DEPLOY % taken.getsockname()[1])
        yield run(folder, [*ON_HOSTS, *HERE], PW="hush-registry")


@pytest.fixture(scope="module")
def misconfigured(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """All commands, with a typing error in the configuration."""
    folder = tmp_path_factory.mktemp("misconfigured")
    (folder / "config").mkdir()
    (folder / "config/deploy.yml").write_text((DEPLOY % 22).replace("servers", "serveers"))
    (folder / ".env.erb").write_text("A=1\n")
    return run(folder, [*ON_HOSTS, *HERE, "config", "doctor", "shell"], PW="hush-registry")


@pytest.mark.parametrize("line", ON_HOSTS)
def test_a_host_that_cannot_be_reached_fails_the_command_and_is_named(unreachable: Ended, line: str) -> None:
    code, said = unreachable[line]
    assert code == 1
    assert "127.0.0.1 failed (connect)" in said
    assert "Nothing was changed.\nRun the same command again once the cause is mended." in said
    assert "hush-registry" not in said


@pytest.mark.parametrize("line", HERE)
def test_without_docker_here_the_command_fails_and_names_the_way_out(unreachable: Ended, line: str) -> None:
    code, said = unreachable[line]
    assert code == 1
    assert said.splitlines()[-1] in (
        "Docker is not installed on this machine: install it, or build elsewhere and use --skip-push",
        "Docker is not installed on this machine; --skip-local leaves it out",
    )


@pytest.mark.parametrize("line", [*ON_HOSTS, *HERE, "config", "doctor", "shell"])
def test_a_configuration_that_cannot_be_used_stops_the_command(misconfigured: Ended, line: str) -> None:
    code, said = misconfigured[line]
    assert code == 1  # main() makes it 3, as tests/cli/test_main.py shows
    assert "config/deploy.yml:4:1 unknown key: serveers (did you mean `servers`?)" in said


def test_no_command_is_forgotten() -> None:
    tested = {f"kp {line}" for line in [*ON_HOSTS, *HERE]}
    asking = {path for path, command in COMMANDS.items() if "config_file" in {each.name for each in command.params}}
    assert {path for path in asking if not any(f"{line} ".startswith(f"{path} ") for line in tested)} == OTHERWISE
