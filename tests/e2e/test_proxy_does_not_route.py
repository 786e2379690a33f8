"""The proxy does not route to the new version, for many reasons: the gate fails, and the old version serves on."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.project import Project, eventually
from tests.e2e.test_changed_router import built
from tests.lab.lab import Lab
from tests.lab.traffic import Load

ROUTER = "traefik.http.routers.shop-web"
SERVICE = "traefik.http.services.shop-web.loadbalancer"
SERVICE_FIELD = "loadbalancer.server"
SHOWN = {"traefik.enable": "true", "tier": "web"}
PROXY = {"providers.docker.exposedbydefault": False, "providers.docker.constraints": "Label(`tier`,`web`)"}
REFUSED = "the proxy does not take its router"
NOT_ROUTED = "the proxy does not route to it (the answer is 404)"

LABELS: dict[str, tuple[dict[str, str | None], str, str]] = {
    "a rule that does not parse": ({f"{ROUTER}.rule": "PathRegexp(`(`)"}, REFUSED, "error parsing regexp"),
    "a middleware that is not there": ({f"{ROUTER}.middlewares": "nope@docker"}, REFUSED, "nope@docker"),
    "a service that is not there": ({f"{ROUTER}.service": "nope"}, REFUSED, "nope@docker"),
    "an entry point that is not there": ({f"{ROUTER}.entrypoints": "nope"}, REFUSED, "No valid entryPoint"),
    "a label that Traefik does not know": ({f"{ROUTER}.nonsense": "1"}, REFUSED, "field not found, node: nonsense"),
    "a router that another container has": ({"traefik.http.routers.taken.rule": "Path(`/b`)"}, REFUSED, "taken"),
    "a container that is not exposed": ({"traefik.enable": None}, NOT_ROUTED, "rule: PathPrefix(`/`)"),
    "a container that a constraint leaves out": ({"tier": "job"}, NOT_ROUTED, "rule: PathPrefix(`/`)"),
    "a container that hides itself": ({"traefik.enable": "false"}, NOT_ROUTED, "rule: PathPrefix(`/`)"),
}
"""What changes in the labels of the new version, why it does not pass, and the proxy's own word for it."""


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One host behind a proxy that wants to be asked; v1 serves, and the image of v2 is there."""
    web = {"hosts": [empty_hosts.hosts["web1"]], "labels": SHOWN}
    project = Project.create(empty_hosts, tmp_path_factory.mktemp("shop"), servers={"web": web})
    project.change(lambda config: config["traefik"].update(args=PROXY))
    project.kp("setup", version="v2")
    project.kp("deploy", version="v1")
    return project


@pytest.fixture
def serving(shop: Project) -> Iterator[Project]:
    """The configuration is put back afterwards, so that the next cause meets v1 alone."""
    before = shop.config
    yield shop
    shop.write(before)


def change_web(project: Project, **fields: Any) -> None:
    project.change(lambda config: config["servers"]["web"].update(fields))


def assert_refused(project: Project, *texts: str, may_lose: bool = False) -> None:
    """The deploy of v2 exits 1 with these texts, v1 serves on, no request is lost and nothing is left over.

    Where the plan has said that it may lose requests, some may be lost until the gate has said no.
    """
    with Load((project.url("web1"),), rate=100) as load:
        failed = project.kp("deploy", "--skip-push", version="v2", code=1)
    for text in texts:
        assert text in failed.stderr, failed.stderr
    assert load.report.failed == 0 or may_lose, load.report.as_json()
    assert load.report.total > 50
    assert project.served("web1") == "v1"
    assert project.running(("web1",)) == {"web1": ["shop-web-v1"]}
    assert not project.lock_exists()


@pytest.mark.parametrize("cause", LABELS)
def test_labels_that_keep_the_proxy_from_routing_fail_the_gate(serving: Project, cause: str) -> None:
    """Each label must fail the deploy with the proxy's own reason, before anything is switched."""
    changed, why, reason = LABELS[cause]
    other = "traefik.http.routers.taken.rule=Path(`/a`)"
    wanted = {name: value for name, value in {**SHOWN, **changed}.items() if value is not None}
    change_web(serving, labels=wanted)
    # Of an image without our label, so that no look at our containers finds it.
    image = shlex.quote(serving.config["traefik"]["image"])
    labels = f"-l {shlex.quote(other)} -l traefik.enable=true -l tier=web"
    serving.lab.ssh("web1", f"docker run -d --name other {labels} {image} > /dev/null")
    try:
        assert_refused(serving, f"shop-web-v2: {why}", reason)
    finally:
        serving.lab.ssh("web1", "docker rm -f other > /dev/null")


