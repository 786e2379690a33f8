"""Config + version + host → what that host should have. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config, Role
from kamal_pyinfra.config.env import EffectiveEnv, env_file_text
from kamal_pyinfra.config.secrets import registry_credentials, secret_value
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.plan.desired.accessory import accessories_on
from kamal_pyinfra.plan.desired.app import app_containers
from kamal_pyinfra.plan.proxy.traefik import proxy_container
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.desired import (
    AppContainer,
    DesiredHost,
    EnvFile,
    Registry,
    ReleaseCommand,
)
from kamal_pyinfra.plan.state.digest import checks_of, digest_content
from kamal_pyinfra.plan.state.observed import Owner


def desired_host(run: Run, host: str) -> DesiredHost:
    """What one host should have once the run is over.

    Raises:
        ConfigError: a secret that this host needs has no value.
    """
    config, behaviour = run.config, run.behaviour
    on_host = tuple(role for role in config.roles if run.includes(role.name) and role.runs_on(host))
    roles = on_host if behaviour.boots_app else ()
    env_files = {role.name: role_env_file(run, role, host) for role in roles}
    runs_proxy = behaviour.boots_proxy and any(role.running_traefik for role in on_host)
    proxy_env = _env_file(run, naming.proxy_env_file(config), config.proxy_env) if runs_proxy else None
    accessories = accessories_on(run, host)
    accessory_env = tuple(
        _env_file(run, each.env_file, config.accessory_env(each.key))
        for each in (accessories if behaviour.writes_accessory_env else ())
    )
    containers = tuple(each for role in roles for each in app_containers(run, role, host, env_files[role.name]))
    return DesiredHost(
        run=run,
        host=host,
        owner=owner_of(run),
        directories=_directories(run, host, has_roles=bool(roles), with_proxy=runs_proxy),
        env_files=(*env_files.values(), *((proxy_env,) if proxy_env else ()), *accessory_env),
        registry=_registry(run),
        proxy=None if proxy_env is None else proxy_container(config, proxy_env),
        containers=containers,
        accessories=accessories,
        release=_release(run, host, containers),
    )


def _release(run: Run, host: str, containers: Sequence[AppContainer]) -> ReleaseCommand | None:
    """The release command, on the one host where it runs."""
    release = run.config.release
    container = next((each for each in containers if each.role == run.release_role), None)
    if release is None or container is None or host != run.release_host:
        return None
    return ReleaseCommand(
        name=naming.release_container(run.config, container.role, run.version, run.short_id),
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


def _registry(run: Run) -> Registry | None:
    """Where images come from; ``None`` without a login there, or if the password is not known on this machine."""
    if run.config.registry.is_built_in:
        return None
    try:
        username, password = registry_credentials(run.config)
    except ConfigError:
        if run.keeps_env:
            return None
        raise
    return Registry(server=run.config.registry.server, username=username, password=password)


def owner_of(run: Run) -> Owner:
    """Whose containers this run may touch."""
    return Owner(service=run.config.service, destination=run.config.destination or "", roles=run.roles)


def directories(config: Config, *, with_proxy: bool) -> tuple[str, ...]:
    """The folders that everything else is put into."""
    base = config.run_directory
    folders = (base, f"{base}/locks", f"{base}/env/roles")
    return (*folders, f"{base}/env/traefik") if with_proxy else folders


def role_env_file(run: Run, role: Role, host: str) -> EnvFile:
    """The file with the secrets of a role; it exists even without secrets since ``--env-file`` needs it."""
    env = run.config.env_for(role.name, host)
    return _env_file(run, naming.role_env_file(run.config, role.name), env, role.name)


def _env_file(run: Run, path: str, env: EffectiveEnv, role: str = "") -> EnvFile:
    if run.keeps_env:
        return EnvFile(path=path, content=None, digest="", names=env.secret, checks={}, role=role)
    content = env_file_text({name: secret_value(run.config, name) for name in env.secret})
    text = content.get_secret_value()
    return EnvFile(
        path=path,
        content=content,
        digest=digest_content(text),
        names=env.secret,
        checks=checks_of(text.split("\n")),
        role=role,
    )
