"""``docker run`` against what Kamal 1.9.2 sent for the same configuration, word by word."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.docker_values import split_command
from kamal_pyinfra.plan.proxy.traefik import PROMPT_ROUTES
from kamal_pyinfra.plan.state.desired import AppContainer, Health, clear_labels
from kamal_pyinfra.shell import app
from kamal_pyinfra.shell.container import remove, start, stop
from kamal_pyinfra.shell.proxy import container as proxy
from tests.shell import builders
from tests.shell.test_shell import texts

KAMAL_WEB = (
    "docker run --detach --restart unless-stopped --name shop-web-newsha --hostname HOST-HEX12"
    ' -e KAMAL_CONTAINER_NAME="shop-web-newsha" -e KAMAL_VERSION="newsha" --env-file .kamal/env/roles/shop-web.env'
    ' --env DB_HOST="10.0.0.9"TAG --health-cmd "(curl -f http://localhost:8080/healthz || exit 1)'
    ' && (stat /tmp/kamal-cord/cord > /dev/null || exit 1)" --health-interval "1s"'
    ' --volume $(pwd)/.kamal/cords/shop-web-RUNID:/tmp/kamal-cord --log-opt max-size="10m"'
    " --volume /srv/uploads:/app/uploads"
    " --volume $(pwd)/.kamal/assets/volumes/shop-web-newsha:/app/public/assets"
    ' --label service="shop" --label role="web" --label destination'
    ' --label traefik.http.services.shop-web.loadbalancer.server.scheme="http"'
    ' --label traefik.http.routers.shop-web.rule="PathPrefix(\\`/\\`)"'
    ' --label traefik.http.routers.shop-web.priority="2"'
    ' --label traefik.http.middlewares.shop-web-retry.retry.attempts="5"'
    ' --label traefik.http.middlewares.shop-web-retry.retry.initialinterval="500ms"'
    ' --label traefik.http.routers.shop-web.middlewares="shop-web-retry@docker" --label team="storefront"'
    " registry.example.com/acme/shop:newsha"
)
KAMAL_JOB = (
    "docker run --detach --restart unless-stopped --name shop-job-newsha --hostname HOST-HEX12"
    ' -e KAMAL_CONTAINER_NAME="shop-job-newsha" -e KAMAL_VERSION="newsha" --env-file .kamal/env/roles/shop-job.env'
    ' --env DB_HOST="10.0.0.9" --log-opt max-size="10m" --volume /srv/uploads:/app/uploads --label service="shop"'
    ' --label role="job" --label destination --label team="storefront" --memory "512m"'
    " registry.example.com/acme/shop:newsha bin/jobs --all"
)
KAMAL_PROXY = (
    "docker run --name traefik --detach --restart unless-stopped --publish 80:80"
    " --volume /var/run/docker.sock:/var/run/docker.sock --env-file .kamal/env/traefik/traefik.env"
    ' --log-opt max-size="10m" --label traefik.http.routers.catchall.entryPoints="http"'
    ' --label traefik.http.routers.catchall.rule="PathPrefix(\\`/\\`)"'
    ' --label traefik.http.routers.catchall.service="unavailable" --label traefik.http.routers.catchall.priority="1"'
    ' --label traefik.http.services.unavailable.loadbalancer.server.port="0" traefik:v2.11 --providers.docker'
    ' --log.level="DEBUG"'
)

OF_GATE = re.compile(r"\.kp-gate-[0-9a-f]{32}|^traefik\.http\.routers\.shop-web\.service=shop-web$")
PRINTER = "docker() { printf '%s\\0' docker \"$@\" >&3; }; exec 3>&1; "


def arguments(line: str, cwd: Path | None = None, **environ: str) -> list[str]:
    """What ``docker`` is called with when a shell runs the line."""
    ended = subprocess.run(
        ["sh", "-c", PRINTER + line],
        capture_output=True,
        check=True,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], **environ},
        timeout=60,
    )
    assert ended.stderr == b""
    return ended.stdout.decode().split("\0")[:-1]


def as_kamal(words: list[str]) -> list[str]:
    """Our words without our own labels and arguments, in Kamal's spelling of an empty label and with its mount."""
    kept: list[str] = []
    for word in words:
        if word.startswith(("kp.digest=", "kp.owner=", "kp.clear=", "traefik.enable=")) or OF_GATE.search(word):
            kept.pop()
        elif word != PROMPT_ROUTES:
            kept.append({"destination=": "destination"}.get(word, word.removesuffix(":ro")))
    return kept