def test_a_network_that_the_proxy_is_not_on_fails_the_gate(serving: Project) -> None:
    """The networks of both must be named."""
    serving.lab.ssh("web1", "docker network create private > /dev/null")
    change_web(serving, options={"network": "private"})
    assert_refused(serving, "shop-web-v2: the proxy cannot reach it: it would be on private, the proxy is on bridge")


def test_a_port_on_which_nothing_listens_fails_the_gate(serving: Project) -> None:
    """It must not even become healthy: as soon as it was, the proxy would send it requests."""
    change_web(serving, labels={**SHOWN, f"{SERVICE}.server.port": "9999"})
    assert_refused(serving, "shop-web-v2: nothing listens on port 9999, where the proxy would ask it (but on: 3000)")


def test_a_scheme_that_the_app_does_not_speak_fails_the_gate(serving: Project) -> None:
    """The proxy has the router and does not reach the container; the plan must say that this may lose requests."""
    change_web(serving, labels={**SHOWN, f"{SERVICE}.server.scheme": "https"})
    marked = f"loses requests if the proxy cannot reach it: {SERVICE_FIELD}.scheme differs"
    assert marked in serving.kp("plan", version="v2").stdout
    why = "shop-web-v2: the proxy has its router and cannot reach it (the answer is 50"
    assert_refused(serving, why, "networks of shop-web-v2: bridge 172.17.", may_lose=True)


def test_a_proxy_that_may_not_open_dockers_socket_makes_room_for_the_old_one(serving: Project) -> None:
    """A new proxy that never learns what runs must not stay in the place of the one that serves."""
    serving.change(lambda config: config["traefik"].update(options={"user": "65534:65534"}))
    failed = serving.kp("deploy", "--skip-push", version="v2", code=1)
    for text in ("cannot learn from Docker what runs here", "permission denied", "the old proxy was started again"):
        assert text in failed.stderr, failed.stderr
    eventually(lambda: is_served(serving, "v1"), what="v1 behind the old proxy")
    assert serving.running(("web1",)) == {"web1": ["shop-web-v1"]}
    assert proxies(serving) == "traefik\n"


def proxies(project: Project) -> str:
    return project.lab.ssh("web1", "docker ps -a --filter name=traefik --format '{{.Names}}'").stdout


def test_a_new_proxy_that_routes_nowhere_makes_room_for_the_old_one(serving: Project) -> None:
    """It can ask Docker, and leaves out what runs: after the gate's "no" what served before must be served again."""
    before = serving.inspect("web1", "traefik")["Id"]
    nowhere = {**PROXY, "providers.docker.constraints": "Label(`tier`,`nowhere`)"}
    serving.change(lambda config: config["traefik"].update(args=nowhere))
    failed = serving.kp("deploy", "--skip-push", version="v2", code=1)
    for text in (NOT_ROUTED, "All hosts run what they ran before"):
        assert text in failed.stderr, failed.stderr
    eventually(lambda: is_served(serving, "v1"), what="v1 behind the old proxy")
    assert serving.running(("web1",)) == {"web1": ["shop-web-v1"]}
    assert (serving.inspect("web1", "traefik")["Id"], proxies(serving)) == (before, "traefik\n")


@pytest.mark.parametrize("door", ["kp", "pyinfra"])
@pytest.mark.parametrize(
    "fails", [{"release": "exit 7"}, {"asset_path": "/nowhere"}], ids=["in the release", "while assets are synced"]
)
def test_a_run_that_fails_behind_a_new_proxy_brings_the_old_one_back(
    serving: Project, door: str, fails: dict[str, str]
) -> None:
    """No new version was booted, so no gate has asked: that all is as before must be true of the proxy too."""
    before = serving.inspect("web1", "traefik")["Id"]
    nowhere = {**PROXY, "providers.docker.constraints": "Label(`tier`,`nowhere`)"}
    serving.change(lambda config: config["traefik"].update(args=nowhere))
    serving.change(lambda config: config.update(fails))
    if door == "kp":
        failed = serving.kp("deploy", "--skip-push", version="v2", code=1)
        assert "what served before serves now." in failed.stderr, failed.stderr
    else:
        arguments = ("-y", "inventory.py", "deploys/deploy.py", "--data", "version=v2")
        failed = serving.pyinfra(*arguments, version="v2", code=1)
        assert f"{serving.lab.hosts['web1']} runs what it ran before." in failed.stderr, failed.stderr
    assert (serving.inspect("web1", "traefik")["Id"], proxies(serving)) == (before, "traefik\n")
    eventually(lambda: is_served(serving, "v1"), what="v1 behind the old proxy")
    assert serving.running(("web1",)) == {"web1": ["shop-web-v1"]}


