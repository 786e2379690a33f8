"""A host whose Docker ends while a new version boots, and is still gone when all is taken back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab

HOST = "job1"
# The host's loop starts a missing engine again at once, so that must find something that does not start.
AWAY = (
    "mv $(command -v dockerd) /usr/sbin/dockerd.aside; pkill -{} -x dockerd; while pgrep -x dockerd; do sleep 0.1; done"
)
FORGET = "docker rm -f shop-job-v2"
BACK = "! test -e /usr/sbin/dockerd.aside || mv /usr/sbin/dockerd.aside {}"


@pytest.fixture(scope="module")
def fleet(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"), readiness_delay=5)
    project.kp("setup", version="v1")
    project.kp("build", "deliver", version="v2")
    return project


@contextmanager
def without_engine(fleet: Project, signal_name: str) -> Iterator[None]:
    """As soon as the new container is on the host its engine ends, and stays away."""
    lab = fleet.lab
    place = lab.ssh(HOST, "command -v dockerd").stdout.strip()
    eventually(lambda: "shop-job-v2" in fleet.containers(HOST), seconds=60, what="the new container")
    lab.ssh(HOST, AWAY.format(signal_name), check=False)
    try:
        yield
    finally:
        lab.ssh(HOST, BACK.format(place))
        lab.wait_until_ready(HOST)


@pytest.mark.parametrize(
    ("door", "signal_name"),
    [
        (("kp", "deploy", "-P"), "KILL"),
        (("pyinfra", "-y", "inventory.py", "deploys/deploy.py", "--data", "version=v2"), "TERM"),
    ],
    ids=["kp, killed", "pyinfra, ended"],
)
def test_a_host_whose_docker_is_gone_is_named_and_the_rerun_mends_it(
    fleet: Project, door: tuple[str, ...], signal_name: str
) -> None:
    """A take-back that Docker does not answer must not be called one; the other hosts must be back on v1."""
    lab = fleet.lab
    deploy = fleet.start(*door, version="v2")
    with without_engine(fleet, signal_name):
        said, _ = deploy.communicate(timeout=120)
        assert deploy.returncode == 1, said
        name = lab.hosts[HOST]
        unknown = f"{name} could not be brought back: Docker does not answer there. What runs there is not known."
        assert unknown in said
        assert "All hosts run what they ran before" not in said
        others = [lab.hosts[host] for host in ("web1", "web2")]
        assert f"{', '.join(others)} run what they ran before." in said
        assert fleet.running(("web1", "web2")) == {host: ["shop-web-v1"] for host in ("web1", "web2")}
        assert {fleet.served(host) for host in ("web1", "web2")} == {"v1"}
    fleet.kp("deploy", "-P", version="v1")
    assert fleet.running((HOST,)) == {HOST: ["shop-job-v1"]}
    assert fleet.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    lab.ssh(HOST, FORGET, check=False)


def test_ctrl_c_says_the_same(fleet: Project) -> None:
    """A signal while the engine is gone must not end with the words that all was taken back."""
    deploy = fleet.start("kp", "deploy", "-P", version="v2")
    with without_engine(fleet, "KILL"):
        deploy.send_signal(signal.SIGINT)
        said, _ = deploy.communicate(timeout=120)
    assert deploy.returncode == 130, said
    assert f"{fleet.lab.hosts[HOST]} could not be brought back: Docker does not answer there." in said
    assert "was taken back" not in said
    fleet.kp("deploy", "-P", version="v1")
