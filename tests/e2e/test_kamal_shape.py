"""What kp leaves on a host is what Kamal 1.9 would have left: names, labels, env files, mounts, health, paths."""

from __future__ import annotations

import re

import pytest

from kamal_pyinfra.plan.proxy.gate import without_gate
from tests.e2e.project import Project
from tests.lab.lab import Lab

RUN_LABELS = {
    "service": "shop",
    "role": "web",
    "destination": "",
    "traefik.http.services.shop-web.loadbalancer.server.scheme": "http",
    "traefik.http.routers.shop-web.rule": "PathPrefix(`/`)",
    "traefik.http.routers.shop-web.priority": "2",
    "traefik.http.middlewares.shop-web-retry.retry.attempts": "5",
    "traefik.http.middlewares.shop-web-retry.retry.initialinterval": "500ms",
    "traefik.http.routers.shop-web.middlewares": "shop-web-retry@docker",
    "team": "storefront",
}
CURRENT_VERSION = (
    "sh -c 'docker ps --latest --format '\\''{{.Names}}'\\'' --filter label=service=shop --filter label=role=web "
    "--filter status=running --filter status=restarting --filter ancestor=$(docker image ls --filter "
    "reference=%s:latest --format '\\''{{.ID}}'\\'') ; docker ps --latest --format '\\''{{.Names}}'\\'' "
    "--filter label=service=shop --filter label=role=web --filter status=running --filter status=restarting' "
    "| head -1 | while read line; do echo ${line#shop-web-}; done"
)


