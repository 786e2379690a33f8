"""Deploys without a registry: one of kp's own on this machine, lent to hosts through SSH while they pull."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import pytest

from tests.e2e.project import Project, eventually
from tests.lab import images
from tests.lab.lab import Lab
from tests.lab.traffic import Load

WEB = ("web1", "web2")
ALL = (*WEB, "job1")


@pytest.fixture(scope="module")
def port() -> int:
    """A port that is free here; the hosts have networks of their own."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Project]:
    lab = empty_hosts
    registry = {"server": f"localhost:{port}", "image": images.wanted()["registry"]}
    project = Project.create(lab, tmp_path_factory.mktemp("project"), registry=registry)
    for host in WEB:  # the proxy's image comes from the lab's registry, as it would from Docker Hub
        account = lab.registry
        log_in = f"docker login -u {account.username} --password-stdin {account.server}"
        pull = f"docker pull -q {lab.traefik_image} && docker logout {account.server}"
        lab.ssh(host, f"{log_in} && {pull}", input=account.password)
    yield project
    for host in ALL:  # nobody else has an image of this registry, and other files' tests look that none is left
        lab.reset(host, images=False)
        lab.ssh(host, f"docker image ls -q localhost:{port}/shop | sort -u | xargs -r docker image rm -f")
    lab.docker("rm", "--force", "--volumes", f"kp-registry-{port}", check=False)
    lab.docker("volume", "rm", f"kp-registry-{port}", check=False)


def listeners(project: Project, host: str, port: int) -> str:
    return project.lab.ssh(host, f"ss -Hltn sport = :{port}").stdout


def blobs_sent(project: Project, port: int) -> int:
    """How many layers and configurations the registry has given away."""
    said = project.lab.docker("logs", f"kp-registry-{port}")
    lines = (said.stdout + said.stderr).splitlines()
    return sum('"GET ' in line and "/blobs/" in line for line in lines)


def everywhere(version: str) -> dict[str, list[str]]:
    return {"web1": [f"shop-web-{version}"], "web2": [f"shop-web-{version}"], "job1": [f"shop-job-{version}"]}


def test_one_host_needs_no_account_anywhere(shop: Project, port: int) -> None:
    """A single server must be set up from this machine alone, and nothing be left listening anywhere but here."""
    servers = shop.config["servers"]
    shop.change(lambda config: config.update(servers={"web": {"hosts": servers["web"]["hosts"][:1]}}))
    shop.kp("setup", version="v1")
    assert shop.served("web1") == "v1"
    assert listeners(shop, "web1", port) == ""
    published = shop.lab.docker("port", f"kp-registry-{port}").stdout
    assert published == f"5000/tcp -> 127.0.0.1:{port}\n"
    assert shop.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    shop.change(lambda config: config.update(servers=servers))


def test_three_hosts_pull_side_by_side_only_what_is_missing(shop: Project, port: int) -> None:
    """While they pull, the registry must be on their loopback alone; a new version must bring its own layers only."""
    shop.kp("setup", version="v1")
    with (shop.folder / "app.py").open("a") as app:
        app.write(f"# {uuid4()}\n")  # the hosts keep the images of other files' tests, and pull nothing that they have
    watch = f"for try in $(seq 600); do ss -Hltn sport = :{port}; [ ! -e /tmp/over ] || break; sleep 0.02; done"
    before = blobs_sent(shop, port)
    watching = [
        subprocess.Popen([*shop.lab.ssh_argv(host), f"rm -f /tmp/over; {watch}"], stdout=subprocess.PIPE, text=True)
        for host in ALL
    ]
    with Load(tuple(shop.url(host) for host in WEB), rate=100) as load:
        shop.kp("deploy", version="v2")
    assert load.report.failed == 0, load.report.as_json()
    assert shop.running(ALL) == everywhere("v2")
    for host, process in zip(ALL, watching, strict=True):
        shop.lab.ssh(host, "touch /tmp/over")
        seen = {line.split()[3] for line in process.communicate(timeout=30)[0].splitlines()}
        assert seen
        assert seen <= {f"127.0.0.1:{port}", f"[::1]:{port}"}
        assert listeners(shop, host, port) == ""
    layers = int(
        shop.lab.docker("image", "inspect", "-f", "{{len .RootFS.Layers}}", f"localhost:{port}/shop:v2").stdout
    )
    digest = shop.lab.docker("image", "inspect", "-f", "{{json .RepoDigests}}", f"localhost:{port}/shop:v2").stdout
    for host in ALL:  # by the digest, so that another answer on the host's loopback would not have been taken
        look = f"docker image inspect -f '{{{{json .RepoDigests}}}}' localhost:{port}/shop:v2"
        assert shop.lab.ssh(host, look).stdout == digest
    sent = blobs_sent(shop, port) - before
    assert 0 < sent < 3 * layers, (sent, layers)


