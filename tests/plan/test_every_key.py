"""One edit for every key of the configuration, and the whole plan that it brings, in ``every_key.txt``."""

from __future__ import annotations

import copy
import typing
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from kamal_pyinfra.config import Config
from kamal_pyinfra.errors import ConfigError, PlanRefused
from kamal_pyinfra.naming import ACCESSORY_LABEL, DIGEST_LABEL
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer, ObservedHost, Status
from tests.conftest import SECRETS, MakeConfig, a_run, as_deployed, seen_options
from tests.plan.hosts import plan_of

PLANS = Path(__file__).with_name("every_key.txt")
ENVIRON = SECRETS | {"OTHER_PASSWORD": "hush-other-registry", "NPM_TOKEN": "hush-npm"}
KEY_DATA = "-----BEGIN OPENSSH PRIVATE KEY-----\n"
ONE, TWO, THREE, DB = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9"

RICH: dict[str, Any] = {
    "service": "shop",
    "image": "acme/shop",
    "servers": {
        "web": {"hosts": [ONE, {TWO: "green"}]},
        "api": {
            "hosts": [TWO],
            "traefik": True,
            "cmd": "bin/api",
            "labels": {"traefik.http.routers.shop-api.rule": "PathPrefix(`/api`)"},
        },
        "job": {
            "hosts": [THREE],
            "cmd": "bin/work",
            "options": {"memory": "256m"},
            "healthcheck": {"cmd": "bin/alive", "interval": "5s"},
            "env": {"clear": {"QUEUES": "all"}},
        },
    },
    "registry": {"username": "acme", "password": ["REGISTRY_PASSWORD"]},
    "env": {"clear": {"COLOR": "blue"}, "secret": ["TOP_SECRET"], "tags": {"green": {"COLOR": "green"}}},
    "asset_path": "/app/public",
    "accessories": {"db": {"image": "postgres:16", "host": DB, "port": "5432", "env": {"clear": {"A": "1"}}}},
}

WEB, JOB, DATABASE = ("servers", "web"), ("servers", "job"), ("accessories", "db")


def at(names: tuple[str, ...], /, **values: Any) -> dict[str, Any]:
    """Values below a path."""
    edit: dict[str, Any] = values
    for name in reversed(names):
        edit = {name: edit}
    return edit


