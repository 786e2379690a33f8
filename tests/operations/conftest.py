from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyinfra
import pytest

from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import Docker, ObservedHost, Status
from kamal_pyinfra.plan.tasks.table import TASKS
from tests.conftest import as_deployed
from tests.operations.fleet import Fleet
from tests.operations.machine import Machine
from tests.shell.builders import golden_config, new_run

CONFIG = """
service: shop
image: acme/shop
servers:
  web:
    hosts: [192.0.2.1, 192.0.2.2]
  job:
    hosts: [192.0.2.1]
    cmd: bin/jobs
registry: {username: acme, password: [KAMAL_REGISTRY_PASSWORD]}
env: {clear: {COLOR: blue}, secret: [SECRET_KEY_BASE]}
traefik: {env: {secret: [POSTGRES_PASSWORD]}}
asset_path: /app/assets
retain_containers: 1
"""
PRIMARY, OTHER = HOSTS = ("192.0.2.1", "192.0.2.2")
OLD_RUN_ID = "f" * 32

MakeFleet = Callable[..., Fleet]


@pytest.fixture
def run() -> Run:
    """A deploy of version v2 to two hosts."""
    return new_run(golden_config(CONFIG), "v2")


def fresh(run: Run, host: str) -> ObservedHost:
    """A host on which only Docker is."""
    return ObservedHost(host=host, user="deploy", home="/home/deploy", docker=Docker(installed=True, version="26.1.5"))


def deployed(run: Run, host: str) -> ObservedHost:
    """A host on which the run is over."""
    return as_deployed(desired_host(run, host))


def behind(run: Run, host: str) -> ObservedHost:
    """A host on which version v1 serves."""
    return deployed(replace(run, version="v1", run_id=OLD_RUN_ID), host)


def booted(run: Run, host: str) -> ObservedHost:
    """A host on which v1 and v2 serve."""
    old, new = behind(run, host), deployed(run, host)
    return replace(
        new,
        containers=(*new.containers, *(container for container in old.containers if container.role)),
        images=(*(image for image in old.images), *(image for image in new.images if "latest" not in image.reference)),
        cords={**old.cords, **new.cords},
        assets=old.assets | new.assets,
    )


def retired(run: Run, host: str) -> ObservedHost:
    """A host on which v2 serves and v1 is stopped."""
    both = booted(run, host)
    return replace(
        both,
        containers=tuple(
            replace(container, status=Status.EXITED) if container.version == "v1" else container
            for container in both.containers
        ),
    )


@pytest.fixture
def fleet(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeFleet]:
    """Make a fleet on which all hosts are of one kind; at the end nothing unexpected must have been asked of it."""
    monkeypatch.setattr(pyinfra, "is_cli", False)
    fleets: list[Fleet] = []

    def make(kind: Callable[[Run, str], ObservedHost], a_run: Run = run) -> Fleet:
        fleets.append(Fleet.of(a_run, {host: kind(a_run, host) for host in HOSTS}))
        return fleets[-1]

    yield make
    assert [command for made in fleets for command in made.unexpected] == []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A deploying machine of which this process is a part."""
    made = Machine.at(tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(made.project)
    return made


def step(name, number=-1, **options):
    """What the operation of a step of a task is given, by default of its last one."""
    task = TASKS[name].given(**options) if options else TASKS[name]
    chosen = task.steps[number]
    return {
        "decide": task.decide,
        "kinds": chosen.kinds,
        "audits": chosen.audits,
        "is_observed": task.is_observed,
    }