def test_a_new_proxy_that_routes_to_the_new_version_alone_stays(serving: Project) -> None:
    """That it leaves out the old version is no reason to take it back; the old proxy must be gone then."""
    change_web(serving, labels={**SHOWN, "tier": "api"})
    another = {**PROXY, "providers.docker.constraints": "Label(`tier`,`api`)"}
    serving.change(lambda config: config["traefik"].update(args=another))
    serving.kp("deploy", "--skip-push", version="v2")
    assert (serving.served("web1"), proxies(serving)) == ("v2", "traefik\n")
    change_web(serving, labels=SHOWN)
    serving.change(lambda config: config["traefik"].update(args=PROXY))
    serving.kp("deploy", "--skip-push", version="v1")


def is_served(project: Project, version: str) -> bool:
    """Whether the proxy answers with this version; one that has just started may not listen yet."""
    try:
        return project.served("web1") == version
    except OSError:
        return False


@pytest.fixture(scope="module")
def silent(shop: Project) -> Project:
    """The same behind a proxy whose log cannot be read back."""
    shop.change(lambda config: config.update(logging={"driver": "none"}))
    shop.change(lambda config: config["traefik"].update(args={**PROXY, "log.level": "INFO"}))
    shop.kp("deploy", "--skip-push", version="v1")
    return shop


def test_without_a_log_the_request_alone_fails_the_gate(silent: Project, serving: Project) -> None:
    """A proxy that logs nothing must not get away with routing nowhere."""
    change_web(serving, labels={**SHOWN, f"{SERVICE}.server.scheme": "https"})
    why = "shop-web-v2: the proxy has its router and cannot reach it (the answer is 50"
    assert_refused(serving, why, may_lose=True)


WITHOUT_A_LOG = ("a rule that does not parse", "a middleware that is not there", "a service that is not there")


@pytest.mark.parametrize("cause", WITHOUT_A_LOG)
def test_without_a_log_a_router_that_the_proxy_refuses_fails_the_gate(
    silent: Project, serving: Project, cause: str
) -> None:
    """A request must tell what the log does not; else the next deploy would find the same router in use."""
    changed, why, _ = LABELS[cause]
    change_web(serving, labels={**SHOWN, **changed})
    assert_refused(serving, f"shop-web-v2: {why}")


def test_a_health_check_of_the_proxys_that_fails_fails_the_gate(silent: Project, serving: Project) -> None:
    """The proxy asks only later, and then answers 503 in place of a container that runs well."""
    change_web(
        serving, labels={**SHOWN, f"{SERVICE}.healthcheck.path": "/nope", f"{SERVICE}.healthcheck.interval": "1s"}
    )
    why = "shop-web-v2: the proxy's own health check of it fails (the answer to /nope is 404)"
    assert_refused(serving, why, may_lose=True)


def test_without_a_log_a_deploy_passes_and_is_proven(silent: Project) -> None:
    """A log that nobody can read must cost neither the deploy nor forty seconds of silence."""
    done = silent.kp("deploy", "--skip-push", version="v2")
    assert "shop v2 serves at http://" in done.stdout.splitlines()[-1]
    assert silent.served("web1") == "v2"
    silent.kp("deploy", "--skip-push", version="v1")


def test_without_curl_the_host_asks_by_what_it_has(silent: Project) -> None:
    """A host without curl must prove the same."""
    silent.lab.exec("web1", "mv /usr/bin/curl /usr/bin/curl.hidden")
    try:
        done = silent.kp("deploy", "--skip-push", version="v2")
    finally:
        silent.lab.exec("web1", "mv /usr/bin/curl.hidden /usr/bin/curl")
    assert "shop v2 serves at http://" in done.stdout.splitlines()[-1]
    silent.kp("deploy", "--skip-push", version="v1")


