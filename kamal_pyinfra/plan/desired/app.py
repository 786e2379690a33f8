"""The app containers of a role on a host, with their health check."""

from __future__ import annotations

from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config, Role, model
from kamal_pyinfra.config.sections import Healthcheck
from kamal_pyinfra.plan.docker_values import is_in_options, log_options, to_seconds
from kamal_pyinfra.plan.proxy.traefik import proxy_labels
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import AppContainer, Assets, EnvFile, Health
from kamal_pyinfra.plan.state.digest import completed

TRY_AGAIN_SECONDS = 0.25
LONGEST_PROMPT_INTERVAL = 5
"""Seconds; Docker ends a probe after 30."""
STANDBY_LOOKS, STANDBY_PAUSE = 100, 0.1
"""How often a probe that stands by looks for the cord, and seconds between."""
LOOKS_BETWEEN_CHECKS = 10


def retrying_command(check: Healthcheck, *, stands_by: bool = True) -> str:
    """The health check that tries again by itself and looks for the cord each time; see :class:`Health`.

    With a long interval it would have to hold out longer than Docker lets a probe run. One that stands by may go on for
    some seconds and watch the cord, when it is asked for.
    """
    seconds = to_seconds(check.interval)
    if seconds > LONGEST_PROMPT_INTERVAL:
        return ""
    tries = int(2 * seconds / TRY_AGAIN_SECONDS) + 1
    cord = f"stat {check.cord}/cord > /dev/null"
    return (
        f"tries=0; until said=$( ({check.command}) 2>&1); do tries=$((tries + 1)); "
        f'[ $tries -lt {tries} ] && {cord} || {{ echo "$said"; exit 1; }}; '
        f"sleep {TRY_AGAIN_SECONDS} || sleep 1; done; {_stand_by(check) if stands_by else ''}{cord} || exit 1"
    )


def _stand_by(check: Healthcheck) -> str:
    """Watch the cord until the time that the note tells, and the app as often as Docker would.

    Whatever an image lacks for that ends it, so that the probe is as short as any.
    """
    cord, note = f"{check.cord}/cord", f"{check.cord}/standby"
    return (
        f'{{ read -r until < {note} && [ "$(date +%s)" -lt "$until" ] && looks=0 && '
        f"while [ -e {note} ] && [ -e {cord} ] && [ $looks -lt {STANDBY_LOOKS} ]; do "
        f"sleep {STANDBY_PAUSE} || break; looks=$((looks + 1)); "
        f"[ $((looks % {LOOKS_BETWEEN_CHECKS})) -ne 0 ] || ({check.command}) > /dev/null || break; "
        f"done; }} 2> /dev/null; "
    )


def app_containers(run: Run, role: Role, host: str, env_file: EnvFile) -> tuple[AppContainer, ...]:
    """The containers that should serve ``role`` on ``host`` with the run's version.

    The first is what it would be without replicas, so that Kamal finds it; names, cords and host names of the others
    have their number added.
    """
    first = app_container(run, role, host, env_file)
    replicas = (
        replace(
            first,
            name=naming.replica_name(first.name, number),
            hostname=naming.container_hostname(host, run.short_id, number),
            cord=first.cord and naming.replica_name(first.cord, number),
            replica=number,
        )
        for number in range(2, role.replicas + 1)
    )
    return (first, *replicas)


def app_container(run: Run, role: Role, host: str, env_file: EnvFile) -> AppContainer:
    """The first or only container that should serve ``role`` on ``host`` with the run's version."""
    config = run.config
    name = naming.container_name(config, role.name, run.version)
    container = AppContainer(
        name=name,
        role=role.name,
        version=run.version,
        image=config.absolute_image(run.version),
        hostname=naming.container_hostname(host, run.short_id),
        env_file=env_file.path,
        labels=tuple(app_labels(config, role).items()),
        volumes=config.volumes,
        options=tuple(role.options.items()),
        log_options=log_options(role.logging),
        cmd=role.cmd,
        health=_health(role),
        cord=naming.cord_directory(config, role.name, run.run_id) if role.uses_cord else None,
        cord_target=role.healthcheck.cord if role.uses_cord else None,
        assets=_assets(config, role, name),
        deadline=model.ready_seconds(config, role),
        readiness_delay=config.readiness_delay,
        stop_timeout=model.stop_seconds(config),
        log_lines=role.healthcheck.log_lines,
        is_primary=role.is_primary,
        probe_path=role.healthcheck.path,
    )
    return completed(container, config, config.env_for(role.name, host), keeps_secrets=run.keeps_env)


def _health(role: Role) -> Health | None:
    """The health check that Docker runs, with the cord's test joined to it."""
    check = role.healthcheck
    if not role.has_healthcheck:
        return None
    if not role.uses_cord:
        return Health(command=check.command, interval=check.interval)
    stands_by = not is_in_options(tuple(role.options.items()), "health-timeout")
    return Health(
        command=f"({check.command}) && (stat {check.cord}/cord > /dev/null || exit 1)",
        interval=check.interval,
        retrying_command=retrying_command(check, stands_by=stands_by),
    )


def _assets(config: Config, role: Role, container: str) -> Assets | None:
    """The asset folders of a container; only roles behind the proxy bridge assets."""
    if not (role.asset_path and role.running_traefik):
        return None
    return Assets(
        helper=f"{naming.container_prefix(config, role.name)}-assets",
        source=role.asset_path,
        extracted=naming.assets_path(config, "extracted", container),
        volume=naming.assets_path(config, "volumes", container),
    )


def app_labels(config: Config, role: Role) -> dict[str, str]:
    """Labels in Kamal's order: defaults, then the proxy's, then root labels, then the role's own."""
    defaults = {"service": config.service, "role": role.name, "destination": config.destination or ""}
    proxy = proxy_labels(naming.container_prefix(config, role.name)) if role.running_traefik else {}
    return defaults | proxy | dict(config.labels) | dict(role.labels)
