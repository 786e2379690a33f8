"""Three builders: a configuration, a run of it, and a host on which a run is over."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib.abc import MetaPathFinder
from pathlib import Path
from posixpath import normpath
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import settings

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.naming import DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan.compare.fields import OPTIONS, RESTART
from kamal_pyinfra.plan.docker_values import Options, split_command, to_seconds
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import AppContainer, DesiredHost, Proxy
from kamal_pyinfra.plan.state.observed import (
    Docker,
    ImageDefaults,
    ObservedContainer,
    ObservedFile,
    ObservedHost,
    ObservedImage,
    Status,
)
from kamal_pyinfra.redactor import redacted
from tests.schedule import ByGroup, arrange

HOME = "/home/deploy"
IMAGE_COMMAND = "serve --port 3000"
SECRETS = {"REGISTRY_PASSWORD": "hush-registry", "TOP_SECRET": "hush-top", "OTHER_SECRET": "hush-other"}
LEAST = {
    "service": "shop",
    "image": "acme/shop",
    "registry": {"username": "acme", "password": ["REGISTRY_PASSWORD"]},
    "servers": ["192.0.2.1"],
}


def pytest_configure() -> None:
    """Give each worker a lab of its own: the first has the first, the second the second."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        sys.meta_path.insert(0, NoEngine())
    if worker.removeprefix("gw").strip("0"):
        os.environ["LAB_NTH"] = worker.removeprefix("gw")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say which kamal-proxy serves where tests run on a lab: the real one, and from where, or the stand-in."""
    chosen = str(config.getoption("markexpr")).split()
    if "lab" not in chosen or chosen[:2] == ["not", "lab"]:
        return None
    from tests.lab import Lab, LabError

    try:
        return f"kamal-proxy in the lab: {Lab.load().kamal_proxy}"
    except (LabError, TypeError):
        return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    arrange(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByGroup | None:
    """Only where files were asked to stay together; the other tests need no lab."""
    return ByGroup(config, log) if config.getvalue("dist") == "loadfile" else None


class NoEngine(MetaPathFinder):
    """Fails the test that loads the engine into a worker: it patches the threads by which a worker waits for tests."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse the one package that patches; find nothing."""
        if fullname == "pyinfra_cli":
            raise AssertionError("This test loads the engine into the process of the tests; see `stand_in`")


settings.register_profile("no deadline", deadline=None)  # a busy machine fails no property
settings.load_profile("no deadline")

MakeConfig = Callable[..., Config]
StandIn = Callable[..., None]