EDITS: dict[str, dict[str, Any]] = {
    "service": {"service": "store"},
    "image": {"image": "acme/store"},
    "servers/hosts/host": at(WEB, hosts=[ONE, {TWO: "green"}, THREE]),
    "servers/hosts/tags": at(WEB, hosts=[{ONE: "green"}, {TWO: "green"}]),
    "servers/hosts/user": at(WEB, hosts=[{ONE: {"user": "app"}}, {TWO: "green"}]),
    "servers/hosts/port": at(WEB, hosts=[{ONE: {"port": 2222}}, {TWO: "green"}]),
    "servers/hosts/key": at(WEB, hosts=[{ONE: {"key": "~/.ssh/app"}}, {TWO: "green"}]),
    "servers/hosts/sudo": at(WEB, hosts=[{ONE: {"sudo": True}}, {TWO: "green"}]),
    "servers/traefik": at(JOB, traefik=True),
    "servers/cmd": at(JOB, cmd="bin/work --all"),
    "servers/options": at(JOB, options={"memory": "512m", "cpus": "0.5"}),
    "servers/healthcheck/cmd": at(JOB, healthcheck={"cmd": "bin/ready"}),
    "servers/healthcheck/interval": at(JOB, healthcheck={"interval": "9s"}),
    "servers/healthcheck/max_attempts": at(JOB, healthcheck={"max_attempts": 9}),
    "servers/healthcheck/port": at(WEB, healthcheck={"port": 8080}),
    "servers/healthcheck/path": at(WEB, healthcheck={"path": "/alive"}),
    "servers/healthcheck/cord": at(WEB, healthcheck={"cord": False}),
    "servers/healthcheck/log_lines": at(WEB, healthcheck={"log_lines": 5}),
    "servers/logging/driver": at(JOB, logging={"driver": "local"}),
    "servers/logging/options": at(JOB, logging={"options": {"max-size": "1g"}}),
    "servers/labels": at(JOB, labels={"team": "shop"}),
    "servers/env/clear": at(JOB, env={"clear": {"QUEUES": "mail", "DEPTH": "2"}}),
    "servers/env/secret": at(JOB, env={"secret": ["OTHER_SECRET"]}),
    "servers/env/tags": at(JOB, env={"tags": {"green": {"A": "1"}}}),
    "servers/asset_path": at(WEB, asset_path="/app/assets"),
    "servers/replicas": at(WEB, replicas=2),
    "registry/server": at(("registry",), server="registry.example.com"),
    "registry/username": at(("registry",), username="somebody"),
    "registry/image": at(("registry",), image="registry:3"),
    "registry/password": at(("registry",), password=["OTHER_PASSWORD"]),
    "labels": {"labels": {"team": "shop"}},
    "volumes": {"volumes": ["uploads:/uploads"]},
    "env/clear": at(("env", "clear"), COLOR="red"),
    "env/secret": at(("env",), secret=["TOP_SECRET", "OTHER_SECRET"]),
    "env/tags": at(("env", "tags", "green"), COLOR="lime"),
    "asset_path": {"asset_path": "/app/assets"},
    "hooks_path": {"hooks_path": "hooks"},
    "require_destination": {"require_destination": True},
    "primary_role": {"primary_role": "api"},
    "allow_empty_roles": {"allow_empty_roles": True, **at(("servers", "job"), hosts=[])},
    "stop_wait_time": {"stop_wait_time": 20},
    "deploy_timeout": {"deploy_timeout": 60},
    "drain_timeout": {"drain_timeout": 60},
    "pull_timeout": {"pull_timeout": 60},
    "retain_containers": {"retain_containers": 1},
    "minimum_version": {"minimum_version": "1.0.0"},
    "readiness_delay": {"readiness_delay": 1},
    "run_directory": {"run_directory": "/srv/kamal"},
    "ssh/user": at(("ssh",), user="app"),
    "ssh/port": at(("ssh",), port=2222),
    "ssh/proxy": at(("ssh",), proxy="jump.example.com"),
    "ssh/proxy_command": at(("ssh",), proxy_command="nc %h %p"),
    "ssh/log_level": at(("ssh",), log_level="debug"),
    "ssh/keys": at(("ssh",), keys=["~/.ssh/app"]),
    "ssh/keys_only": at(("ssh",), keys_only=True),
    "ssh/key_data": at(("ssh",), key_data=[KEY_DATA]),
    "ssh/connect_timeout": at(("ssh",), connect_timeout=5),
    "ssh/command_timeout": at(("ssh",), command_timeout=5),
    "ssh/host_keys": at(("ssh",), host_keys="strict"),
    "ssh/known_hosts": at(("ssh",), known_hosts="known"),
    "sshkit/max_concurrent_starts": at(("sshkit",), max_concurrent_starts=5),
    "sshkit/pool_idle_timeout": at(("sshkit",), pool_idle_timeout=5),
    "builder/multiarch": at(("builder",), multiarch=False),
    "builder/local/arch": at(("builder", "local"), arch="amd64"),
    "builder/local/host": at(("builder", "local"), host="unix:///run/docker.sock", arch="amd64"),
    "builder/remote/arch": at(("builder", "remote"), arch="arm64", host="ssh://builder"),
    "builder/remote/host": at(("builder", "remote"), arch="amd64", host="ssh://builder"),
    "builder/driver": at(("builder",), driver="docker", remote={"arch": "amd64", "host": "ssh://builder"}),
    "builder/cache/type": at(("builder", "cache"), type="gha"),
    "builder/cache/options": at(("builder", "cache"), type="gha", options="mode=max"),
    "builder/cache/image": at(("builder", "cache"), type="registry", image="acme/cache"),
    "builder/context": at(("builder",), context="."),
    "builder/dockerfile": at(("builder",), dockerfile="Dockerfile.prod"),
    "builder/target": at(("builder",), target="app"),
    "builder/args": at(("builder",), args={"RUBY": "3.4"}),
    "builder/secrets": at(("builder",), secrets=["NPM_TOKEN"]),
    "builder/ssh": at(("builder",), ssh="default"),
    "accessories/service": at(DATABASE, service="database"),
    "accessories/image": at(DATABASE, image="postgres:17"),
    "accessories/host/host": at(DATABASE, host=THREE),
    "accessories/host/tags": at(DATABASE, host={DB: "green"}),
    "accessories/host/user": at(DATABASE, host={DB: {"user": "app"}}),
    "accessories/host/port": at(DATABASE, host={DB: {"port": 2222}}),
    "accessories/host/key": at(DATABASE, host={DB: {"key": "~/.ssh/app"}}),
    "accessories/host/sudo": at(DATABASE, host={DB: {"sudo": True}}),
    "accessories/hosts/host": at(DATABASE, host=None, hosts=[DB, THREE]),
    "accessories/hosts/tags": at(DATABASE, host=None, hosts=[{DB: "green"}]),
    "accessories/hosts/user": at(DATABASE, host=None, hosts=[{DB: {"user": "app"}}]),
    "accessories/hosts/port": at(DATABASE, host=None, hosts=[{DB: {"port": 2222}}]),
    "accessories/hosts/key": at(DATABASE, host=None, hosts=[{DB: {"key": "~/.ssh/app"}}]),
    "accessories/hosts/sudo": at(DATABASE, host=None, hosts=[{DB: {"sudo": True}}]),
    "accessories/roles": at(DATABASE, host=None, roles=["job"]),
    "accessories/port": at(DATABASE, port="127.0.0.1:5432:5432"),
    "accessories/cmd": at(DATABASE, cmd="postgres -c fsync=off"),
    "accessories/labels": at(DATABASE, labels={"team": "data"}),
    "accessories/options": at(DATABASE, options={"memory": "1g"}),
    "accessories/env/clear": at(DATABASE, env={"clear": {"A": "2"}}),
    "accessories/env/secret": at(DATABASE, env={"secret": ["OTHER_SECRET"]}),
    "accessories/env/tags": at(DATABASE, env={"tags": {"green": {"A": "1"}}}),
    "accessories/files/source": at(DATABASE, files=["deploy.yml:/etc/a.conf"]),
    "accessories/files/target": at(DATABASE, files=["deploy.yml:/etc/b.conf"]),
    "accessories/files/mode": at(DATABASE, files=["deploy.yml:/etc/b.conf:ro"]),
    "accessories/directories/source": at(DATABASE, directories=["data:/var/lib/data"]),
    "accessories/directories/target": at(DATABASE, directories=["data:/data"]),
    "accessories/directories/mode": at(DATABASE, directories=["data:/data:ro"]),
    "accessories/volumes": at(DATABASE, volumes=["/srv/data:/data"]),
    "traefik/image": at(("traefik",), image="traefik:v3.1"),
    "traefik/host_port": at(("traefik",), host_port=8080),
    "traefik/publish": at(("traefik",), publish=False),
    "traefik/labels": at(("traefik",), labels={"x": "1"}),
    "traefik/args": at(("traefik",), args={"ping": True}),
    "traefik/options": at(("traefik",), options={"memory": "64m"}),
    "traefik/env/clear": at(("traefik",), env={"clear": {"A": "1"}}),
    "traefik/env/secret": at(("traefik",), env={"secret": ["OTHER_SECRET"]}),
    "traefik/env/tags": at(("traefik",), env={"tags": {"green": {"A": "1"}}}),
    "boot/limit": at(("boot",), limit=1),
    "boot/wait": at(("boot",), wait=9),
    "boot/failure": at(("boot",), failure="halt"),
    "release/cmd": {"release": "bin/migrate"},
    "release/timeout": {"release": {"cmd": "bin/migrate", "timeout": 60}},
    "release/role": {"release": {"cmd": "bin/migrate", "role": "job"}},
    "release/host": {"release": {"cmd": "bin/migrate", "host": "192.0.2.1"}},
    "boot/watch/seconds": at(("boot", "watch"), seconds=30),
    "boot/watch/cmd": at(("boot",), watch={"seconds": 30, "cmd": "bin/check"}),
    "boot/watch/url": at(("boot",), watch={"seconds": 30, "url": "http://localhost/"}),
    "boot/max_unavailable": at(("boot",), max_unavailable=0),
    "healthcheck/cmd": at(("healthcheck",), cmd="bin/ready"),
    "healthcheck/interval": at(("healthcheck",), interval="3s"),
    "healthcheck/max_attempts": at(("healthcheck",), max_attempts=20),
    "healthcheck/port": at(("healthcheck",), port=8080),
    "healthcheck/path": at(("healthcheck",), path="/alive"),
    "healthcheck/cord": at(("healthcheck",), cord="/cord"),
    "healthcheck/log_lines": at(("healthcheck",), log_lines=9),
    "logging/driver": at(("logging",), driver="local"),
    "logging/options": at(("logging",), options={"max-size": "1g"}),
}
"""By key: what is laid over the rich configuration; ``None`` takes a key away."""


