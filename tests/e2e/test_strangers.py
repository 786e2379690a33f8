"""A host that others use as well: their proxy, their names, and who can be reached through ours."""

from __future__ import annotations

from http.client import HTTPConnection

import pytest

from tests.e2e.project import Project, eventually
from tests.lab.lab import Lab

COMPOSE = "--label com.docker.compose.project=edge"
SERVE = "python -m http.server 8000"


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The service on one host, with a worker and an accessory that listen on ports."""
    host = empty_hosts.hosts["web1"]
    search = {"image": empty_hosts.base_image, "host": host, "cmd": SERVE, "options": {"expose": 8000}}
    return Project.create(
        empty_hosts,
        tmp_path_factory.mktemp("shop"),
        servers={"web": {"hosts": [host]}, "job": {"hosts": [host], "cmd": "python app.py"}},
        accessories={"search": search},
    )


def status(project: Project, name: str, path: str = "/") -> int:
    """What the port of the proxy answers for a name; 0 if nothing does."""
    connection = HTTPConnection(project.lab.hosts["web1"], timeout=5)
    try:
        connection.request("GET", path, headers={"Host": name})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def everything(project: Project) -> str:
    """Every container of the host, when it was started, and what lies in our folder."""
    line = "docker inspect --format '{{.Name}} {{.Id}} {{.State.StartedAt}}' $(docker ps -aq) | sort; find .kamal"
    return project.lab.ssh("web1", line, check=False).stdout


def test_a_proxy_of_somebody_else_serves_on(shop: Project) -> None:
    """Whatever would change a `traefik` that neither kp nor Kamal started must be refused, and change nothing."""
    lab, rule = shop.lab, "traefik.http.routers.blog.rule=Host(`blog.example.com`)"
    lab.ssh(
        "web1",
        f"docker login -u {lab.registry.username} -p {lab.registry.password} {lab.registry.server} 2> /dev/null && "
        f"docker run -d --name traefik {COMPOSE} -p 80:80 -v /var/run/docker.sock:/var/run/docker.sock "
        f"{lab.traefik_image} --providers.docker --providers.docker.exposedbydefault=false "
        "--entrypoints.web.address=:80 && "
        f"docker run -d --name blog --label traefik.enable=true --label '{rule}' --expose 8000 "
        f"{lab.base_image} {SERVE}",
    )
    eventually(lambda: status(shop, "blog.example.com") == 200, seconds=60, what="the blog")
    before = everything(shop)
    said = f"the container traefik (image {lab.traefik_image}, project edge) was started by neither kp nor Kamal"
    for command in (["plan"], ["setup"], ["deploy"], ["traefik", "reboot", "-y"], ["traefik", "stop"]):
        assert said in shop.kp(*command, code=1).stderr, command
    assert everything(shop) == before
    assert status(shop, "blog.example.com") == 200
    lab.ssh("web1", "docker rm -f traefik blog")


def test_strangers_with_names_of_ours_are_refused(shop: Project) -> None:
    """A container that only has a name of ours must be named before anything is written, and stay as it is."""
    lab = shop.lab
    for name in ("shop-web-v1", "shop-search"):
        lab.ssh("web1", f"docker create --name {name} {lab.base_image} {SERVE}")
        before = everything(shop)
        assert f"the name {name} is taken by a container that is not ours" in shop.kp("setup", code=1).stderr
        assert everything(shop) == before
        lab.ssh("web1", f"docker rm {name}")


def test_what_does_not_ask_for_the_proxy_is_not_published(shop: Project) -> None:
    """An accessory and a worker that listen must not be reached through the proxy by their containers' names."""
    shop.kp("setup", version="v1")
    assert status(shop, "shop.example.com", "/version") == 200
    assert status(shop, "shop-search", "/version") == 200, "the app answers, not the accessory, which has no such file"
    listed = shop.lab.ssh("web1", "docker ps --filter label=traefik.enable=false --format '{{.Names}}' | sort").stdout
    assert listed == "shop-job-v1\nshop-search\n"
    assert shop.kp("plan", version="v1").stdout == "shop v1: nothing to change.\n"
