"""What a host needs before containers can be started on it."""

from __future__ import annotations

from kamal_pyinfra.plan.changes import (
    Change,
    CreateDirectories,
    CreateEnvFile,
    InstallDocker,
    LogIn,
    PullImage,
    WriteEnvFile,
)
from kamal_pyinfra.plan.diff_proxy import proxy_image_to_pull
from kamal_pyinfra.plan.observed import ObservedFile, ObservedHost
from kamal_pyinfra.plan.state import DesiredHost, EnvFile

SECRET_MODE = "600"  # noqa: S105 - an octal file mode


def diff_docker(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """Docker must be there, run, and answer the SSH user."""
    return missing_docker(observed)


def missing_docker(observed: ObservedHost) -> tuple[InstallDocker, ...]:
    """What has to happen so that Docker answers the SSH user, whatever the host is for."""
    if observed.docker.is_usable:
        return ()
    if not observed.docker.installed:
        return (InstallDocker(cause="docker is not installed"),)
    if "permission denied" in observed.docker.error.lower():
        return (InstallDocker(cause=f"{observed.user} may not use docker"),)
    return (InstallDocker(cause="the docker service does not answer"),)


def diff_directories(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """The folders below the run directory must exist."""
    return missing_directories(desired.directories, observed)


def missing_directories(wanted: tuple[str, ...], observed: ObservedHost) -> tuple[CreateDirectories, ...]:
    """Those of some folders that a host has not."""
    missing = tuple(path for path in wanted if path not in observed.directories)
    return (CreateDirectories(paths=missing, cause="not found"),) if missing else ()


def diff_env_files(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """The files with secrets must have today's content and be readable by their owner only."""
    changes = (diff_env_file(file, observed.files.get(file.path)) for file in desired.env_files)
    return tuple(change for change in changes if change is not None)


def diff_env_file(desired: EnvFile, observed: ObservedFile | None) -> WriteEnvFile | None:
    """What has to happen to one file."""
    if observed is None:
        return CreateEnvFile(file=desired, cause="not found")
    if observed.digest != desired.digest:
        return WriteEnvFile(file=desired, cause="content changed")
    if observed.mode != SECRET_MODE:
        return WriteEnvFile(file=desired, cause=f"mode {observed.mode} → {SECRET_MODE}")
    return None


def diff_login(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """A host logs in when it is going to pull."""
    images = [change.image for change in diff_images(desired, observed) if isinstance(change, PullImage)]
    proxy_image = proxy_image_to_pull(desired, observed)
    wanted = images + ([proxy_image] if proxy_image else [])
    return (LogIn(server=desired.registry.server, cause=f"to pull {', '.join(wanted)}"),) if wanted else ()


def diff_images(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """The image of the wanted version must be there."""
    if not desired.containers or observed.has_image(desired.image):
        return ()
    return (PullImage(image=desired.image, service=desired.owner.service, cause="not on the host"),)
