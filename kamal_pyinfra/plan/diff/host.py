"""Engine, folders, env files, login, images; and all changes of a host in order."""

from __future__ import annotations

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
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.leftovers import diff_leftovers, diff_record, diff_tag
from kamal_pyinfra.plan.diff.proxy import diff_proxy
from kamal_pyinfra.plan.state.desired import EnvFile
from kamal_pyinfra.plan.state.observed import ObservedHost

SECRET_MODE = "600"  # noqa: S105 - an octal file mode


def diff_docker(compared: Comparison) -> tuple[InstallDocker, ...]:
    """Docker must be there, run, and answer the SSH user."""
    return missing_docker(compared.observed)


def missing_docker(observed: ObservedHost) -> tuple[InstallDocker, ...]:
    """What has to happen so that Docker answers the SSH user, whatever the host is for."""
    if observed.docker.is_usable:
        return ()
    if not observed.docker.installed:
        return (InstallDocker(cause="docker is not installed"),)
    is_denied = "permission denied" in observed.docker.error.lower()
    cause = f"{observed.user} may not use docker" if is_denied else "the docker service does not answer"
    return (InstallDocker(cause=cause),)


def diff_directories(compared: Comparison) -> tuple[CreateDirectories, ...]:
    """The folders below the run directory must exist."""
    return missing_directories(compared.desired.directories, compared.observed)


def missing_directories(wanted: tuple[str, ...], observed: ObservedHost) -> tuple[CreateDirectories, ...]:
    """Those of some folders that a host has not."""
    missing = tuple(path for path in wanted if path not in observed.directories)
    return (CreateDirectories(paths=missing, cause="not found"),) if missing else ()


def diff_env_files(compared: Comparison) -> tuple[Change, ...]:
    """The files with secrets must have today's content and be readable by their owner only."""
    return tuple(filter(None, (_diff_env_file(file, compared.observed) for file in compared.desired.env_files)))


def _diff_env_file(desired: EnvFile, observed: ObservedHost) -> Change | None:
    existing, is_drift = observed.files.get(desired.path), was_written(desired, observed)
    if existing is None:
        cause = "was removed" if is_drift else "not found"
        return None if desired.content is None else CreateEnvFile(file=desired, cause=cause, is_drift=is_drift)
    if desired.content is not None and existing.digest != desired.digest:
        changed = (Difference(field="content", after="changed"),)
        differences = tuple(changed_secrets(desired.checks, existing.checks)) or changed
        return WriteEnvFile(file=desired, cause=as_cause(differences), differences=differences, is_drift=is_drift)
    cause = f"mode {existing.mode} → {SECRET_MODE}"
    protection = ProtectEnvFile(file=desired, cause=cause, is_drift=observed.record is not None)
    return None if existing.mode == SECRET_MODE else protection


def diff_login(compared: Comparison) -> tuple[LogIn, ...]:
    """A host logs in when it is going to pull."""
    observed, registry = compared.observed, compared.desired.registry
    images = [change.image for change in diff_images(compared)]
    proxies = [each.proxy for each in diff_proxy(compared) if not observed.has_image(each.proxy.image)]
    wanted = [*images, *(proxy.image for proxy in proxies), *accessory_images_to_pull(compared)]
    if not wanted or registry is None:
        return ()
    boots = (change.container for change in diff_missing_accessories(compared))
    part_of = next(iter([*images, *(proxy.name for proxy in proxies), *boots]), "")
    return (LogIn(server=registry.server, cause=f"to pull {', '.join(wanted)}", part_of=part_of),)


def diff_images(compared: Comparison) -> tuple[PullImage, ...]:
    """The image of the desired version must be there; asked to, it is fetched again."""
    desired, is_there = compared.desired, compared.observed.has_image(compared.desired.image)
    if not desired.containers or (is_there and not desired.run.behaviour.refetches):
        return ()
    is_drift = not is_there and was_in_service(desired, compared.observed)
    cause = "the registry may have another" if is_there else "was removed" if is_drift else "not on the host"
    return (PullImage(image=desired.image, service=desired.owner.service, cause=cause, is_drift=is_drift),)


def diff_host(compared: Comparison) -> tuple[Change, ...]:
    """Every change that makes the host what it should be, in the order in which a deploy makes them."""
    return (
        *diff_docker(compared),
        *diff_directories(compared),
        *diff_env_files(compared),
        *diff_login(compared),
        *diff_missing_accessories(compared),
        *diff_images(compared),
        *diff_proxy(compared),
        *compared.assets(),
        *compared.release(),
        *compared.boots,
        *compared.stops,
        *diff_tag(compared),
        *diff_record(compared),
        *diff_leftovers(compared),
    )