def test_a_pull_that_fails_leaves_nothing_listening(shop: Project, port: int) -> None:
    """Where a host's `docker pull` fails the deploy ends, the port is given back, and the old version serves."""
    before = shop.running(ALL)
    pull = 'if [ "$1" = pull ]; then sleep 1; echo "no space left on device" >&2; exit 1; fi; exec /usr/bin/docker "$@"'
    shop.lab.ssh("web2", "cat > /usr/local/bin/docker && chmod 755 /usr/local/bin/docker", input=f"#!/bin/sh\n{pull}\n")
    try:
        with (shop.folder / "app.py").open("a") as app:
            app.write(f"# {uuid4()}\n")
        failed = shop.kp("deploy", version="v2a", code=1)
        assert listeners(shop, "web2", port) == ""
    finally:
        shop.lab.ssh("web2", "rm /usr/local/bin/docker")
    assert "no space left on device" in failed.stdout + failed.stderr
    assert shop.running(ALL) == before


def test_a_pull_that_is_killed_leaves_nothing_open_and_the_rerun_goes_on(shop: Project, port: int) -> None:
    """SIGKILL while layers travel: the old version serves on, nothing listens any more, the same command cures it."""
    before = shop.running(ALL)
    with (shop.folder / "Dockerfile").open("a") as dockerfile:
        dockerfile.write("RUN head -c 150000000 /dev/urandom > /ballast\n")
    with Load(tuple(shop.url(host) for host in WEB), rate=50) as load:
        process = shop.start("kp", "deploy", version="v2b")
        pulling = f"ss -Htn state established '( dport = :{port} )'"
        eventually(lambda: shop.lab.ssh("web2", pulling).stdout != "", seconds=90, what="a pull")
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        for host in ALL:
            eventually(lambda host=host: listeners(shop, host, port) == "", what="the end of the listener")  # type: ignore[misc]
        assert shop.running(ALL) == before
        shop.kp("deploy", version="v2b")
    assert load.report.failed == 0, load.report.as_json()
    assert shop.running(ALL) == everywhere("v2b")
    assert [listeners(shop, host, port) for host in ALL] == [""] * 3
    assert not shop.lock_exists()
    assert shop.kp("plan", version="v2b").stdout == "shop v2b: nothing to change.\n"


def test_where_sshd_lends_nothing_the_image_is_sent(shop: Project, port: int) -> None:
    """A host that forbids forwarding, and a machine without a registry, must get the image as a stream, and say so."""
    forbid = "echo 'AllowTcpForwarding no' > /etc/ssh/sshd_config.d/0-forward.conf; pkill -HUP -o -x sshd"
    shop.lab.exec("web2", forbid)
    try:
        said = shop.kp("deploy", version="v3").stdout
    finally:
        shop.lab.exec("web2", "rm /etc/ssh/sshd_config.d/0-forward.conf; pkill -HUP -o -x sshd")
    assert shop.running(ALL) == everywhere("v3")
    image = f"localhost:{port}/shop:v3"
    assert f"{shop.lab.hosts['web2']}: {image} was sent as a whole, without a registry" in said
    assert said.count("was sent as a whole") == 1
    assert "is gone; what was pushed stays" in shop.kp("registry", "logout").stdout
    assert shop.lab.docker("ps", "-q", "--filter", "label=kp.registry").stdout == ""
    shop.change(lambda config: config["registry"].update(image="kp-no-such-registry"))
    said = shop.kp("deploy", version="v4").stdout
    assert shop.running(ALL) == everywhere("v4")
    assert "The built-in registry (kp-no-such-registry) cannot start" in said
    assert said.count("was sent as a whole") == 3
