"""Labels of the proxy change under load: a changed router, service or middleware must lose no request."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from kamal_pyinfra.config import load_config
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.shell import app
from kamal_pyinfra.shell.script import chain, group
from tests.conftest import a_run
from tests.e2e.project import Project
from tests.lab.images import build_traefik
from tests.lab.lab import Lab
from tests.lab.traffic import Load
from tests.shell.builders import counted_by_docker

ROUTER = "traefik.http.routers.shop-web"
SECURE = "traefik.http.routers.shop-secure"
SERVICE = "traefik.http.services.shop-web.loadbalancer"
HEADERS = "traefik.http.middlewares.shop-headers.headers.customresponseheaders.X-Shop"
PROXY = {
    "options": {"publish": ["443:443"]},
    "args": {
        "entrypoints.http.address": ":80",
        "entrypoints.websecure.address": ":443",
        "entrypoints.websecure.http.tls": True,
    },
}
START = {
    f"{ROUTER}.entrypoints": "http",
    f"{SECURE}.rule": "PathPrefix(`/`)",
    f"{SECURE}.entrypoints": "websecure",
    f"{SECURE}.service": "shop-web",
}
CHANGES = {
    "a rule": {f"{ROUTER}.rule": "PathPrefix(`/version`) || PathPrefix(`/up`)"},
    "a priority": {f"{ROUTER}.priority": "7"},
    "TLS": {f"{SECURE}.tls": "true"},
    "entry points": {f"{ROUTER}.entrypoints": "http,websecure"},
    "a list of middlewares": {HEADERS: "1", f"{ROUTER}.middlewares": "shop-web-retry,shop-headers@docker"},
    "a middleware": {HEADERS: "2", f"{ROUTER}.middlewares": "shop-web-retry,shop-headers@docker"},
    "a sticky service": {f"{SERVICE}.sticky.cookie": "true"},
    "a service's port": {f"{SERVICE}.server.port": "3000"},
    "a service's check": {f"{SERVICE}.healthcheck.path": "/up"},
    "everything back": {},
}
"""Each beside what the labels were at the start: so each takes back the one before it, too."""
OF_EACH_KIND = ("a rule", "TLS", "a list of middlewares", "a sticky service", "a service's port", "everything back")
"""A router, its TLS, a middleware, a service; an even number, since every second change has the usual names."""

OTHER_VERSIONS = ("3.0.4",)
OTHER_IMAGES = tuple(filter(None, os.environ.get("KP_LAB_TRAEFIK_IMAGES", "").split(",")))
"""More proxies for the same test, such as an image of Traefik 2.11, of which no package exists."""


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One host behind a proxy with two entry points, and two versions whose images are there."""
    web = {"hosts": [empty_hosts.hosts["web1"]], "labels": START}
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shop"), servers={"web": web})
    project.change(lambda config: config["traefik"].update(PROXY))
    project.kp("setup", version="v1")
    project.kp("deploy", version="v2")
    return project


@pytest.fixture(params=(*OTHER_VERSIONS, *OTHER_IMAGES))
def other_proxy(shop: Project, request: pytest.FixtureRequest) -> Iterator[Project]:
    """The same behind another version of the proxy."""
    image = request.param if "/" in request.param or ":" in request.param else built(shop.lab, request.param)
    before = shop.config["traefik"]["image"]
    saved = subprocess.run(["docker", "save", image], env=shop.lab.docker.env, check=True, capture_output=True).stdout
    subprocess.run([*shop.lab.ssh_argv("web1"), "docker load -q"], input=saved, check=True, capture_output=True)
    shop.change(lambda config: config["traefik"].update(image=image))
    yield shop
    shop.change(lambda config: config["traefik"].update(image=before))


def built(lab: Lab, version: str) -> str:
    """An image with a version from PyPI; made once."""
    tag = f"kp-lab-traefik:{version}"
    if not lab.docker.has_image(tag):
        build_traefik(lab.docker, tag, version)
    return tag


def labels(project: Project, container: str) -> dict[str, Any]:
    found: dict[str, Any] = project.inspect("web1", container)["Config"]["Labels"]
    return found


def serving(project: Project) -> str:
    """The one container that runs."""
    (name,) = project.running(["web1"])["web1"]
    return name


def deploy(project: Project, wanted: dict[str, str]) -> None:
    """Deploy the version that does not serve, with labels beside those of the start."""
    project.change(lambda config: config["servers"]["web"].update(labels=START | wanted))
    version = "v1" if serving(project).endswith("v2") else "v2"
    done = project.kp("deploy", "--skip-push", version=version)
    assert "interrupts traffic" not in done.stdout


@pytest.mark.parametrize("names", [OF_EACH_KIND, tuple(CHANGES)], ids=["one of each kind", "all"])
def test_no_kind_of_label_loses_a_request_when_it_changes(shop: Project, names: tuple[str, ...]) -> None:
    """Rule, priority, TLS, entry points, middlewares, service: kept-alive and new connections must all be answered."""
    urls = (shop.url("web1"), shop.url("web1").replace("http:", "https:"))
    lost = {}
    for name in names:
        with Load(urls, seconds=120, rate=200) as load:
            deploy(shop, CHANGES[name])
        assert load.report.total > 200
        lost[name] = load.report.failures
    assert lost == dict.fromkeys(names, ())
    version = serving(shop).removeprefix("shop-web-")
    assert shop.kp("plan", version=version).stdout == f"shop {version}: nothing to change.\n"


