"""Hosts as earlier runs left them, and the plan for what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kamal_pyinfra.config import Config
from kamal_pyinfra.naming import DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.state.observed import Docker, ObservedContainer, ObservedHost, Status
from tests.conftest import HOME, a_run, as_deployed

HOST = "192.0.2.1"
DOCKER = Docker(installed=True, version="26.1.5")


def fresh(host: str = HOST, **fields: Any) -> ObservedHost:
    """A host with Docker and nothing of ours."""
    return ObservedHost(host=host, user="deploy", home=HOME, docker=DOCKER, **fields)


def deployed(config: Config, version: str = "v1", host: str = HOST, **run: Any) -> ObservedHost:
    """A host after a deploy of one version, and of none before."""
    return as_deployed(desired_host(a_run(config, version, **run), host))


def together(*hosts: ObservedHost) -> ObservedHost:
    """One host with what all of them have; of what two have in common, the later one's."""
    return replace(
        hosts[-1],
        containers=tuple({each.name: each for host in hosts for each in host.containers}.values()),
        images=tuple({each.reference: each for host in hosts for each in host.images}.values()),
        directories=frozenset().union(*(host.directories for host in hosts)),
        files={path: file for host in hosts for path, file in host.files.items()},
        cords={path: is_tied for host in hosts for path, is_tied in host.cords.items()},
        assets=frozenset().union(*(host.assets for host in hosts)),
        env_files=frozenset().union(*(host.env_files for host in hosts)),
        image_defaults={identity: each for host in hosts for identity, each in host.image_defaults.items()},
    )


def altered(host: ObservedHost, name: str, /, **fields: Any) -> ObservedHost:
    """The host with one container changed."""
    containers = [replace(each, **fields) if each.name == name else each for each in host.containers]
    assert host.container(name) is not None
    return replace(host, containers=tuple(containers))


def stopped(host: ObservedHost, *names: str) -> ObservedHost:
    """The host with containers stopped, all of the app's by default; their cords are cut."""
    chosen = names or tuple(each.name for each in host.containers if each.role)
    for name in chosen:
        host = altered(host, name, status=Status.EXITED, health="unhealthy" if host.container(name).health else None)
    return replace(host, cords={path: is_tied and bool(names) for path, is_tied in host.cords.items()})


def without(host: ObservedHost, *names: str) -> ObservedHost:
    """The host without some containers."""
    return replace(host, containers=tuple(each for each in host.containers if each.name not in names))


def without_ours(container: ObservedContainer) -> ObservedContainer:
    """The container as Kamal would have made it."""
    labels = {name: value for name, value in container.labels.items() if name not in (DIGEST_LABEL, OWNER_LABEL)}
    return replace(container, labels=labels)


def made_by_kamal(host: ObservedHost) -> ObservedHost:
    """The host as Kamal would have left it."""
    return replace(host, containers=tuple(map(without_ours, host.containers)))


def plan_of(config: Config, *seen: ObservedHost, version: str = "v2", **run: Any) -> str:
    """The whole plan as text."""
    observed: Mapping[str, ObservedHost] = {host.host: host for host in seen}
    return render_text(make_plan(a_run(config, version, **run), observed))
