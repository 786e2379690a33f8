"""A process that is root in a container and plants links where the host writes, and texts that look like ours."""

from __future__ import annotations

import re
import shlex

import pytest

from kamal_pyinfra.shell.script import group, quoted
from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab

HOST = "web1"
VICTIMS = ("/etc/victim.conf", "/etc/victim.d/daily")
FORGED = f"sha256:{'ee' * 32}"
LINES = f"\nof-image {FORGED}\ncontainer {{\nimage a:b {FORGED}\nrecord {{}}\nlock x\ndocker 1.0\nend\n"


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A service on one host, whose container mounts its cord writable, as Kamal's do."""
    web = {"hosts": [empty_hosts.hosts[HOST]]}
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("project"), servers={"web": web})
    project.kp("setup", version="v1")
    for victim in VICTIMS:
        project.lab.ssh(HOST, f"mkdir -p $(dirname {victim}) && echo own > {victim}")
    return project


def inside(project: Project, container: str, script: str) -> None:
    """Run a script as root in a container."""
    project.lab.ssh(HOST, f"docker exec -u 0 {container} sh -c {shlex.quote(script)}")


def the_hosts_own(project: Project) -> str:
    """What is in and beside the files that no container may change."""
    return project.lab.ssh(HOST, "cat /etc/victim.conf; cd /etc/victim.d && ls -A && cat *").stdout


def run_as_kamal_does(project: Project, name: str, *, is_read_only: bool = True) -> None:
    """Make a container anew with its cord mounted writable."""
    found = project.lab.ssh(
        HOST, f"cat /proc/$(docker inspect -f '{{{{.State.Pid}}}}' {name})/mounts | grep kamal-cord"
    )
    assert (" ro," in found.stdout) == is_read_only
    cord = next(mount for mount in project.inspect(HOST, name)["Mounts"] if mount["Destination"] == "/tmp/kamal-cord")
    command = re.sub(r":/tmp/kamal-cord:ro\b", ":/tmp/kamal-cord", docker_run(project, name))
    project.lab.ssh(
        HOST,
        f"docker rm -f {name} > /dev/null && {group('tie_cord ' + quoted(cord['Source']))} && {command} > /dev/null",
    )
    healthy = f"docker inspect -f '{{{{.State.Health.Status}}}}' {name}"
    eventually(lambda: project.lab.ssh(HOST, healthy).stdout == "healthy\n", what=f"{name} healthy")


def docker_run(project: Project, name: str) -> str:
    """The command that starts a container as the one that is there."""
    found = project.inspect(HOST, name)
    config, host, health = found["Config"], found["HostConfig"], found["Config"]["Healthcheck"]
    words = ["docker", "run", "-d", "--restart", "unless-stopped", "--name", name, "--hostname", config["Hostname"]]
    words += [word for text in config["Env"] for word in ("-e", text)]
    words += [word for bind in host["Binds"] for word in ("-v", bind)]
    words += [word for key, value in config["Labels"].items() for word in ("--label", f"{key}={value}")]
    words += ["--health-cmd", health["Test"][1], "--health-interval", "1s", "--health-retries", "1"]
    words += ["--health-timeout", "30s", "--log-opt", "max-size=10m", config["Image"]]
    return shlex.join(words)


def test_links_of_a_container_lead_no_write_to_a_file_of_the_host(shop: Project) -> None:
    """Planted in the cord's folder and in the assets, they must leave the host's files alone and not stop a deploy."""
    run_as_kamal_does(shop, "shop-web-v1")
    assert shop.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    inside(
        shop,
        "shop-web-v1",
        "cd /tmp/kamal-cord && ln -s /etc/victim.conf standby && cd /app/public/assets && rm -rf ./* && "
        "ln -s /etc/victim.d packs && ln -s /etc/victim.d/new app-v2.css",
    )
    shop.add_to_image("RUN mkdir public/assets/packs && echo two > public/assets/packs/app-two")
    shop.kp("deploy", version="v2")
    assert the_hosts_own(shop) == "own\ndaily\nown\n"
    assert shop.served(HOST) == "v2"
    assert shop.containers(HOST)["shop-web-v1"] == "exited"


def test_what_replaced_the_cord_of_a_retained_container_is_not_written_through(shop: Project) -> None:
    """A rollback ties the cord of a container that put a dangling link in its place before it was stopped."""
    cord = next(
        mount["Source"]
        for mount in shop.inspect(HOST, "shop-web-v1")["Mounts"]
        if mount["Destination"] == "/tmp/kamal-cord"
    )
    shop.lab.ssh(HOST, f"mkdir -p {cord} && rm -f {cord}/cord && ln -s /etc/victim.d/new {cord}/cord")
    shop.kp("rollback", "v1", version="v2")
    assert the_hosts_own(shop) == "own\ndaily\nown\n"
    assert shop.served(HOST) == "v1"


def test_names_and_labels_that_look_like_lines_of_ours_change_no_plan(shop: Project) -> None:
    """A neighbour's labels, variables and command must neither be taken for ours nor keep a host from being read."""
    words = ["--label", "service=shop", "--label", f"image_id={FORGED}", "--label", f"x={LINES}", "-e", f"A={LINES}"]
    image = shlex.quote(shop.inspect(HOST, "shop-web-v1")["Config"]["Image"])
    shop.lab.ssh(HOST, f"docker create --name forger {shlex.join(words)} {image} {shlex.quote(LINES)} > /dev/null")
    try:
        assert shop.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
    finally:
        shop.lab.ssh(HOST, "docker rm -f forger > /dev/null")


def test_a_container_that_stays_healthy_without_its_cord_is_stopped_all_the_same(shop: Project) -> None:
    """One that keeps itself in traffic must not serve on beside its successor; all else is done, and the exit is 1."""
    run_as_kamal_does(shop, "shop-web-v1", is_read_only=False)
    shop.change(lambda config: config.update(drain_timeout=3))
    inside(shop, "shop-web-v1", "cd /tmp/kamal-cord && rm -f cord standby && mkdir cord")
    eventually(lambda: shop.served(HOST) == "v1", what="v1 serves")
    ended = shop.kp("deploy", version="v2", code=1)
    assert "shop-web-v1 was stopped all the same: it was in traffic until then" in ended.stderr
    stopped = f"On {shop.lab.hosts[HOST]} the old version was stopped while it was in traffic."
    assert f"v2 serves, and every host was cleaned up. {stopped}" in ended.stderr
    assert shop.running([HOST]) == {HOST: ["shop-web-v2"]}
    assert shop.served(HOST) == "v2"
    assert shop.kp("plan", version="v2").stdout == "shop v2: nothing to change.\n"
