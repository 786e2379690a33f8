"""What one does to hosts besides deploying: env files, registry, proxy, prune, audit, remove; beside a neighbour."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab

WEB = ("web1", "web2")
HOSTS = (*WEB, "job1")
BLOG = "blog.example"


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A service on all hosts."""
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shop"), retain_containers=5)
    project.kp("setup", version="v1")
    return project


@pytest.fixture(scope="module")
def blog(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Another service, behind the same proxy on web1."""
    labels = {"traefik.http.routers.blog-web.rule": f"Host(`{BLOG}`)", "traefik.http.routers.blog-web.priority": "10"}
    web: dict[str, Any] = {"hosts": [shop.lab.hosts["web1"]], "labels": labels}
    folder = tmp_path_factory.mktemp("blog")
    project = Project.create(shop.lab, folder, service="blog", image="blog", servers={"web": web})
    project.kp("setup", version="b1")
    return project


def status_of(url: str, *, host: str = "") -> int:
    """The status of an answer; 0 without one."""
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def listing(project: Project, host: str, command: str) -> list[str]:
    """Lines that a command prints on a host."""
    return project.lab.ssh(host, command).stdout.splitlines()


@dataclass
class Balancer:
    """Asks every server all the time, as a load balancer's health check would, and keeps when it did not answer."""

    urls: tuple[str, ...]
    down: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Balancer:
        self._threads = [threading.Thread(target=self._ask, args=(url,)) for url in self.urls]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for each in self._threads:
            each.join()

    def _ask(self, url: str) -> None:
        self.down[url] = []
        while not self._over.wait(0.02):
            asked = time.monotonic()
            if status_of(url) != 200:
                self.down[url].append((asked, time.monotonic()))

    @property
    def none_answered(self) -> list[tuple[float, float]]:
        """Failed questions to the first server that overlap with one to the second."""
        first, second = (self.down[url] for url in self.urls)
        return [a for a in first for b in second if a[0] < b[1] and b[0] < a[1]]


def test_env_push_writes_what_differs_and_delete_takes_it_away(shop: Project) -> None:
    """A changed secret must reach the files and no container; deleted files must come back with the next push."""
    files = "find .kamal/env -type f -printf '%m %P\\n' | sort"
    everywhere = ["600 roles/shop-job.env", "600 roles/shop-web.env", "600 traefik/traefik.env"]
    before = shop.inspect("web1", "shop-web-v1")["Id"]
    assert shop.kp("env", "push").stdout == "shop: nothing to change.\n"

    shop.env["TOP_SECRET"] = "new-hush-6b1f"
    pushed = shop.kp("env", "push")
    assert "~ env file  .kamal/env/roles/shop-web.env  secret TOP_SECRET changed" in pushed.stdout
    assert "new-hush-6b1f" not in pushed.stdout + pushed.stderr
    assert listing(shop, "job1", "cat .kamal/env/roles/shop-job.env") == ["TOP_SECRET=new-hush-6b1f"]
    assert shop.inspect("web1", "shop-web-v1")["Id"] == before

    shop.kp("env", "delete")
    assert [listing(shop, host, files) for host in HOSTS] == [[], [], []]
    assert {host: shop.served(host) for host in WEB} == dict.fromkeys(WEB, "v1")
    shop.kp("env", "push")
    assert listing(shop, "web2", files) == everywhere[1:]
    assert not shop.lock_exists()


def test_the_registry_is_logged_in_to_and_out_of(shop: Project) -> None:
    """Login must make the hosts' engines able to pull, logout unable; a wrong password must be one clear failure."""
    config = "cat .docker/config.json 2> /dev/null || true"
    shop.kp("registry", "logout", "-L")
    assert [shop.lab.registry.server in "".join(listing(shop, host, config)) for host in HOSTS] == [False] * 3
    shop.kp("registry", "login", "-L")
    assert [shop.lab.registry.server in "".join(listing(shop, host, config)) for host in HOSTS] == [True] * 3
    shop.kp("registry", "login", "-R")
    refused = shop.kp("registry", "login", "-R", "-c", str(wrong_password(shop)), code=1)
    assert refused.stderr.startswith("this machine: `docker login` failed with exit code 1\n")
    assert "wrong-hush" not in refused.stdout + refused.stderr
    refused = shop.kp("registry", "login", "-L", "-c", str(wrong_password(shop)), code=1)
    assert "failed (log_in: Log in to the registry)" in refused.stderr
    assert "wrong-hush" not in refused.stdout + refused.stderr


def wrong_password(project: Project) -> Path:
    path = project.folder / "config/wrong.yml"
    text = (project.folder / "config/deploy.yml").read_text()
    path.write_text(text.replace("password:\n  - KAMAL_REGISTRY_PASSWORD", "password: wrong-hush"))
    return path


def test_a_proxy_stops_and_starts(shop: Project) -> None:
    """A stopped proxy must answer nobody, a started one everybody, and details must tell which it is."""
    host = shop.lab.hosts["web1"]
    shop.kp("traefik", "stop", "-h", host)
    assert [status_of(shop.url(name)) for name in WEB] == [0, 200]
    assert "exited" in shop.kp("traefik", "details", "-p").stdout
    assert shop.kp("traefik", "stop", "-h", host).stdout == "shop: nothing to change.\n"
    shop.kp("traefik", "start")
    eventually(lambda: status_of(shop.url("web1")) == 200, what="an answer of the started proxy")
    shop.kp("traefik", "restart", "-h", host)
    eventually(lambda: status_of(shop.url("web1")) == 200, what="an answer of the restarted proxy")
    logs = shop.kp("traefik", "logs", "-n", "3", "-p").stdout.splitlines()
    assert len(logs) == 3
    assert all(line.startswith(f"{host}/traefik  ") for line in logs)
    assert shop.kp("traefik", "logs", "-g", "no such word", "-p").stdout == f"{host}  Nothing found\n"


def test_a_rolling_reboot_leaves_somebody_serving(shop: Project, blog: Project) -> None:
    """With one host at a time there must be no moment without a web host that answers; the neighbour is named."""
    assert status_of(shop.url("web1"), host=BLOG) == 200
    before = [shop.inspect(host, "traefik")["Id"] for host in WEB]
    asked = shop.kp("traefik", "reboot", "--rolling", code=3)
    assert "(also interrupts blog)" in asked.stdout
    assert "-y" in asked.stderr
    with Balancer(tuple(shop.url(host) for host in WEB)) as balancer:
        shop.kp("traefik", "reboot", "--rolling", "-y")
    assert all(shop.inspect(host, "traefik")["Id"] != old for host, old in zip(WEB, before, strict=True))
    assert balancer.none_answered == [], balancer
    assert all(balancer.down.values()), balancer
    assert status_of(shop.url("web1"), host=BLOG) == 200


def test_a_proxy_that_does_not_start_is_taken_back_and_stops_the_rolling_reboot(shop: Project) -> None:
    """A proxy with wrong arguments must fail its host with its log; the old one must serve again."""
    old = [shop.inspect(host, "traefik")["Id"] for host in WEB]
    refused = shop.kp("traefik", "reboot", "--rolling", "-y", "-c", str(broken_proxy(shop)), code=1)
    assert "traefik: does not stay up" in refused.stderr
    assert f"Not rebooted: {shop.lab.hosts['web2']}" in refused.stderr
    assert [shop.inspect(host, "traefik")["Id"] for host in WEB] == old
    assert listing(shop, "web1", "docker ps -aq --filter name=traefik_replaced") == []
    eventually(lambda: status_of(shop.url("web1")) == 200, what="an answer of the old proxy")
    assert not shop.lock_exists()


def broken_proxy(project: Project) -> Path:
    path = project.folder / "config/broken.yml"
    path.write_text(
        (project.folder / "config/deploy.yml").read_text().replace("traefik:\n", "traefik:\n  args: {no.such: x}\n")
    )
    return path


def test_prune_keeps_what_serves_and_as_many_as_asked(shop: Project, blog: Project) -> None:
    """After three versions `--retain 1` must leave the newest stopped one and its image, and nothing of blog go."""
    for version in ("v2", "v3"):
        shop.kp("deploy", version=version)
    shop.kp("prune", "images")  # what other scenarios' builds left without a tag
    everything = shop.containers("web1")
    assert shop.kp("prune", "all", "--retain", "0", code=3).stderr.startswith("--retain must be at least 1")
    assert shop.kp("prune", "all").stdout == "shop: nothing to change.\n"
    shop.kp("prune", "containers", "--retain", "1")
    assert everything.keys() - shop.containers("web1").keys() == {"shop-web-v1"}
    images = f"docker image ls {shop.lab.registry.server}/shop --format '{{{{.Tag}}}}'"
    assert {"v1", "v2", "v3", "latest"} <= set(listing(shop, "web1", images))
    shop.kp("prune", "images")
    assert {"v2", "v3", "latest"} <= set(listing(shop, "web1", images)) - {"v1"} == set(listing(shop, "web1", images))
    assert "blog-web-b1" in shop.running(["web1"])["web1"]


def test_the_scripts_do_the_same_through_pyinfra(shop: Project) -> None:
    """`env_push.py`, `prune.py` and `traefik_reboot.py` must do on pyinfra's own command line what kp does."""
    shop.env["TOP_SECRET"] = "newest-hush-0c44"
    before = [shop.inspect(host, "traefik")["Id"] for host in WEB]
    for script in ("env_push", "prune", "traefik_reboot"):
        shop.pyinfra("-y", "inventory.py", f"deploys/{script}.py")
    assert listing(shop, "job1", "cat .kamal/env/roles/shop-job.env") == ["TOP_SECRET=newest-hush-0c44"]
    assert all(shop.inspect(host, "traefik")["Id"] != old for host, old in zip(WEB, before, strict=True))
    assert [status_of(shop.url(host)) for host in WEB] == [200, 200]
    assert not shop.lock_exists()


def test_the_audit_log_tells_what_was_done_in_order(shop: Project) -> None:
    """The log must have one line for each deed, the oldest first, and `-n` the last ones."""
    host = shop.lab.hosts["web2"]
    lines = shop.kp("audit", "-n", "500", "-h", host).stdout.splitlines()
    assert all(line.startswith(f"{host}  [") for line in lines)
    deeds = iter([line.rpartition("] ")[2] for line in lines])
    told = ("Booted app version v1", "Pushed env files", "Deleted env files", "Pushed env files", "Rebooted traefik")
    told += ("Booted app version v3", "Pruned containers", "Pruned images", "Rebooted traefik")
    assert [deed for deed in told if deed not in deeds] == []
    assert shop.kp("audit", "-n", "2", "-h", host).stdout.splitlines() == lines[-2:]


def test_remove_leaves_nothing_of_ours_and_the_neighbour_serving(shop: Project, blog: Project) -> None:
    """Where blog lives the proxy must go on serving it; elsewhere the proxy goes; no secret of ours may stay."""
    assert shop.kp("traefik", "remove", "-p", code=1).stderr == (
        f"{shop.lab.hosts['web1']}: the proxy stays, blog uses it\nNothing was changed.\n"
        "More: kp docs PlanRefused  (docs/reference/troubleshooting.md#planrefused)\n"
    )
    asked = shop.kp("remove", code=3)
    assert "(the proxy stays: blog uses it)" in asked.stdout
    assert shop.running(["web2"]) == {"web2": ["shop-web-v3"]}
    shop.kp("remove", "-y", "--purge")
    assert status_of(shop.url("web1"), host=BLOG) == 200
    assert shop.containers("web1") == {"blog-web-b1": "running"}
    images = f"docker image ls -q {shop.lab.registry.server}/shop"
    for host in ("web2", "job1"):
        assert listing(shop, host, f"docker ps -aq; {images}; ls -A .kamal 2> /dev/null; true") == []
        assert shop.lab.registry.server not in "".join(listing(shop, host, "cat .docker/config.json"))
    assert listing(shop, "web1", f"{images}; find .kamal | grep shop; true") == []
    assert blog.kp("plan", version="b1").stdout == "blog b1: nothing to change.\n"
    assert shop.kp("remove", "-y").stdout.startswith("shop: nothing to change.\n")
