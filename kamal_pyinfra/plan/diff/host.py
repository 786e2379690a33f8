"""Engine, folders, env files, login, images; and all changes of a host in order."""

from __future__ import annotations

from kamal_pyinfra.plan import changes as kinds
from kamal_pyinfra.plan.compare.container import was_in_service
from kamal_pyinfra.plan.compare.fields import Difference, as_cause, changed_secrets
from kamal_pyinfra.plan.diff.accessory import diff_missing_accessories
from kamal_pyinfra.plan.diff.app import Comparison
from kamal_pyinfra.plan.diff.leftovers import diff_leftovers, diff_record, diff_tag
from kamal_pyinfra.plan.diff.proxy import diff_proxy
from kamal_pyinfra.plan.state.desired import EnvFile
from kamal_pyinfra.plan.state.observed import ObservedHost

SECRET_MODE = "600"  # noqa: S105 - an octal file mode


def diff_docker(compared: Comparison) -> tuple[kinds.InstallDocker, ...]:
    """Docker must be there, run, and answer the SSH user."""
    return missing_docker(compared.observed)


def missing_docker(observed: ObservedHost) -> tuple[kinds.InstallDocker, ...]:
    """What has to happen so that Docker answers the SSH user, whatever the host is for."""
    if observed.docker.is_usable:
        return ()
    if not observed.docker.installed:
        return (kinds.InstallDocker(cause="docker is not installed"),)
    is_denied = "permission denied" in observed.docker.error.lower()
    cause = f"{observed.user} may not use docker" if is_denied else "the docker service does not answer"
    return (kinds.InstallDocker(cause=cause),)


def diff_directories(compared: Comparison) -> tuple[kinds.CreateDirectories, ...]:
    """The folders below the run directory must exist."""
    return missing_directories(compared.desired.directories, compared.observed)


def missing_directories(wanted: tuple[str, ...], observed: ObservedHost) -> tuple[kinds.CreateDirectories, ...]:
    """Those of some folders that a host has not."""
    missing = tuple(path for path in wanted if path not in observed.directories)
    return (kinds.CreateDirectories(paths=missing, cause="not found"),) if missing else ()


def diff_env_files(compared: Comparison) -> tuple[kinds.Change, ...]:
    """The files with secrets must have today's content and be readable by their owner only."""
    return tuple(filter(None, (_diff_env_file(file, compared.observed) for file in compared.desired.env_files)))


def _diff_env_file(desired: EnvFile, observed: ObservedHost) -> kinds.Change | None:
    existing, written = observed.files.get(desired.path), observed.record.env_files if observed.record else {}
    is_drift = bool(desired.digest) and written.get(desired.path) == desired.digest
    if existing is None:
        cause, action = "was removed" if is_drift else "not found", kinds.Action.CREATE
        creation = kinds.WriteEnvFile(file=desired, cause=cause, is_drift=is_drift, special_action=action)
        return None if desired.content is None else creation
    if desired.content is not None and existing.digest != desired.digest:
        changed = (Difference(field="content", after="changed"),)
        differences = tuple(changed_secrets(desired.checks, existing.checks)) or changed
        return kinds.WriteEnvFile(file=desired, cause=as_cause(differences), differences=differences, is_drift=is_drift)
    cause = f"mode {existing.mode} → {SECRET_MODE}"
    is_drift = observed.record is not None
    protection = kinds.WriteEnvFile(file=desired, cause=cause, is_drift=is_drift, keeps_content=True)
    return None if existing.mode == SECRET_MODE else protection


def diff_login(compared: Comparison) -> tuple[kinds.LogIn, ...]:
    """A host logs in when it is going to pull."""
    observed, registry = compared.observed, compared.desired.registry
    images = [change.image for change in diff_images(compared)]
    proxies = [each.proxy for each in diff_proxy(compared) if not observed.has_image(each.proxy.image)]
    boots = [change.accessory for change in diff_missing_accessories(compared)]
    # ``docker run`` takes ``latest`` for one without a tag.
    tags = {boot.image: "" if ":" in boot.image.rpartition("/")[2] else ":latest" for boot in boots}
    of_accessories = [image for image in sorted(tags) if not observed.has_image(f"{image}{tags[image]}")]
    wanted = [*images, *(proxy.image for proxy in proxies), *of_accessories]
    if not wanted or registry is None:
        return ()
    part_of = next(iter([*images, *(each.name for each in (*proxies, *boots))]), "")
    return (kinds.LogIn(server=registry.server, cause=f"to pull {', '.join(wanted)}", part_of=part_of),)


def diff_images(compared: Comparison) -> tuple[kinds.PullImage, ...]:
    """The image of the desired version must be there; asked to, it is fetched again."""
    desired, is_there = compared.desired, compared.observed.has_image(compared.desired.image)
    if not desired.containers or (is_there and not desired.run.behaviour.refetches):
        return ()
    is_drift = not is_there and was_in_service(desired, compared.observed)
    cause = "the registry may have another" if is_there else "was removed" if is_drift else "not on the host"
    return (kinds.PullImage(image=desired.image, service=desired.owner.service, cause=cause, is_drift=is_drift),)


def diff_host(compared: Comparison) -> tuple[kinds.Change, ...]:
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
