"""Values for command builders: the golden configuration, and small containers to vary."""

from __future__ import annotations

import tempfile
from dataclasses import replace as replace_fields
from pathlib import Path

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.plan.changes import AwaitContainer, BootContainer, ReplaceContainer, RestartContainer, StopContainer
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import AppContainer, Assets, Health, Proxy

FIXTURES = Path(__file__).parent.parent / "fixtures"
RUN_ID = "0123456789abcdef0123456789abcdef"
SUFFIX = RUN_ID[:16]
SECRETS = {
    "KAMAL_REGISTRY_PASSWORD": "registry-hush",
    "SECRET_KEY_BASE": "base-hush",
    "POSTGRES_PASSWORD": "postgres-hush",
}

ASSETS = Assets(
    helper="shop-web-assets",
    source="/app/assets",
    extracted=".kamal/assets/extracted/shop-web-v2",
    volume=".kamal/assets/volumes/shop-web-v2",
)

APP = {
    "name": "shop-web-v2",
    "role": "web",
    "version": "v2",
    "image": "acme/shop:v2",
    "hostname": "192.0.2.1-0123456789ab",
    "env_file": ".kamal/env/roles/shop-web.env",
    "env": (),
    "labels": (("service", "shop"),),
    "volumes": (),
    "options": (),
    "log_options": (),
    "cmd": None,
    "health": Health(command="true", interval="1s"),
    "cord": ".kamal/cords/shop-web-new",
    "cord_target": "/tmp/kamal-cord",
    "assets": None,
    "deadline": 28,
    "readiness_delay": 7,
    "stop_timeout": None,
    "log_lines": 50,
    "is_primary": True,
    "digest": "d1",
}

JOB = APP | {
    "name": "shop-job-v2",
    "role": "job",
    "hostname": "192.0.2.1-0123456789ab",
    "health": None,
    "cord": None,
    "cord_target": None,
    "is_primary": False,
}

PROXY = {
    "name": "traefik",
    "image": "traefik:v2.11",
    "publish": "80:80",
    "env_file": ".kamal/env/traefik/traefik.env",
    "env": (),
    "labels": (),
    "options": (),
    "log_options": (),
    "volumes": ("/var/run/docker.sock:/var/run/docker.sock",),
    "args": (),
    "owner": "shop",
    "digest": "d1",
}


def app_container(**fields: object) -> AppContainer:
    return AppContainer(**(APP | fields))


def job_container(**fields: object) -> AppContainer:
    return AppContainer(**(JOB | fields))


def proxy(**fields: object) -> Proxy:
    return Proxy(**(PROXY | fields))


def boot(awaited_port: str | None = None, **fields: object) -> BootContainer:
    return BootContainer(container=app_container(**fields), role="web", cause="not found", awaited_port=awaited_port)


def replace(**fields: object) -> ReplaceContainer:
    return ReplaceContainer(container=app_container(**fields), role="web", cause="env changed")


def restart(cord: str | None = "/root/.kamal/cords/shop-web-then", **fields: object) -> RestartContainer:
    return RestartContainer(container=app_container(**fields), role="web", cause="is stopped", cord=cord)


def wait_for(**fields: object) -> AwaitContainer:
    return AwaitContainer(container=app_container(**fields), role="web", cause="is starting")


def stop(
    name: str = "shop-web-v1", cord: str | None = "/root/.kamal/cords/shop-web-old", timeout: int | None = None
) -> StopContainer:
    return StopContainer(name=name, role="web", cause="stops", cord=cord, drain_timeout=34, stop_timeout=timeout)


def golden_config(text: str | None = None, **environ: str) -> Config:
    """Kamal's golden configuration, whose commands were traced; or another."""
    if text is None:
        return load_config(FIXTURES / "deploy_golden.yml", environ=SECRETS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "deploy.yml")
        path.write_text(text)
        return load_config(path, environ=SECRETS | environ)


def new_run(config: Config, version: str = "newsha", **fields: object) -> Run:
    values = {
        "config": config,
        "version": version,
        "run_id": RUN_ID,
        "started_at": "2026-05-01T10:00:00Z",
        "performer": "dev@example.com",
        "locked_by": "Dev",
        "holder": "laptop 4242 Mon-May-1",
    }
    return Run(**(values | fields))


def counted_by_docker(container: AppContainer) -> AppContainer:
    """The container with the health check that Kamal would give it."""
    return replace_fields(container, health=container.health and replace_fields(container.health, retrying_command=""))
