"""Two services, and two destinations of one of them, on the same hosts behind one Traefik."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.project import Project
from tests.lab.lab import Lab

WEB = ("web1", "web2")
EU = ("-d", "eu")


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A service that takes every request, and whose destination `eu` says nothing yet of its rule."""
    web = {"hosts": [empty_hosts.hosts[host] for host in WEB]}
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shop"), servers={"web": web})
    (project.folder / "config/deploy.eu.yml").write_text("{}\n")
    project.kp("setup", version="v1")
    return project


@pytest.fixture(scope="module")
def blog(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Another service on the same hosts, not deployed yet."""
    web = shop.config["servers"]["web"] | {"labels": rule("blog-web", "blog")}
    return Project.create(shop.lab, tmp_path_factory.mktemp("blog"), service="blog", image="blog", servers={"web": web})


def rule(router: str, name: str) -> dict[str, Any]:
    """Labels that route the requests with `?s=NAME`."""
    return {
        f"traefik.http.routers.{router}.rule": f"Query(`s`, `{name}`)",
        f"traefik.http.routers.{router}.priority": "10",
    }


def everything(project: Project) -> list[str]:
    """Every container of every host, and when it was started."""
    line = "docker inspect --format '{{.Name}} {{.Id}} {{.State.StartedAt}}' $(docker ps -aq) | sort"
    return [project.lab.ssh(host, line).stdout for host in WEB]


def test_a_rule_that_is_taken_is_refused_in_the_plan(shop: Project) -> None:
    """A destination with the rule of another one must be refused on every host, and nothing may change."""
    before = everything(shop)
    for command in ("plan", "deploy"):
        refused = shop.kp(command, *EU, version="e1", code=1)
        for host in WEB:
            assert (
                f"{shop.lab.hosts[host]}: shop (shop-web-v1) already serves the rule PathPrefix(`/`) with priority 2, "
                "which role web asks for too; give it another one with the label "
                "traefik.http.routers.shop-web-eu.rule" in refused.stderr
            )
    assert everything(shop) == before


def test_a_contradicting_proxy_section_is_refused(shop: Project, blog: Project) -> None:
    """A service must not change the proxy that another one was started with."""
    before, traefik = everything(shop), blog.config["traefik"]
    blog.change(lambda config: config.update(traefik=traefik | {"args": {"log.level": "INFO"}}))
    for command in ("plan", "deploy"):
        refused = blog.kp(command, version="b1", code=1)
        assert f"{shop.lab.hosts['web1']}: `traefik:` contradicts the running proxy of shop" in refused.stderr
    assert everything(shop) == before
    blog.change(lambda config: config.update(traefik=traefik))