def edited(edit: dict[str, Any]) -> dict[str, Any]:
    """The rich configuration with an edit laid over it."""
    return merged(copy.deepcopy(RICH), edit)


def merged(base: dict[str, Any], edit: dict[str, Any]) -> dict[str, Any]:
    for name, value in edit.items():
        if value is None:
            base.pop(name, None)
        else:
            is_map = isinstance(value, dict) and isinstance(base.get(name), dict)
            base[name] = merged(base[name], value) if is_map else value
    return base


def model_keys(model: type[BaseModel], prefix: str = "", above: tuple[type[BaseModel], ...] = ()) -> Iterator[str]:
    """Every key path of a model, without the names that the user gives."""
    for name, field in model.model_fields.items():
        below = [each for each in dict.fromkeys(models_in(field.annotation)) if each not in above]
        if not below:
            yield f"{prefix}{name}"
        for each in below:
            yield from model_keys(each, f"{prefix}{name}/", (*above, each))


def models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in models_in(part)]


def written_plans() -> dict[str, str]:
    """The plans of the file: a line ``== key`` before each."""
    sections = PLANS.read_text().split("== ")[1:]
    return {section.partition("\n")[0]: section.partition("\n")[2].rstrip() + "\n" for section in sections}


def plan_after(config: MakeConfig, edit: dict[str, Any]) -> str:
    """What a deploy of the edited configuration would do to hosts with the rich one."""
    before = config(environ=ENVIRON, **edited({}))
    wanted = [desired_host(a_run(before, "v2", command="setup"), name) for name in (ONE, TWO, THREE, DB)]
    seen = [with_accessories(desired, as_deployed(desired)) for desired in wanted]
    try:
        after = config(environ=ENVIRON, **edited(edit))
        return plan_of(after, *seen, run_id="f" * 32)
    except (ConfigError, PlanRefused) as error:
        return f"{type(error).__name__}: {error}\n"