def test_a_deploy_without_a_change_goes_back_to_the_usual_names(shop: Project) -> None:
    """The other name must be gone with the next version, so that Kamal finds the router that it knows."""
    with Load((shop.url("web1"),), seconds=120) as load:
        deploy(shop, CHANGES["a priority"])
        renamed = labels(shop, serving(shop))
        deploy(shop, CHANGES["a priority"])
    assert load.report.failures == ()
    suffix = renamed["kp.suffix"]
    assert renamed[f"{ROUTER}-{suffix}.priority"] == "7"
    assert f"{ROUTER}.priority" not in renamed
    usual = labels(shop, serving(shop))
    assert (usual[f"{ROUTER}.priority"], usual.get("kp.suffix")) == ("7", None)


OURS = r"(?:kp\.[a-z]+|traefik\.http\.[a-z]+\.kp-gate-[^=]*|traefik\.http\.routers\.shop-web\.service)="
NOT_KAMALS = re.compile(f" --label (?:'{OURS}[^']*'|{OURS}[^ ]*)")
MOUNTS = '{{ range .Mounts }}{{printf "%s %s\\n" .Source .Destination}}{{ end }}'
CORD = f"docker inspect -f '{MOUNTS}' OLD | awk '$2 == \"/tmp/kamal-cord\" {{print $1}}'"
STATE = "docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}' "
KAMAL = """until [ "$({state}{new})" = healthy ]; do sleep 0.2; done; sleep 2
rm -r "$({cord})"
until [ "$({state}{old})" = unhealthy ]; do sleep 0.2; done; sleep 2
docker stop {old} > /dev/null
docker tag {image}:{version} {image}:latest
"""
"""What Kamal 1.9 does on a host to switch; it sleeps 5 s each time."""


def kamal_deploys(project: Project, version: str) -> None:
    """Switch by Kamal's own lines, to a container as Kamal runs it."""
    config = load_config(project.folder / "config/deploy.yml", environ=project.environment(version))
    (new,) = desired_host(a_run(config, version, run_id="b" * 32), project.lab.hosts["web1"]).containers
    run = app.run(counted_by_docker(new)).replace(":/tmp/kamal-cord:ro ", ":/tmp/kamal-cord ")
    old, image = serving(project), new.image.removesuffix(f":{version}")
    switch = KAMAL.format(
        state=STATE, new=new.name, old=old, cord=CORD.replace("OLD", old), image=image, version=version
    )
    start = chain(
        group(f"tie_cord {new.cord}"), f"docker rm -f {new.name} > /dev/null 2>&1 || true", NOT_KAMALS.sub("", run)
    )
    project.lab.ssh("web1", f"{start}\n{switch}", timeout=90)


def test_kamal_takes_over_beside_another_name_and_kp_after_it(shop: Project) -> None:
    """Whatever kp's router is called, Kamal's must stand beside it; kp then finds nothing to change, and goes on."""
    shop.change(lambda config: config.pop("asset_path"))
    with Load((shop.url("web1"),), seconds=180) as load:
        deploy(shop, {f"{ROUTER}.priority": "9"})
        assert "kp.suffix" in labels(shop, serving(shop))
        version = "v1" if serving(shop).endswith("v2") else "v2"
        kamal_deploys(shop, version)
        assert shop.served("web1") == version
        assert not [name for name in labels(shop, serving(shop)) if name == "kp.digest" or "kp-gate" in name]
        plan = shop.kp("plan", version=version).stdout
        deploy(shop, CHANGES["a rule"])
    assert load.report.failures == ()
    assert plan == f"shop {version}: nothing to change.\n"


def test_a_rollback_to_a_container_with_the_old_router_loses_no_request(shop: Project) -> None:
    """A retained container has the labels of its time; where they clash, a new one must take its place."""
    shop.change(lambda config: config["servers"]["web"].update(labels=START))
    shop.kp("deploy", "--skip-push", version="v2")
    shop.kp("deploy", "--skip-push", version="v1")
    before = shop.inspect("web1", "shop-web-v1")["Id"]
    shop.change(lambda config: config["servers"]["web"].update(labels=START | CHANGES["a rule"]))
    with Load((shop.url("web1"),), seconds=120) as load:
        shop.kp("deploy", "--skip-push", version="v2")
        shop.kp("deploy", version="v3")
        shop.change(lambda config: config["servers"]["web"].update(labels=START))
        shop.kp("rollback", "v1", version="v3")
    assert load.report.failures == ()
    assert shop.served("web1") == "v1"
    assert shop.inspect("web1", "shop-web-v1")["Id"] != before


def test_other_versions_of_the_proxy_keep_every_request_too(other_proxy: Project) -> None:
    """The oldest Traefik 3 must take up a changed rule, middleware and service as the newest does."""
    other_proxy.kp("traefik", "reboot", "-y")
    for name in ("a rule", "a middleware", "a sticky service"):
        with Load((other_proxy.url("web1"),), seconds=120) as load:
            deploy(other_proxy, CHANGES[name])
        assert load.report.failures == (), name
