"""``kp env``, ``kp server bootstrap``, ``kp registry`` and ``kp build pull``."""

from __future__ import annotations

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import LogIn, LogOut, RemoveEnvFile
from kamal_pyinfra.plan.collisions import collisions
from kamal_pyinfra.plan.desired.host import desired_host, directories, owner_of
from kamal_pyinfra.plan.diff.host import (
    diff_directories,
    diff_docker,
    diff_env_files,
    diff_images,
    diff_login,
    missing_directories,
    missing_docker,
)
from kamal_pyinfra.plan.diff.proxy import proxy_conflicts
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.proxy.traefik import services_behind_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost


def push(run: Run, observed: ObservedHost) -> TaskDecision:
    """Every env file has today's content.

    Raises:
        ConfigError: a secret has no value.
    """
    desired = desired_host(run, observed.host)
    return TaskDecision(
        changes=(*diff_directories(desired, observed), *diff_env_files(desired, observed)),
        refusals=(*docker_errors(observed), *collisions(desired, observed), *proxy_conflicts(desired, observed)),
    )


def delete(run: Run, observed: ObservedHost) -> TaskDecision:
    """No env file of ours is there; the proxy's stays as long as another service shares it."""
    files = diff_deleted_env_files(run, observed)
    proxy_file = naming.proxy_env_file(run.config)
    others = _other_proxy_users(run, observed)
    stays = proxy_file in observed.files and others and not run.roles
    return TaskDecision(
        changes=files,
        notes=(f"{proxy_file} stays: {', '.join(others)} uses the proxy",) if stays else (),
        refusals=docker_errors(observed),
    )


def diff_deleted_env_files(run: Run, observed: ObservedHost, cause: str = "asked for") -> tuple[RemoveEnvFile, ...]:
    """Which files go: those of the roles that the run may touch, and the proxy's if it is ours alone."""
    paths = [naming.role_env_file(run.config, role.name) for role in run.config.roles if run.includes(role.name)]
    if not run.roles and not _other_proxy_users(run, observed):
        paths.append(naming.proxy_env_file(run.config))
    here = (name for name in run.config.accessories_on(observed.host) if run.includes_accessory(name))
    containers = (naming.accessory_container(run.config, name) for name in here)
    paths += [naming.accessory_env_file(run.config, container) for container in containers]
    return tuple(RemoveEnvFile(path=path, cause=cause) for path in paths if path in observed.files)


def _other_proxy_users(run: Run, observed: ObservedHost) -> tuple[str, ...]:
    ours = owner_of(run)
    return services_behind_proxy(each for each in observed.containers if not ours.owns(each))


def bootstrap(run: Run, observed: ObservedHost) -> TaskDecision:
    """Docker answers, and the folders are there that everything else is put into."""
    folders = missing_directories(directories(run.config, with_proxy=False), observed)
    refusals = docker_errors(observed) if observed.docker.stand_in else ()
    return TaskDecision(changes=(*missing_docker(observed), *folders), refusals=refusals)


def pull(run: Run, observed: ObservedHost) -> TaskDecision:
    """The image is fetched, also where one of that version is.

    Raises:
        ConfigError: a secret has no value.
    """
    desired = desired_host(run, observed.host)
    parts = (diff(desired, observed) for diff in (diff_docker, diff_directories, diff_login, diff_images))
    return TaskDecision(changes=tuple(change for part in parts for change in part))


CAUSE = "asked for"


def log_in(run: Run, observed: ObservedHost) -> TaskDecision:
    """The engine gets the credentials anew, since what it has cannot be read."""
    return TaskDecision(changes=(LogIn(server=run.config.registry.server, cause=CAUSE),))


def log_out(run: Run, observed: ObservedHost) -> TaskDecision:
    """The engine has no credentials."""
    changes = (LogOut(server=run.config.registry.server, cause=CAUSE),) if observed.logged_in else ()
    return TaskDecision(changes=changes)
