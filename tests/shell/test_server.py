"""Docker's installation: only its decisions; that it works is for the lab's bare host."""

from __future__ import annotations

from pathlib import Path

import pytest

from kamal_pyinfra.shell.script import with_functions
from tests.shell.fake_host import Answer, FakeHost

VERSION = "version"
EMULATED = "Emulate Docker CLI using podman. Create /etc/containers/nodocker to quiet msg."

INSTALL = "install_docker"


def program(host: FakeHost, name: str, text: str = "") -> None:
    """A program that records how it was called."""
    path = host.bin / name
    path.write_text(f'#!/bin/sh\necho "{name} $*" >> "{host.state}/programs"\n{text}\n')
    path.chmod(0o755)


def programs(host: FakeHost) -> list[str]:
    path = Path(host.state / "programs")
    return path.read_text().splitlines() if path.exists() else []


def test_an_engine_that_answers_is_left_alone(host):
    host.docker(VERSION, "26")
    ran = host.run(INSTALL)
    assert (ran.code, ran.out, ran.err, ran.calls) == (0, "", "", "docker --version\ndocker version\n")


def test_a_user_who_cannot_mend_it_is_named_at_once(host):
    program(host, "id", 'case "$1" in -u) echo 1000 ;; *) echo deploy ;; esac')
    program(host, "sudo", "echo sudo: a password is required >&2; exit 1")
    host.docker(VERSION, Answer(code=1))
    ran = host.run(INSTALL)
    said = "Docker does not answer, and deploy is neither root nor may use sudo without password\n"
    assert (ran.code, ran.err, ran.seconds) == (1, said, 0)
    assert "usermod" not in "".join(programs(host))


def test_without_docker_the_same_user_is_told_that_it_is_missing(host):
    program(host, "id", 'case "$1" in -u) echo 1000 ;; *) echo deploy ;; esac')
    program(host, "sudo", "exit 1")
    ran = host.run(f"docker() {{ return 127; }}; command() {{ return 1; }}\n{INSTALL}")
    assert (ran.code, ran.err) == (
        1,
        "Docker is missing, and deploy is neither root nor may use sudo without password\n",
    )


def test_a_user_who_may_not_use_docker_is_put_into_its_group(host):
    program(host, "id", 'case "$1" in -u) echo 1000 ;; *) echo deploy ;; esac')
    program(host, "sudo", 'shift; "$@"')
    program(host, "usermod")
    host.docker(VERSION, Answer(code=1), "26", "26", Answer(code=1))
    ran = host.run(INSTALL)
    assert ran.code == 0
    assert "usermod -aG docker deploy" in programs(host)


def test_an_engine_that_never_answers_is_an_error_after_half_a_minute(host):
    program(host, "id", "echo 0")
    program(host, "systemctl")
    program(host, "service")
    host.docker(VERSION, Answer(err="Cannot connect to the Docker daemon\n", code=1))
    ran = host.run(INSTALL)
    assert (ran.code, ran.err) == (1, "Docker does not answer\nCannot connect to the Docker daemon\n")
    assert ran.seconds == 59 * 0.5


def test_podman_is_not_replaced_but_named(host):
    host.docker("--version", Answer(out="podman version 5.4.2", err=EMULATED))
    ran = host.run(INSTALL)
    said = "podman stands in for docker; kp needs Docker: remove podman-docker, then run the same command again\n"
    assert (ran.code, ran.out, ran.err, ran.calls) == (1, "", said, "docker --version\n")


@pytest.mark.parametrize(
    ("system", "calls"),
    [
        ("rhel", ["rhel", "docker-ce docker-ce-cli containerd.io"]),
        ("fedora", ["fedora", "docker-ce docker-ce-cli containerd.io"]),
        ("rocky", ["centos", "docker-ce docker-ce-cli containerd.io"]),
        ('"almalinux"', ["centos", "docker-ce docker-ce-cli containerd.io"]),
        ("amzn", ["", "docker"]),
    ],
)
def test_on_rhel_and_its_kin_docker_comes_from_its_own_repository(host, tmp_path, system, calls):
    """The package `docker` is podman's there."""
    (tmp_path / "os-release").write_text(f"NAME=x\nID={system}\n")
    program(host, "id", "echo 0")
    program(host, "curl")
    program(host, "dnf", f'touch "{host.bin}/installed"')
    there = f'[ -e "{host.bin}/installed" ]'
    programs_there = (
        f'docker() {{ {there}; }}; command() {{ case "$2" in docker) {there} ;; apt-get) false ;; *) : ;; esac; }}'
    )
    script = with_functions(INSTALL).replace("/etc/os-release", str(tmp_path / "os-release"))
    ran = host.run(f"{programs_there}\n{script}")
    assert (ran.code, ran.err) == (0, "")
    repository, packages = calls
    wanted = [f"dnf install -y -q {packages}"]
    if repository:
        url = f"https://download.docker.com/linux/{repository}/docker-ce.repo"
        wanted.insert(0, f"curl -fsSL -o /etc/yum.repos.d/docker-ce.repo {url}")
    assert [line for line in programs(host) if line.startswith(("curl", "dnf"))] == wanted
