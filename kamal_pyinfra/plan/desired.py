"""Config + version + host → what that host should have. Pure."""

from __future__ import annotations

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config, Role
from kamal_pyinfra.config.env_file import env_file_text
from kamal_pyinfra.plan.desired_app import app_container
from kamal_pyinfra.plan.desired_proxy import proxy_container
from kamal_pyinfra.plan.digest import digest_text
from kamal_pyinfra.plan.owner import Owner
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state import DesiredHost, EnvFile, Registry


def desired_host(run: Run, host: str) -> DesiredHost:
    """What one host should have once the run is over.

    Args:
        run: the configuration, the version and the run's fixed values.
        host: the host's name as the configuration spells it.

    Raises:
        ConfigError: a secret that this host needs has no value.
    """
    config = run.config
    here = tuple(role for role in config.roles if run.includes(role.name) and role.runs_on(host))
    roles = here if run.boots_app else ()
    env_files = tuple(role_env_file(config, role, host) for role in roles)
    runs_proxy = run.boots_proxy and any(role.running_traefik for role in here)
    proxy_env = proxy_env_file(config) if runs_proxy else None
    username, password = config.registry_credentials()
    return DesiredHost(
        host=host,
        owner=owner_of(run),
        repository=config.repository,
        image=config.absolute_image(run.version),
        latest_image=f"{config.repository}:{config.latest_tag}",
        version=run.version,
        directories=directories(config, with_proxy=runs_proxy),
        env_files=env_files if proxy_env is None else (*env_files, proxy_env),
        registry=Registry(server=config.registry.server, username=username, password=password),
        proxy=None if proxy_env is None else proxy_container(config, proxy_env),
        containers=tuple(
            app_container(run, role, host, env_file) for role, env_file in zip(roles, env_files, strict=True)
        ),
        known_roles=tuple(role.name for role in config.roles),
        prefixes=tuple(naming.container_prefix(config, role.name) for role in config.roles if run.includes(role.name)),
        replaced_suffix=run.replaced_suffix,
        retain_containers=config.retain_containers if run.prunes else None,
        stop_timeout=config.stop_wait_time,
        cord_target=config.healthcheck.cord,
    )


def owner_of(run: Run) -> Owner:
    """Whose containers this run may touch."""
    return Owner(service=run.config.service, destination=run.config.destination or "", roles=run.roles)


def directories(config: Config, *, with_proxy: bool) -> tuple[str, ...]:
    """The folders that everything else is put into."""
    base = config.run_directory
    folders = (base, f"{base}/locks", f"{base}/env/roles")
    return (*folders, f"{base}/env/traefik") if with_proxy else folders


def role_env_file(config: Config, role: Role, host: str) -> EnvFile:
    """The file with the secrets of a role; it exists even without secrets since ``--env-file`` needs it."""
    return _env_file(config, naming.role_env_file(config, role.name), config.env_for(role.name, host).secret)


def proxy_env_file(config: Config) -> EnvFile:
    """The file with the secrets of the proxy."""
    return _env_file(config, naming.proxy_env_file(config), config.traefik.env.secret)


def _env_file(config: Config, path: str, names: tuple[str, ...]) -> EnvFile:
    content = env_file_text({name: config.secret(name) for name in names})
    return EnvFile(path=path, content=content, digest=digest_text(content.get_secret_value()), names=names)