def kamal(line: str, host: str, tag: str = "") -> list[str]:
    marks = {"HOST-": f"{host}-", "HEX12": builders.RUN_ID[:12], "RUNID": builders.RUN_ID, '"TAG': f'"{tag}'}
    for mark, value in marks.items():
        line = line.replace(mark, value)
    return arguments(line)


@pytest.mark.parametrize(
    ("host", "line", "tag"),
    [
        ("10.0.0.1", KAMAL_WEB, ""),
        ("10.0.0.2", KAMAL_WEB, ' --env CANARY="1"'),
        ("10.0.0.3", KAMAL_JOB, ""),
    ],
    ids=["web", "web with a tag", "job"],
)
def test_an_app_container_is_run_as_kamal_runs_it(host, line, tag):
    (container,) = desired_host(builders.new_run(builders.golden_config()), host).containers
    ours = arguments(app.run(builders.counted_by_docker(container)))
    assert as_kamal(ours) == kamal(line, host, tag)
    clear = ",".join(sorted(name for name, _ in container.env))
    assert [word for word in ours if word.startswith("kp.")] == [f"kp.digest={container.digest}", f"kp.clear={clear}"]


@pytest.mark.parametrize(
    ("engine", "start"),
    [
        ("26.1.5", ["--health-start-period", "28s", "--health-start-interval", "200ms"]),
        ("25.0.0", ["--health-start-period", "28s", "--health-start-interval", "200ms"]),
        ("24.0.9", []),
        ("20.10.24+dfsg1", []),
        ("dev", []),
        (None, []),
    ],
)
def test_a_check_that_tries_again_by_itself_counts_at_once_and_starts_early_where_docker_can(engine, start):
    health = Health(command="true", interval="1s", retrying_command="again and again")
    words = arguments(app.run(builders.app_container(health=health, cord=None, cord_target=None), engine=engine))
    at = words.index("--health-cmd")
    assert words[at : words.index("--label")] == [
        *("--health-cmd", "again and again", "--health-interval", "1s", "--health-timeout", "30s"),
        *("--health-retries", "1"),
        *start,
    ]


def test_the_proxy_is_run_as_kamal_runs_it():
    desired = desired_host(builders.new_run(builders.golden_config()), "10.0.0.1")
    ours = arguments(proxy.run(desired.proxy).removesuffix(" > /dev/null"))
    assert as_kamal(ours) == kamal(KAMAL_PROXY, "10.0.0.1")
    assert [word for word in ours if word.startswith("kp.")] == [f"kp.digest={desired.proxy.digest}", "kp.owner=shop"]


def test_our_labels_come_last_so_that_the_order_of_kamals_stays():
    words = arguments(app.run(builders.app_container(labels=(("service", "shop"), ("team", "x")))))
    assert [word for word in words if "=" in word and not word.startswith("KAMAL")] == [
        "service=shop",
        "team=x",
        "traefik.enable=false",
        "kp.digest=d1",
    ]


def test_a_container_with_everything_as_text():
    container = builders.app_container(
        env=(("COLOR", "blue"), ("HOME_DIR", "${HOME}/x y")),
        volumes=("/srv:/srv", "named:/data"),
        options=(("memory", "512m"), ("init", True)),
        log_options=(("--log-driver", "local"), ("--log-opt", "max-size=1m")),
        cmd="bin/jobs --all 'two words'",
        assets=builders.ASSETS,
    )
    assert app.run(container) == (
        "docker run --detach --restart unless-stopped --name shop-web-v2 --hostname 192.0.2.1-0123456789ab"
        " -e KAMAL_CONTAINER_NAME=shop-web-v2 -e KAMAL_VERSION=v2 --env-file .kamal/env/roles/shop-web.env"
        " --env COLOR=blue --env HOME_DIR=\"${HOME}\"'/x y'"
        ' --health-cmd true --health-interval 1s --volume "$(pwd)"/.kamal/cords/shop-web-new:/tmp/kamal-cord:ro'
        " --log-driver local --log-opt max-size=1m --volume /srv:/srv --volume named:/data"
        ' --volume "$(pwd)"/.kamal/assets/volumes/shop-web-v2:/app/assets'
        " --label service=shop --label traefik.enable=false --label kp.digest=d1 --label kp.clear=COLOR"
        " --memory 512m --init acme/shop:v2 bin/jobs --all 'two words'"
    )


