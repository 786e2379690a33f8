"""Config, version and host become what that host should have: folders, env files, proxy, containers, accessories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from posixpath import normpath

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config, Role, model
from kamal_pyinfra.config.accessory import Mount
from kamal_pyinfra.config.env import Env, env_file_text, join_env
from kamal_pyinfra.config.secrets import registry_credentials, secret_value
from kamal_pyinfra.config.sections import Healthcheck
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.docker_values import is_in_options, log_options, to_seconds
from kamal_pyinfra.plan.proxy.traefik import proxy_container, proxy_labels
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state import desired as specs

TRY_AGAIN_SECONDS = 0.25
LONGEST_PROMPT_INTERVAL = 5
"""Seconds; Docker ends a probe after 30."""
STANDBY_LOOKS, STANDBY_PAUSE = 100, 0.1
"""How often a probe that stands by tests the cord, and seconds between."""
LOOKS_BETWEEN_CHECKS = 10
WORKING_FOLDER = "$PWD/"
"""How a volume's source below the SSH user's home begins; only the host knows that folder."""


def retrying_command(check: Healthcheck, *, stands_by: bool = True) -> str:
    """The health check that tries again by itself and tests the cord each time; see :class:`Health`.

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


def app_containers(run: Run, role: Role, host: str) -> tuple[specs.AppContainer, ...]:
    """Those that should serve a role on a host; the first is what it would be without replicas: Kamal finds it."""
    first = app_container(run, role, host)
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


