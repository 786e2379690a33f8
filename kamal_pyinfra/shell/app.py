"""Commands for app containers: run, start, cords, assets, release command."""

from __future__ import annotations

from dataclasses import replace

from kamal_pyinfra.naming import RELEASE_LABEL, assets_sibling
from kamal_pyinfra.plan.proxy.gate import gate_labels
from kamal_pyinfra.plan.proxy.router_names import hiding_labels
from kamal_pyinfra.plan.state.desired import AppContainer, Assets, ReleaseCommand
from kamal_pyinfra.shell.container import SERVICE, docker_run, docker_run_once, environment, logging, volumes
from kamal_pyinfra.shell.container import labels as label_flags
from kamal_pyinfra.shell.script import chain, host_path, in_parallel, quoted

START_INTERVAL = "200ms"
START_PROBES_SINCE = 25
"""Docker's major version from which on it probes a starting container more often (``--health-start-interval``)."""
PROBE_TIMEOUT = "30s"
"""Docker's default: an image may have a shorter one, for a check that does not try again by itself."""
ONLY_ONE = frozenset({"publish", "p", "publish-all", "name", "hostname", "ip", "restart", "detach", "cidfile"})
"""Options that the container in service has, and that no second one can have."""


def run(container: AppContainer, *, engine: str | None = None) -> str:
    """``docker run`` in Kamal 1.9's token order, plus our labels, and what makes health show sooner on this engine."""
    labels = (*gate_labels(container), *hiding_labels(container.labels, container.options))
    return docker_run(
        container,
        SERVICE,
        quoted("--name", container.name, "--hostname", container.hostname),
        _identity(container, container.name),
        environment(container),
        _health(container, engine),
        _volume(container.cord, container.cord_target, mode=":ro"),
        logging(container),
        volumes(container),
        _volume(container.assets.volume, container.assets.source) if container.assets else "",
        label_flags(container, *labels),
    )


def _identity(container: AppContainer, name: str) -> str:
    return quoted("-e", f"KAMAL_CONTAINER_NAME={name}", "-e", f"KAMAL_VERSION={container.version}")


def _health(container: AppContainer, engine: str | None) -> str:
    health = container.health
    if health is None:
        return ""
    if not health.retrying_command:
        return quoted("--health-cmd", health.command, "--health-interval", health.interval)
    major = (engine or "").partition(".")[0]
    probes_starting = major.isdecimal() and int(major) >= START_PROBES_SINCE
    return quoted(
        *("--health-cmd", health.retrying_command, "--health-interval", health.interval),
        *("--health-timeout", PROBE_TIMEOUT, "--health-retries", 1),
        *(("--health-start-period", f"{container.deadline}s") if probes_starting else ()),
        *(("--health-start-interval", START_INTERVAL) if probes_starting else ()),
    )


def _volume(source: str | None, target: str | None, *, mode: str = "") -> str:
    return f"--volume {host_path(source)}:{quoted(target)}{mode}" if source and target else ""


def sync_assets(assets: Assets, image: str, old_containers: tuple[str, ...]) -> str:
    """Copy the asset folder out of the image, fill the new container's, and let old and new ones share."""
    folders = (assets.extracted, assets.volume)
    siblings = (assets_sibling(folder, old) for old in old_containers for folder in folders)
    return chain(
        f"extract_assets {quoted(assets.helper, image, assets.source, assets.extracted)}",
        in_parallel(f"docker rm -f {quoted(assets.helper)} > /dev/null", f"share_assets {quoted(*folders, *siblings)}"),
    )


def run_release(release: ReleaseCommand) -> str:
    """Run the command once and print its output as it comes."""
    options = tuple(option for option in release.container.options if option[0] not in ONLY_ONE)
    label = f"{RELEASE_LABEL}={release.owner}"
    command = docker_run_once(
        replace(release.container, options=options, cmd=release.cmd),
        quoted("--rm", "--name", release.name),
        _identity(release.container, release.name),
        environment(release.container),
        logging(release.container),
        volumes(release.container),
        quoted("--label", label),
    )
    return f"run_release {quoted(release.name, label, release.timeout)} {command}"
