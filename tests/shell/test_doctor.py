"""The doctor's look at a host, by real shells on a host that is a folder."""

from __future__ import annotations

import re
import shutil

import pytest

from kamal_pyinfra.facts.snapshot import SnapshotError, parse_findings
from kamal_pyinfra.plan.state.observed import Disk, Docker, Findings
from kamal_pyinfra.shell.host import doctor_script
from tests.shell.fake_host import Answer, FakeHost, template

VERSION = f"version --format {template('version_of_engine')}"
PORTS = "ps --format container {{.Names}} {{.Ports}}"
ROOT = "info --format {{.DockerRootDir}}"
CURL = '#!/bin/sh\nfor url; do :; done\ncase "$url" in {answers} *) printf 000; exit 7 ;; esac\n'


def curl(host: FakeHost, **answers: str) -> None:
    cases = " ".join(f"{scheme}:*) printf {code} ;;" for scheme, code in answers.items())
    (host.bin / "curl").write_text(CURL.replace("{answers}", cases))
    (host.bin / "curl").chmod(0o755)


@pytest.fixture
def fit(host: FakeHost) -> FakeHost:
    """A host with an engine and a registry in reach."""
    host.docker(VERSION, "26.1.5")
    host.docker(PORTS, "container traefik 0.0.0.0:80->80/tcp, [::]:80->80/tcp, 0.0.0.0:8000-8001->8000-8001/tcp\n")
    host.docker(ROOT, str(host.home))
    curl(host, https="401")
    return host


def look(host: FakeHost, run_directory: str = ".kamal") -> Findings:
    ran = host.run(doctor_script(registry="registry.example.com", run_directory=run_directory))
    assert (ran.code, ran.err) == (0, "")
    return parse_findings(ran.out.splitlines())


def test_everything_is_seen(fit: FakeHost) -> None:
    found = look(fit)
    assert (found.docker, found.clock, found.registry) == (Docker(installed=True, version="26.1.5"), 1000, "https 401")
    assert found.published == {80: "traefik", 8000: "traefik", 8001: "traefik"}
    assert {disk.path for disk in found.disks} == {str(fit.home)}
    assert found.disks[0].size >= found.disks[0].available > 0
    assert found.cpus >= 1
    assert found.memory > 1024**2
    assert found.user
    assert found.is_writable


def test_a_look_changes_nothing(fit: FakeHost) -> None:
    look(fit, "deep/down/.kamal")
    assert list(fit.home.iterdir()) == []


@pytest.mark.parametrize(
    ("answers", "said"), [({"http": "200"}, "http 200"), ({}, "failed"), ({"https": "503"}, "https 503")]
)
def test_the_registry_is_asked_with_tls_first(fit: FakeHost, answers: dict[str, str], said: str) -> None:
    curl(fit, **answers)
    assert look(fit).registry == said


def test_an_engine_that_does_not_answer_is_what_it_says_and_the_rest_is_seen(fit: FakeHost) -> None:
    fit.docker(VERSION, Answer(err="permission denied\nwhile trying", code=1))
    found = look(fit)
    assert found.docker == Docker(installed=True, error="permission denied while trying")
    assert (found.registry, found.published) == ("https 401", {})


def test_hosts_without_docker_and_without_curl(fit: FakeHost) -> None:
    programs = "sh sed awk cat tr id df dirname nproc grep timeout"
    for name in programs.split():
        (fit.bin / name).unlink(missing_ok=True)
        (fit.bin / name).symlink_to(shutil.which(name) or name)
    script = doctor_script(registry="registry.example.com", run_directory=".kamal")
    ran = fit.run(f"/bin/rm {fit.bin}/docker {fit.bin}/curl; PATH={fit.bin}; {script}")
    assert (ran.code, ran.err) == (0, "")
    found = parse_findings(ran.out.splitlines())
    assert (found.docker, found.registry) == (Docker(installed=False), "")


def test_a_folder_in_a_file_cannot_be_written_to(fit: FakeHost) -> None:
    (fit.home / "file").touch()
    assert not look(fit, "file/.kamal").is_writable


def test_hard_names_are_only_names(fit: FakeHost) -> None:
    odd = "o'dd $(touch hacked) `x`"
    ran = fit.run(doctor_script(registry=f"{odd}:1", run_directory=odd))
    assert (ran.code, ran.err) == (0, "")
    assert list(fit.home.iterdir()) == []


def test_lines_become_values() -> None:
    lines = """\
clock 1700000000
user deploy
cpus 4
memory 8000
disk 1000 100 /
disk 1000 100 /
disk 2000 200 /var/lib/docker
listening 0050
listening 01BB
program 80 nginx: worker
docker 20.10.5
container db 127.0.0.1:5432->5432/tcp
container udp 0.0.0.0:53->53/udp
container plain
registry tcp
end"""
    assert parse_findings(lines.splitlines()) == Findings(
        user="deploy",
        docker=Docker(installed=True, version="20.10.5"),
        clock=1700000000,
        cpus=4,
        memory=8000 * 1024,
        disks=(
            Disk(path="/", size=1000 * 1024, available=100 * 1024),
            Disk(path="/var/lib/docker", size=2000 * 1024, available=200 * 1024),
        ),
        is_writable=False,
        listening=frozenset({80, 443}),
        programs={80: "nginx: worker"},
        published={5432: "db"},
        registry="tcp",
    )


@pytest.mark.parametrize(("lines", "problem"), [(["user x"], "cut short"), (["cpus many", "end"], "cannot be read")])
def test_a_look_that_is_no_look_is_an_error(lines: list[str], problem: str) -> None:
    with pytest.raises(SnapshotError, match=re.escape(problem)):
        parse_findings(lines)