def test_without_cord_the_health_check_stands_alone():
    container = builders.app_container(cord=None, cord_target=None, health=Health(command="bin/ok", interval="5s"))
    assert "--health-cmd bin/ok --health-interval 5s --label" in app.run(container)
    assert "--volume" not in app.run(container)


def test_the_proxy_as_text():
    configured = builders.proxy(
        env=(("ZONE", "a b"),),
        labels=(("l", "1"),),
        options=(("network", "host"),),
        log_options=(("--log-opt", "max-size=10m"),),
        args=(("log.level", "DEBUG"), ("accesslog", True), ("ping", False), ("entrypoints", ["a=:80", "b=:443"])),
    )
    assert proxy.run(configured) == (
        "docker run --name traefik --detach --restart unless-stopped --publish 80:80"
        " --volume /var/run/docker.sock:/var/run/docker.sock --env-file .kamal/env/traefik/traefik.env"
        " --env ZONE='a b' --log-opt max-size=10m --label l=1 --label kp.digest=d1 --label kp.owner=shop"
        " --label kp.clear=ZONE --network host"
        " traefik:v2.11 --providers.docker --log.level=DEBUG --accesslog --ping=false --entrypoints=a=:80"
        " --entrypoints=b=:443 --providers.providersThrottleDuration=100ms > /dev/null"
    )
    assert "--publish" not in proxy.run(builders.proxy(publish=None))


def test_a_throttle_of_the_configuration_stays():
    args = (("providers.ProvidersThrottleDuration", "5s"),)
    assert proxy.run(builders.proxy(args=args)).endswith("--providers.ProvidersThrottleDuration=5s > /dev/null")


names = st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True)
pairs = st.lists(st.tuples(names, texts.filter(lambda text: "${" not in text)), max_size=4).map(tuple)


@settings(max_examples=60, deadline=None)
@given(env=pairs, labels=pairs, volumes=st.lists(texts, max_size=3).map(tuple), cmd=texts, command=texts)
def test_no_value_of_the_configuration_can_leave_its_word(env, labels, volumes, cmd, command):
    container = builders.app_container(
        env=env, labels=labels, volumes=volumes, cmd=cmd, health=Health(command=command, interval="1s"), cord=None
    )
    assert arguments(app.run(container)) == expected_words(container, cmd)


def expected_words(container: AppContainer, cmd: str) -> list[str]:
    assert container.health is not None
    return [
        *("docker", "run", "--detach", "--restart", "unless-stopped"),
        *("--name", "shop-web-v2", "--hostname", "192.0.2.1-0123456789ab"),
        *("-e", "KAMAL_CONTAINER_NAME=shop-web-v2", "-e", "KAMAL_VERSION=v2"),
        *("--env-file", ".kamal/env/roles/shop-web.env"),
        *(word for name, value in container.env for word in ("--env", f"{name}={value}")),
        *("--health-cmd", container.health.command, "--health-interval", "1s"),
        *(word for volume in container.volumes for word in ("--volume", volume)),
        *(word for name, value in container.labels for word in ("--label", f"{name}={value}")),
        *("--label", "traefik.enable=false", "--label", "kp.digest=d1"),
        *(word for names in clear_labels(container.env, ()) for word in ("--label", f"kp.clear={names}")),
        "acme/shop:v2",
        *split_command(cmd),
    ]


def test_env_values_take_the_hosts_variables_and_nothing_else():
    container = builders.app_container(env=(("A", "${HOME}/$HOME/$(id)/`id`/${NOPE}."),), cord=None, health=None)
    words = arguments(app.run(container), HOME="/home/dep loy")
    assert words[words.index("--env") + 1] == "A=/home/dep loy/$HOME/$(id)/`id`/."


def test_small_commands_of_containers():
    assert start("shop web") == "docker start 'shop web' > /dev/null"
    assert stop("a", "b") == "docker stop a b > /dev/null"
    assert stop("a", timeout=0) == "docker stop -t 0 a > /dev/null"
    assert remove("a", "b") == "docker rm a b > /dev/null"