@pytest.fixture(autouse=True)
def no_secrets() -> None:
    """Let no test be silent about the secrets of the one before."""
    redacted.forget()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Put functions in the place of a module of the runner that would load the engine."""

    def stands_in(module: str, **functions: Callable[..., Any]) -> None:
        instead = ModuleType(module)
        vars(instead).update(functions)
        monkeypatch.setitem(sys.modules, module, instead)

    return stands_in


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeConfig:
    """Load the least that is valid, with sections replaced or added."""
    monkeypatch.chdir(tmp_path)

    def loaded(*, destination: str | None = None, environ: Mapping[str, str] = SECRETS, **sections: Any) -> Config:
        path = tmp_path / "deploy.yml"
        path.write_text(yaml.safe_dump(LEAST | sections, sort_keys=False))
        if destination is not None:
            (tmp_path / f"deploy.{destination}.yml").write_text("{}")
        return load_config(path, destination=destination, environ=environ)

    return loaded


def a_run(config: Config, version: str = "v2", **fields: Any) -> Run:
    """A run with fixed values; the last digit of the version, repeated, is its id."""
    values = {
        "run_id": version[-1] * 32,
        "started_at": "2026-01-02T03:04:05Z",
        "performer": "dev@example.com",
        "locked_by": "Dev",
        "holder": "laptop 4242 1767322000",
    }
    return Run(config=config, version=version, **(values | fields))


def as_deployed(desired: DesiredHost) -> ObservedHost:
    """The host once everything that it should have is there and healthy; of day N for version vN."""
    proxies = () if desired.proxy is None else (_proxy(desired.proxy),)
    references = [desired.image, desired.run.latest_image] if desired.containers else []
    assets = [container.assets for container in desired.containers if container.assets]
    return ObservedHost(
        host=desired.host,
        user="deploy",
        home=HOME,
        docker=Docker(installed=True, version="26.1.5"),
        containers=(*(_app(desired, container) for container in desired.containers), *proxies),
        images=(
            *(ObservedImage(reference=reference, id=f"sha256:{desired.run.version}") for reference in references),
            *(ObservedImage(reference=proxy.image, id=proxy.image_id) for proxy in proxies),
        ),
        directories=frozenset(desired.directories),
        files={
            file.path: ObservedFile(digest=file.digest, mode="600", checks=file.checks) for file in desired.env_files
        },
        cords={container.cord: True for container in desired.containers if container.cord},
        assets=frozenset(path for folders in assets for path in (folders.extracted, folders.volume)),
        image_defaults={
            f"sha256:{desired.run.version}": ImageDefaults(
                env=frozenset({"PATH"}), command=split_command(IMAGE_COMMAND)
            ),
            "sha256:traefik": ImageDefaults(env=frozenset({"PATH"})),
        },
        logged_in=True,
    )


def _app(desired: DesiredHost, container: AppContainer) -> ObservedContainer:
    secrets = next(file.names for file in desired.env_files if file.path == container.env_file)
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in container.volumes}
    if container.assets:
        mounts[container.assets.source] = _absolute(container.assets.volume)
    if container.cord and container.cord_target:
        mounts[container.cord_target] = _absolute(container.cord)
    return ObservedContainer(
        **_common(container, day=desired.run.version[-1]),
        image_id=f"sha256:{desired.run.version}",
        health="healthy" if container.health else None,
        env={
            **dict.fromkeys(secrets),
            **dict(container.env),
            "KAMAL_CONTAINER_NAME": None,
            "KAMAL_VERSION": container.version,
        },
        labels={**dict(container.labels), DIGEST_LABEL: container.digest},
        mounts=mounts,
        volumes={normpath(target): source for target, source in mounts.items()},
        command=split_command(container.cmd or IMAGE_COMMAND),
        ports={},
        health_command=container.health.command if container.health else None,
        health_interval=to_seconds(container.health.interval) if container.health else 0.0,
        secrets=container.secrets,
        secret_checks=container.secret_checks,
        options=seen_options(container.options),
        **_logging(container.log_options),
    )


def _proxy(proxy: Proxy) -> ObservedContainer:
    return ObservedContainer(
        **_common(proxy, day="1"),
        image_id="sha256:traefik",
        health=None,
        env=dict(proxy.env),
        labels={**dict(proxy.labels), DIGEST_LABEL: proxy.digest, OWNER_LABEL: proxy.owner},
        mounts={"/var/run/docker.sock": "/var/run/docker.sock"},
        command=proxy_arguments(proxy),
        ports={"80/tcp": (":80",)},
        health_command=None,
        secrets=proxy.secrets,
        secret_checks=proxy.secret_checks,
        options=seen_options((*proxy.options, ("publish", (proxy.publish,) if proxy.publish else ()))),
        **_logging(proxy.log_options),
    )


def seen_options(options: Options) -> dict[str, tuple[object, ...]]:
    """What inspect shows of options, as they were written."""
    written = {name: value if isinstance(value, tuple | list) else (value,) for name, value in options}
    seen = {each.field: tuple(item for name in each.names for item in written.get(name, ())) for each in OPTIONS}
    return seen | {RESTART: tuple(written.get(RESTART, ("unless-stopped",)))}


def _logging(options: Options) -> dict[str, Any]:
    driver = next((str(value) for flag, value in options if flag == "--log-driver"), "json-file")
    pairs = (str(value).split("=", 1) for flag, value in options if flag == "--log-opt")
    return {"log_driver": driver, "log_options": dict(pairs)}


def _common(wanted: AppContainer | Proxy, day: str) -> dict[str, Any]:
    return {
        "id": f"id-of-{wanted.name}",
        "name": wanted.name,
        "image": wanted.image,
        "created": f"2026-01-0{day}T00:00:00Z",
        "status": Status.RUNNING,
        "restarts": 0,
    }


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"{HOME}/{path}"
