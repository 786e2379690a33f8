"""``kp env``: the files with secrets, without a deploy."""

from __future__ import annotations

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import RemoveEnvFile
from kamal_pyinfra.plan.collisions import collisions
from kamal_pyinfra.plan.desired import desired_host, owner_of
from kamal_pyinfra.plan.diff import diff_directories, diff_env_files
from kamal_pyinfra.plan.diff_proxy import contradictions
from kamal_pyinfra.plan.host_task import HostTask, silent_docker
from kamal_pyinfra.plan.neighbours import proxy_users
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.run import Run


def push(run: Run, observed: ObservedHost) -> HostTask:
    """Every env file has today's content.

    Raises:
        ConfigError: a secret has no value.
    """
    desired = desired_host(run, observed.host)
    return HostTask(
        changes=(*diff_directories(desired, observed), *diff_env_files(desired, observed)),
        refusals=(*silent_docker(observed), *collisions(desired, observed), *contradictions(desired, observed)),
    )


def delete(run: Run, observed: ObservedHost) -> HostTask:
    """No env file of ours is there; the proxy's stays as long as another service shares it."""
    files = diff_deleted_env_files(run, observed)
    proxy_file = naming.proxy_env_file(run.config)
    others = _other_proxy_users(run, observed)
    stays = proxy_file in observed.files and others and not run.roles
    return HostTask(
        changes=files,
        notes=(f"{proxy_file} stays: {', '.join(others)} uses the proxy",) if stays else (),
        refusals=silent_docker(observed),
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
    return proxy_users(each for each in observed.containers if not ours.owns(each))