@pytest.fixture(scope="module")
def shop(empty_hosts: Lab, tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project.create(
        empty_hosts,
        tmp_path_factory.mktemp("project"),
        labels={"team": "storefront"},
        volumes=["/srv/uploads:/uploads"],
    )
    project.change(lambda config: config["servers"]["job"].update(options={"memory": "64m", "cap-add": ["SYS_TIME"]}))
    project.kp("setup", version="v1")
    return project


def test_the_web_container_is_kamals(shop: Project) -> None:
    """`docker inspect` of a web container must show exactly what Kamal's `docker run` line asks for."""
    found = shop.inspect("web1", "shop-web-v1")
    config, host = found["Config"], found["HostConfig"]
    labels = {name: value for name, value in without_gate(config["Labels"]).items() if not name.startswith("kp.")}
    environment = dict(line.split("=", 1) for line in config["Env"])
    assert found["Name"] == "/shop-web-v1"
    assert config["Image"] == f"{shop.lab.registry.server}/shop:v1"
    assert config["Hostname"].startswith(f"{shop.lab.hosts['web1']}-")
    assert len(config["Hostname"].removeprefix(f"{shop.lab.hosts['web1']}-")) == 12
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert labels == RUN_LABELS
    assert (
        environment.items()
        >= {
            "KAMAL_CONTAINER_NAME": "shop-web-v1",
            "KAMAL_VERSION": "v1",
            "COLOR": "blue",
            "TOP_SECRET": shop.env["TOP_SECRET"],
        }.items()
    )
    assert config["Healthcheck"] == {
        "Test": [
            "CMD-SHELL",
            "tries=0; until said=$( (curl -f http://localhost:3000/up || exit 1) 2>&1); do tries=$((tries + 1)); "
            '[ $tries -lt 9 ] && stat /tmp/kamal-cord/cord > /dev/null || { echo "$said"; exit 1; }; '
            "sleep 0.25 || sleep 1; done; "
            '{ read -r until < /tmp/kamal-cord/standby && [ "$(date +%s)" -lt "$until" ] && looks=0 && '
            "while [ -e /tmp/kamal-cord/standby ] && [ -e /tmp/kamal-cord/cord ] && [ $looks -lt 100 ]; do "
            "sleep 0.1 || break; looks=$((looks + 1)); "
            "[ $((looks % 10)) -ne 0 ] || (curl -f http://localhost:3000/up || exit 1) > /dev/null || break; "
            "done; } 2> /dev/null; stat /tmp/kamal-cord/cord > /dev/null || exit 1",
        ],
        "Interval": 1_000_000_000,
        "Timeout": 30_000_000_000,
        "Retries": 1,
        "StartPeriod": 10_000_000_000,
        "StartInterval": 200_000_000,
    }
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m"}}
    assets, cord, uploads = sorted(host["Binds"])  # the docker command keeps volumes in no order
    prefix, _, run_id = cord.removesuffix(":/tmp/kamal-cord:ro").rpartition("-")
    assert (prefix, len(run_id)) == ("/root/.kamal/cords/shop-web", 32)
    assert uploads == "/srv/uploads:/uploads"
    assert assets == "/root/.kamal/assets/volumes/shop-web-v1:/app/public/assets"
    assert list(host["NetworkMode"].split()) in (["default"], ["bridge"])


def test_the_worker_has_its_options_and_no_health_check(shop: Project) -> None:
    """A worker must have its command and options, neither health check nor cord, and be hidden from the proxy."""
    found = shop.inspect("job1", "shop-job-v1")
    assert found["Config"]["Cmd"] == ["python", "app.py", "worker"]
    assert "Healthcheck" not in found["Config"]
    assert found["HostConfig"]["Memory"] == 64 * 1024 * 1024
    assert [name.removeprefix("CAP_") for name in found["HostConfig"]["CapAdd"]] == ["SYS_TIME"]
    labels = found["Config"]["Labels"]
    assert {name: labels[name] for name in labels if name.startswith("traefik.")} == {"traefik.enable": "false"}
    assert found["HostConfig"]["Binds"] == ["/srv/uploads:/uploads"]


def test_the_proxy_is_kamals(shop: Project) -> None:
    """Traefik must run as Kamal's line asks, found by the image label that Kamal removes it by."""
    found = shop.inspect("web1", "traefik")
    assert found["Args"] == [
        *("--providers.docker", "--log.level=DEBUG"),
        "--providers.providersThrottleDuration=100ms",
    ]
    assert found["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "80"}]}
    assert found["HostConfig"]["Binds"] == ["/var/run/docker.sock:/var/run/docker.sock"]
    assert found["Config"]["Labels"]["org.opencontainers.image.title"] == "Traefik"
    assert found["Config"]["Labels"]["traefik.http.routers.catchall.rule"] == "PathPrefix(`/`)"


def test_the_paths_are_kamals(shop: Project) -> None:
    """Files must lie where Kamal looks for them, secrets readable by their owner only."""
    listed = shop.lab.ssh("web1", "cd .kamal && find . -type f -printf '%P %m\\n' | sort").stdout.splitlines()
    fixed = [line for line in listed if not line.startswith(("cords/", "assets/", "shop-files/"))]
    kamals = ["env/roles/shop-web.env 600", "env/traefik/traefik.env 600", "shop-audit.log 644"]
    assert fixed == [*kamals, "shop-hosts.json 600"]
    assert shop.lab.ssh("web1", "cat .kamal/env/roles/shop-web.env").stdout == f"TOP_SECRET={shop.env['TOP_SECRET']}\n"
    assert shop.lab.ssh("web1", "stat -c %a .kamal/env/traefik .kamal/env/roles").stdout.split() == ["700", "700"]


def test_kamal_finds_the_version_in_service(shop: Project) -> None:
    """Kamal's own shell line for the current version must answer with what kp deployed."""
    line = CURRENT_VERSION % f"{shop.lab.registry.server}/shop"
    assert shop.lab.ssh("web1", line).stdout.strip() == "v1"


def test_the_audit_log_is_in_kamals_format(shop: Project) -> None:
    """Audit lines must read `[TIME] [PERFORMER] [ROLE] MESSAGE`."""
    lines = shop.lab.ssh("web1", "cat .kamal/shop-audit.log").stdout.splitlines()
    said = [re.sub(r"^\[20[^]]+Z\] \[[^]]+\] ", "", line) for line in lines]
    assert "[web] Booted app version v1" in said
    assert f"Tagging {shop.lab.registry.server}/shop:v1 as the latest image" in said


def test_assets_of_both_versions_are_served_while_both_run(shop: Project) -> None:
    """While old and new run side by side, each must serve the other's files."""
    process = shop.start("kp", "deploy", version="v2")
    seen: set[str] = set()
    containers: list[str] = []
    try:
        while process.poll() is None:
            running = shop.running(("web1",))["web1"]
            if len(running) == 2:
                containers = running
                seen = {
                    f"{name}:{file}"
                    for name in running
                    for file in shop.lab.ssh("web1", f"docker exec {name} ls public/assets", check=False).stdout.split()
                }
                if len(seen) == 4:
                    break
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()
        process.communicate()
    assert containers == ["shop-web-v1", "shop-web-v2"]
    assert seen == {f"{name}:app-{version}.css" for name in containers for version in ("v1", "v2")}
    assert "v2" in shop.served("web1", "/assets/app-v2.css")
    assert shop.lab.ssh("web1", "ls .kamal/assets/volumes .kamal/assets/extracted").stdout.split() == [
        ".kamal/assets/extracted:",
        "shop-web-v2",
        ".kamal/assets/volumes:",
        "shop-web-v2",
    ]