def with_accessories(desired: DesiredHost, seen: ObservedHost) -> ObservedHost:
    """The host with its accessories running as wanted."""
    running = tuple(
        ObservedContainer(
            id=f"id-of-{each.name}",
            name=each.name,
            image=each.image,
            image_id="sha256:accessory",
            created="2026-01-01T00:00:00Z",
            status=Status.RUNNING,
            health=None,
            restarts=0,
            labels={**dict(each.labels), DIGEST_LABEL: each.digest, ACCESSORY_LABEL: each.owner},
            env=dict(each.env),
            mounts={},
            command=("postgres",),
            ports={},
            health_command=None,
            options=seen_options((*each.options, ("publish", (each.publish,)))),
            log_driver="json-file",
            log_options={"max-size": "10m"},
            secrets=each.secrets,
            secret_checks=each.secret_checks,
        )
        for each in desired.accessories
    )
    defaults = {"sha256:accessory": ImageDefaults(command=("postgres",))}
    return replace(seen, containers=(*seen.containers, *running), image_defaults={**seen.image_defaults, **defaults})


def test_every_key_has_an_edit_and_a_plan() -> None:
    """A new key needs an edit here and its plan in the file."""
    assert set(EDITS) == set(model_keys(Config))
    assert list(written_plans()) == list(EDITS)


def test_unedited_nothing_changes(config: MakeConfig) -> None:
    assert plan_after(config, {}) == "shop v2: nothing to change.\n"


@pytest.mark.parametrize("key", EDITS)
def test_the_plan_after_an_edit(config: MakeConfig, key: str) -> None:
    assert plan_after(config, EDITS[key]).replace(str(Path.cwd()), "PROJECT") == written_plans()[key]