@pytest.fixture(scope="module")
def speaking(silent: Project) -> Project:
    """The same behind a proxy that logs objects at debug level, and with containers on two networks."""
    silent.lab.ssh("web1", "docker network create first > /dev/null; docker network create second > /dev/null")
    silent.change(lambda config: config.pop("logging"))
    proxy = {"args": {**PROXY, "log.format": "json"}, "options": {"network": "first"}}
    silent.change(lambda config: config["traefik"].update(proxy))
    change_web(silent, options={"network": ["first", "second"]}, labels={**SHOWN, "traefik.docker.network": "first"})
    silent.kp("deploy", "--skip-push", version="v1")
    return silent


def test_a_container_on_two_networks_is_served_and_leaves_at_once(speaking: Project) -> None:
    """One address that the proxy uses is enough: a deploy, a rollback and a new proxy must be proven, and promptly."""
    with Load((speaking.url("web1"),), rate=100) as load:
        done = speaking.kp("deploy", "--skip-push", version="v2")
        back = speaking.kp("rollback", "v1", version="v2")
    assert load.report.failed == 0, load.report.as_json()
    for ended, version in ((done, "v2"), (back, "v1")):
        assert f"shop {version} serves at http://" in ended.stdout.splitlines()[-1]
    speaking.kp("traefik", "reboot", "-y", version="v1")
    assert speaking.served("web1") == "v1"


@pytest.fixture(scope="module")
def outgrown(speaking: Project) -> Iterator[Project]:
    """The same on an engine that refuses the API of the proxy, which is of a Traefik up to 3.5."""
    image, lab = built(speaking.lab, "3.5.3"), speaking.lab
    saved = subprocess.run(["docker", "save", image], env=lab.docker.env, check=True, capture_output=True).stdout
    subprocess.run([*lab.ssh_argv("web1"), "docker load -q"], input=saved, check=True, capture_output=True)
    speaking.change(lambda config: config["traefik"].update(image=image))
    speaking.kp("deploy", "--skip-push", version="v1")
    wrapper = '#!/bin/sh\nexport DOCKER_MIN_API_VERSION=1.44\nexec /usr/sbin/dockerd.real "$@"\n'
    lab.exec("web1", "mv /usr/sbin/dockerd /usr/sbin/dockerd.real && cat > /usr/sbin/dockerd", input=wrapper)
    lab.exec("web1", "chmod +x /usr/sbin/dockerd && pkill dockerd")
    try:
        lowest = "docker version --format '{{.Server.MinAPIVersion}}'"
        eventually(lambda: lab.ssh("web1", lowest, check=False).stdout.strip() == "1.44", seconds=60)
        eventually(lambda: speaking.running(["web1"])["web1"] == ["shop-web-v1"], seconds=30)
        yield speaking
    finally:
        lab.exec("web1", "mv /usr/sbin/dockerd.real /usr/sbin/dockerd; pkill dockerd")
        lab.wait_until_ready("web1")


def test_an_engine_that_is_too_new_for_the_proxy_fails_the_gate(outgrown: Project) -> None:
    """The gate must say so, and drain nothing."""
    failed = outgrown.kp("deploy", "--skip-push", version="v2", code=1)
    assert "client version 1.24 is too old" in failed.stderr, failed.stderr
    assert "API 1.44 to 1.45" in failed.stderr
    assert outgrown.running(["web1"]) == {"web1": ["shop-web-v1"]}


def test_status_and_doctor_show_a_proxy_that_does_not_route_to_what_runs(outgrown: Project) -> None:
    """What serves no request must look like it to who asks, although the container itself is healthy."""
    (row,) = [row for row in json.loads(outgrown.kp("status", "--json").stdout) if row["role"] == "web"]
    assert (row["state"], row["health"]) == ("running", "healthy")
    assert row["routed"].startswith("no: ")
    checks = json.loads(outgrown.kp("doctor", "--json", code=1).stdout)
    (check,) = [check for check in checks if check["name"] == "proxy" and check["verdict"] == "fail"]
    assert check["host"] == outgrown.lab.hosts["web1"]
    assert check["message"].startswith("shop-web-v1 is not served (Docker 26.1.5")
    for text in (row["routed"], check["message"]):
        assert "client version 1.24 is too old" in text
