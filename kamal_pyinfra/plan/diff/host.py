"""Engine, folders, env files, login, images; and the list of all steps."""

from __future__ import annotations

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import (
    Change,
    CreateDirectories,
    CreateEnvFile,
    InstallDocker,
    LogIn,
    ProtectEnvFile,
    PullImage,
    WriteEnvFile,
)
from kamal_pyinfra.plan.compare.container import was_in_service, was_written
from kamal_pyinfra.plan.compare.fields import Difference, as_cause, changed_secrets
from kamal_pyinfra.plan.diff.accessory import accessory_images_to_pull, diff_missing_accessories
from kamal_pyinfra.plan.diff.app import diff_assets, diff_containers, diff_old_containers, diff_release
from kamal_pyinfra.plan.diff.leftovers import diff_leftovers, diff_record, diff_tag
from kamal_pyinfra.plan.diff.proxy import diff_proxy, proxy_image_to_pull
from kamal_pyinfra.plan.state.desired import DesiredHost, EnvFile
from kamal_pyinfra.plan.state.observed import ObservedHost

SECRET_MODE = "600"  # noqa: S105 - an octal file mode


def diff_docker(desired: DesiredHost, observed: ObservedHost) -> tuple[InstallDocker, ...]:
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


def diff_directories(desired: DesiredHost, observed: ObservedHost) -> tuple[CreateDirectories, ...]:
    """The folders below the run directory must exist."""
    return missing_directories(desired.directories, observed)


def missing_directories(wanted: tuple[str, ...], observed: ObservedHost) -> tuple[CreateDirectories, ...]:
    """Those of some folders that a host has not."""
    missing = tuple(path for path in wanted if path not in observed.directories)
    return (CreateDirectories(paths=missing, cause="not found"),) if missing else ()


def diff_env_files(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """The files with secrets must have today's content and be readable by their owner only."""
    changes = (_diff_env_file(file, observed) for file in desired.env_files)
    return tuple(change for change in changes if change is not None)


def _diff_env_file(desired: EnvFile, observed: ObservedHost) -> Change | None:
    existing = observed.files.get(desired.path)
    is_drift = was_written(desired, observed)
    if existing is None:
        cause = "was removed" if is_drift else "not found"
        return None if desired.content is None else CreateEnvFile(file=desired, cause=cause, is_drift=is_drift)
    if desired.content is not None and existing.digest != desired.digest:
        differences = tuple(changed_secrets(desired.checks, existing.checks)) or (
            Difference(field="content", after="changed"),
        )
        return WriteEnvFile(file=desired, cause=as_cause(differences), differences=differences, is_drift=is_drift)
    if existing.mode != SECRET_MODE:
        cause = f"mode {existing.mode} → {SECRET_MODE}"
        return ProtectEnvFile(file=desired, cause=cause, is_drift=observed.record is not None)
    return None


def diff_login(desired: DesiredHost, observed: ObservedHost) -> tuple[LogIn, ...]:
    """A host logs in when it is going to pull."""
    images = [change.image for change in diff_images(desired, observed)]
    proxy_image = proxy_image_to_pull(desired, observed)
    wanted = [*images, *([proxy_image] if proxy_image else []), *accessory_images_to_pull(desired, observed)]
    if not wanted or desired.registry is None:
        return ()
    boots = [change.container for change in diff_missing_accessories(desired, observed)]
    part_of = next(iter([*images, *([naming.PROXY_CONTAINER] if proxy_image else []), *boots]), "")
    return (LogIn(server=desired.registry.server, cause=f"to pull {', '.join(wanted)}", part_of=part_of),)


def diff_images(desired: DesiredHost, observed: ObservedHost) -> tuple[PullImage, ...]:
    """The image of the desired version must be there; asked to, it is fetched again."""
    is_there = observed.has_image(desired.image)
    if not desired.containers or (is_there and not desired.run.behaviour.refetches):
        return ()
    is_drift = not is_there and was_in_service(desired, observed)
    cause = "the registry may have another" if is_there else "was removed" if is_drift else "not on the host"
    return (PullImage(image=desired.image, service=desired.owner.service, cause=cause, is_drift=is_drift),)


STEPS = (
    diff_docker,
    diff_directories,
    diff_env_files,
    diff_login,
    diff_missing_accessories,
    diff_images,
    diff_proxy,
    diff_assets,
    diff_release,
    diff_containers,
    diff_old_containers,
    diff_tag,
    diff_record,
    diff_leftovers,
)


def diff_host(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """Every change that brings ``observed`` to ``desired``, in the order in which a deploy makes them."""
    return tuple(change for step in STEPS for change in step(desired, observed))
