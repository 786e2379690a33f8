"""Write what ``kp plan`` prints for the examples into README.md and the pages beside this file.

A page shows a plan between ``<!-- plan: NAME -->`` and ``<!-- end of plan -->``; the names are those of
``PLANS``. ``--check`` writes nothing and exits 1 when a page is not what it would be.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from dotenv import dotenv_values
from generated import write_or_check

from kamal_pyinfra.config import Config, load_config
from kamal_pyinfra.naming import DIGEST_LABEL, OWNER_LABEL
from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.docker_values import split_command, to_seconds
from kamal_pyinfra.plan.output.text import render_text
from kamal_pyinfra.plan.plan import make_plan
from kamal_pyinfra.plan.proxy.traefik import proxy_arguments
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import AppContainer, Proxy
from kamal_pyinfra.plan.state.observed import (
    Docker,
    ObservedContainer,
    ObservedFile,
    ObservedHost,
    ObservedImage,
    Status,
)

ROOT = Path(__file__).parent.parent
PAGES_ROOT = ROOT
HOME = "/home/deploy"
BLOCK = re.compile(r"(?<=<!-- plan: )([a-z-]+)( -->\n).*?(?=<!-- end of plan -->)", re.DOTALL)


class Shown(NamedTuple):
    """A plan on a page.

    Args:
        running: the version that an earlier deploy of the same configuration left on the hosts.
        changed: what the configuration file says in place of what it said then; old and new text.
    """

    example: str
    running: str
    version: str
    changed: tuple[str, str] | None = None


PLANS = {
    "new-version": Shown("three-roles", "v1", "v2"),
    "changed-setting": Shown("three-roles", "v2", "v2", ("LOG_LEVEL: info", "LOG_LEVEL: warn")),
    "another-version": Shown("three-roles", "v2", "v3"),
    "two-fields": Shown("three-roles", "v2", "v3", ("LOG_LEVEL: info", "LOG_LEVEL: debug")),
    "nothing": Shown("three-roles", "v2", "v2"),
}


def example_config(example: str, destination: str | None = None, changed: tuple[str, str] | None = None) -> Config:
    """An example's configuration, with a value for each of its secrets."""
    folder = ROOT / "examples" / example
    environ = dict.fromkeys(dotenv_values(folder / ".env.example"), "not-a-secret")
    config = load_config(folder / "config/deploy.yml", destination=destination, environ=environ)
    if changed is None:
        return config
    name, value = changed[1].split(": ")
    env = config.env.model_copy(update={"clear": {**config.env.clear, name: value}})
    return config.model_copy(update={"env": env})


def example_run(config: Config, version: str, command: str = "deploy") -> Run:
    """A run with fixed values, so that a page is the same text every time."""
    return Run(
        config=config,
        version=version,
        run_id=("0123456789abcdef" * 2) if version == "v1" else ("fedcba9876543210" * 2),
        started_at="2026-01-02T03:04:05Z",
        performer="dev@example.com",
        locked_by="Dev",
        holder="",
        command=command,
        is_setup=command == "setup",
    )


def deployed_host(run: Run, host: str) -> ObservedHost:
    """A host as a finished deploy leaves it."""
    desired = desired_host(run, host)
    image_id = f"sha256:{run.version}"
    references = (desired.image, run.latest_image, *([desired.proxy.image] if desired.proxy else []))
    assets = [container.assets for container in desired.containers if container.assets]
    return ObservedHost(
        host=host,
        user="deploy",
        home=HOME,
        docker=Docker(installed=True, version="26.1.5"),
        containers=(
            *(deployed_container(container, image_id) for container in desired.containers),
            *([deployed_proxy(desired.proxy)] if desired.proxy else []),
        ),
        images=tuple(ObservedImage(reference=reference, id=image_id) for reference in references),
        directories=frozenset(desired.directories),
        files={file.path: ObservedFile(digest=file.digest, mode="600") for file in desired.env_files},
        cords={container.cord: True for container in desired.containers if container.cord},
        assets=frozenset(path for folders in assets for path in (folders.extracted, folders.volume)),
        logged_in=True,
    )


def deployed_container(container: AppContainer, image_id: str) -> ObservedContainer:
    """An app container that serves."""
    mounts = {volume.split(":")[1]: volume.split(":")[0] for volume in container.volumes}
    if container.cord and container.cord_target:
        mounts[container.cord_target] = f"{HOME}/{container.cord}"
    if container.assets:
        mounts[container.assets.source] = f"{HOME}/{container.assets.volume}"
    return observed(
        container,
        image_id=image_id,
        health="healthy" if container.health else None,
        labels={**dict(container.labels), DIGEST_LABEL: container.digest},
        env={**dict(container.env), "KAMAL_VERSION": container.version},
        mounts=mounts,
        command=split_command(container.cmd or ""),
        health_command=container.health.command if container.health else None,
        health_interval=to_seconds(container.health.interval) if container.health else 0.0,
    )


def deployed_proxy(proxy: Proxy) -> ObservedContainer:
    """The proxy that runs."""
    return observed(
        proxy,
        image_id="sha256:traefik",
        labels={**dict(proxy.labels), DIGEST_LABEL: proxy.digest, OWNER_LABEL: proxy.owner},
        env=dict(proxy.env),
        mounts={},
        command=proxy_arguments(proxy),
    )


def observed(wanted: AppContainer | Proxy, **seen: object) -> ObservedContainer:
    """A running container."""
    fixed = {"created": "2026-01-01T00:00:00Z", "status": Status.RUNNING, "restarts": 0, "ports": {}}
    values = {"health": None, "health_command": None, **fixed, **seen}
    return ObservedContainer(id=wanted.name, name=wanted.name, image=wanted.image, **values)  # type: ignore[arg-type]


def plan_text(shown: Shown) -> str:
    """What ``kp plan`` prints for an example."""
    before = example_run(example_config(shown.example), shown.running)
    after = example_run(example_config(shown.example, changed=shown.changed), shown.version)
    hosts = [server.host for server in after.config.role_hosts]
    return render_text(make_plan(after, {host: deployed_host(before, host) for host in hosts}))


def with_plans(text: str) -> str:
    """A page with today's plans in it."""

    def block(match: re.Match[str]) -> str:
        return f"{match[1]}{match[2]}\n```console\n$ kp plan\n{plan_text(PLANS[match[1]])}```\n\n"

    return BLOCK.sub(block, text)


def main(arguments: list[str]) -> int:
    """Write or check the pages."""
    pages = [PAGES_ROOT / "README.md", *sorted(PAGES_ROOT.glob("docs/**/*.md"))]
    return write_or_check({page: with_plans(page.read_text()) for page in pages}, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