def app_container(run: Run, role: Role, host: str) -> specs.AppContainer:
    """The first or only container that should serve ``role`` on ``host`` with the run's version."""
    config = run.config
    name = naming.container_name(config, role.name, run.version)
    container = specs.AppContainer(
        name=name,
        role=role.name,
        version=run.version,
        image=naming.image_reference(config, run.version),
        hostname=naming.container_hostname(host, run.short_id),
        env_file=naming.role_env_file(config, role.name),
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
    return specs.completed(container, config, config.env_for(role.name, host), keeps_secrets=run.keeps_env)


def _health(role: Role) -> specs.Health | None:
    """The health check that Docker runs, with the cord's test joined to it."""
    check = role.healthcheck
    if not role.uses_cord:
        return specs.Health(command=check.command, interval=check.interval) if role.has_healthcheck else None
    stands_by = not is_in_options(tuple(role.options.items()), "health-timeout")
    return specs.Health(
        command=f"({check.command}) && (stat {check.cord}/cord > /dev/null || exit 1)",
        interval=check.interval,
        retrying_command=retrying_command(check, stands_by=stands_by),
    )


def _assets(config: Config, role: Role, container: str) -> specs.Assets | None:
    """The asset folders of a container; only roles behind the proxy bridge assets."""
    if not (role.asset_path and role.running_traefik):
        return None
    return specs.Assets(
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


def every_accessory(run: Run) -> tuple[specs.AccessoryContainer, ...]:
    """All accessories of the configuration, wherever they are; without a need for secrets or files."""
    reading = replace(run, keeps_env=True, command="deploy")
    return tuple(accessory_container(reading, name) for name in run.config.accessories)


def accessory_container(run: Run, name: str) -> specs.AccessoryContainer:
    """The container that an accessory should be, the same on all its hosts."""
    config, section = run.config, run.config.accessories[name]
    container = naming.accessory_container(config, name)
    paths = [_file_path(mount.target, container) for mount in section.files]
    sources = [mount.source for mount in section.directories]
    folders = tuple(source if source.startswith("/") else f"{container}/{source}" for source in sources)
    mounts = zip((*paths, *folders), (*section.files, *section.directories), strict=True)
    accessory = specs.AccessoryContainer(
        key=name,
        name=container,
        owner=naming.accessory_owner(config, name),
        image=section.image,
        publish=section.publish,
        env_file=naming.accessory_env_file(config, container),
        labels=tuple(({"service": container} | dict(section.labels)).items()),
        volumes=(*section.volumes, *(_volume(path, mount) for path, mount in mounts)),
        options=tuple(section.options.items()),
        log_options=log_options(config.logging),
        cmd=section.cmd,
        uploads=tuple(
            specs.Upload(
                path=_file_path(target, container),
                content=content,
                digest="" if content is None else specs.digest_content(content),
            )
            for target, content in _contents(run, name).items()
        ),
        directories=folders,
    )
    return specs.completed(accessory, config, join_env(config.accessories[name].env), keeps_secrets=run.keeps_env)


def _volume(path: str, mount: Mount) -> str:
    source = path if path.startswith("/") else f"{WORKING_FOLDER}{path}"
    return ":".join(filter(None, (source, mount.target, mount.mode)))


def _file_path(target: str, container: str) -> str:
    """Where a file for the container's path lies: below the accessory's folder, and never above it."""
    return f"{container}{normpath(f'/{target}').replace('//', '/')}"


def _contents(run: Run, name: str) -> dict[str, str | bytes | None]:
    """Only what boots uploads files, and needs them; commands that keep secrets do not."""
    config: Config = run.config
    try:
        return dict(config.accessory_files(name))
    except ConfigError:
        if run.behaviour.boots_accessories and not run.keeps_env:
            raise
        return {mount.target: None for mount in config.accessories[name].files}


def desired_host(run: Run, host: str) -> specs.DesiredHost:
    """What one host should have once the run is over; a secret or a file that it needs may be a ``ConfigError``."""
    config, behaviour = run.config, run.behaviour
    on_host = tuple(role for role in config.roles if run.includes(role.name) and host in role.hosts)
    roles = on_host if behaviour.boots_app else ()
    # That of a role exists even without secrets, since ``--env-file`` needs it.
    env_files = tuple(
        _env_file(run, naming.role_env_file(config, role.name), config.env_for(role.name, host), role.name)
        for role in roles
    )
    runs_proxy = behaviour.boots_proxy and any(role.running_traefik for role in on_host)
    proxy_env = _env_file(run, naming.proxy_env_file(config), join_env(config.traefik.env)) if runs_proxy else None
    names = (name for name in config.accessories_on(host) if run.includes_accessory(name))
    accessories = tuple(accessory_container(run, name) for name in names)
    accessory_env = tuple(
        _env_file(run, each.env_file, join_env(config.accessories[each.key].env))
        for each in (accessories if behaviour.writes_accessory_env else ())
    )
    containers = tuple(each for role in roles for each in app_containers(run, role, host))
    return specs.DesiredHost(
        run=run,
        host=host,
        owner=run.owner,
        directories=_directories(run, host, has_roles=bool(roles), with_proxy=runs_proxy),
        env_files=(*env_files, *((proxy_env,) if proxy_env else ()), *accessory_env),
        registry=_registry(run),
        proxy=None if proxy_env is None else proxy_container(config, proxy_env),
        containers=containers,
        accessories=accessories,
        release=_release(run, host, containers),
    )


def _release(run: Run, host: str, containers: Sequence[specs.AppContainer]) -> specs.ReleaseCommand | None:
    """The release command, on the one host where it runs."""
    release = run.config.release
    container = next((each for each in containers if each.role == run.release_role), None)
    if release is None or container is None or host != run.release_host:
        return None
    return specs.ReleaseCommand(
        name=f"{naming.container_prefix(run.config, container.role)}-exec-{run.version}-{run.short_id}",
        owner=naming.service_name(run.config),
        cmd=release.cmd,
        timeout=release.timeout,
        container=container,
    )


def _directories(run: Run, host: str, *, has_roles: bool, with_proxy: bool) -> tuple[str, ...]:
    """Folders for what is on the host; one that carries accessories alone keeps the record and the audit log."""
    folders = directories(run.config, with_proxy=with_proxy) if has_roles else ()
    if not run.config.accessories_on(host) or run.roles:
        return folders
    own = (accessory_env_directory(run.config),) if run.behaviour.writes_accessory_env else ()
    return (*(folders or (run.config.run_directory,)), *own)


def accessory_env_directory(config: Config) -> str:
    """The folder of the accessories' secrets."""
    return f"{config.run_directory}/env/accessories"


def _registry(run: Run) -> specs.Registry | None:
    """Where images come from; ``None`` without a login there, or if the password is not known on this machine."""
    if run.config.registry.is_built_in:
        return None
    try:
        username, password = registry_credentials(run.config)
    except ConfigError:
        if run.keeps_env:
            return None
        raise
    return specs.Registry(server=run.config.registry.server, username=username, password=password)


def directories(config: Config, *, with_proxy: bool) -> tuple[str, ...]:
    """The folders that everything else is put into."""
    base = config.run_directory
    folders = (base, f"{base}/locks", f"{base}/env/roles")
    return (*folders, f"{base}/env/traefik") if with_proxy else folders


def _env_file(run: Run, path: str, env: Env, role: str = "") -> specs.EnvFile:
    file = specs.EnvFile(path=path, content=None, digest="", names=env.secret, role=role)
    if run.keeps_env:
        return file
    content = env_file_text({name: secret_value(run.config, name) for name in env.secret})
    text = content.get_secret_value()
    return replace(file, content=content, digest=specs.digest_content(text), checks=specs.checks_of(text.split("\n")))
