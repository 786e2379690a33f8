"""``kp app start``, ``stop``, ``stale_containers`` and ``remove…``: the app as it is, without a new version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kamal_pyinfra.config import Role, model
from kamal_pyinfra.errors import ConfigError
from kamal_pyinfra.naming import REPLACED_MARK, first_replica
from kamal_pyinfra.plan.changes import RemoveContainer, StartContainer
from kamal_pyinfra.plan.diff.app import cord_of, stop_of
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.tasks.remove import diff_removed_app, removed_versions


def start(run: Run, observed: ObservedHost, *, version: str | None) -> TaskDecision:
    """Each role of the host runs again: a version, or without one the last in service, where none runs."""
    if refusals := docker_errors(observed):
        return TaskDecision(refusals=refusals)
    roles = (role for role in run.config.roles if run.includes(role.name) and observed.host in role.hosts)
    found = [each for role in roles for each in _starts(run, role, observed, version)]
    return TaskDecision(
        changes=tuple(each for each in found if isinstance(each, StartContainer)),
        refusals=tuple(f"{observed.host}: {each}" for each in found if isinstance(each, str)),
    )


def _starts(run: Run, role: Role, observed: ObservedHost, version: str | None) -> Iterator[StartContainer | str]:
    ours = [each for each in run.owner.containers(observed.containers) if each.role == role.name]
    running = [each for each in ours if each.is_running]
    wanted = [each for each in ours if version in (None, each.version) and REPLACED_MARK not in each.name]
    if any(version in (None, each.version) for each in running):
        return
    if running:
        yield f"{running[0].name} runs; `kp rollback {version}` changes the version"
    elif not wanted:
        yield f"role {role.name} has no container{f' of {version}' if version else ''}; `kp app boot` makes one"
    else:
        first = _in_service(run, observed, wanted)
        replicas = [each for each in wanted if each.version == first.version]
        for container in sorted(replicas, key=lambda each: (len(each.name), each.name))[: role.replicas]:
            yield StartContainer(
                name=container.name,
                role=role.name,
                version=container.version,
                cause=f"is {container.status}",
                cord=cord_of(run, container, observed),
                deadline=model.ready_seconds(run.config, role),
                readiness_delay=run.config.readiness_delay,
                log_lines=role.healthcheck.log_lines,
            )


def stop(run: Run, observed: ObservedHost) -> TaskDecision:
    """No container of the app runs; each is drained first."""
    changes = tuple(
        stop_of(run, each, observed, "stops; the role is out of service")
        for each in run.owner.running(observed.containers)
    )
    return TaskDecision(changes=changes, refusals=docker_errors(observed))


def stale(run: Run, observed: ObservedHost) -> TaskDecision:
    """No version runs beside the one in service; each is drained first."""
    found = stale_containers(run, observed)
    changes = tuple(stop_of(run, each, observed, f"stops; {kept.name} is in service") for each, kept in found)
    return TaskDecision(changes=changes, refusals=docker_errors(observed))


def stale_containers(run: Run, observed: ObservedHost) -> Iterator[tuple[ObservedContainer, ObservedContainer]]:
    """Each running container that is not of the version in service of its role, with one that is."""
    running = run.owner.running(observed.containers)
    for role in dict.fromkeys(each.role for each in running):
        of_role = [each for each in running if each.role == role]
        kept = _in_service(run, observed, of_role)
        yield from ((each, kept) for each in of_role if first_replica(each.name) != first_replica(kept.name))


def remove(run: Run, observed: ObservedHost) -> TaskDecision:
    """No container of the app, running or not, and no image that nobody else uses."""
    return TaskDecision(changes=diff_removed_app(run, observed), refusals=docker_errors(observed))


def remove_containers(run: Run, observed: ObservedHost, *, version: str | None = None) -> TaskDecision:
    """No stopped container of the app, or none at all of a version; the latter is refused while one runs."""
    ours = run.owner.containers(observed.containers)
    found = [each for each in ours if (not each.is_running if version is None else each.version == version)]
    running = (f"{observed.host}: {each.name} runs; `kp app stop` first" for each in found if each.is_running)
    cause = "is stopped" if version is None else "asked for"
    return TaskDecision(
        changes=tuple(RemoveContainer(name=each.name, role=each.role, cause=cause) for each in found),
        refusals=(*docker_errors(observed), *running),
    )


def remove_images(run: Run, observed: ObservedHost) -> TaskDecision:
    """No image of the app that no container uses."""
    used = {name for each in observed.containers for name in (each.image, each.image_id)}
    unused = (each.reference for each in observed.images if used.isdisjoint((each.reference, each.id)))
    return TaskDecision(changes=tuple(removed_versions(run, unused)), refusals=docker_errors(observed))


def version_in_service(run: Run, observed: Mapping[str, ObservedHost]) -> str:
    """The version that the hosts agree on: what the tag ``latest`` means, else what runs.

    Raises:
        ConfigError: they do not agree, or there is none.
    """
    found = {host: version for host, each in observed.items() if (version := _version_on(run, each))}
    if not found:
        raise ConfigError("no version is in service on these hosts; say which with --version")
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{host} {version}" for host, version in found.items())
        raise ConfigError(f"the hosts have different versions in service ({listed}); say which with --version")
    return next(iter(found.values()))


def _version_on(run: Run, observed: ObservedHost) -> str:
    ours = run.owner.containers(observed.containers)
    if candidates := [each for each in ours if each.is_running] or list(ours):
        return _in_service(run, observed, candidates).version
    latest = observed.image_id(run.latest_image)
    tags = [image.reference for image in observed.images if latest and image.id == latest]
    versions = [tag.rpartition(":")[2] for tag in tags if tag.startswith(f"{run.config.repository}:")]
    return next((version for version in sorted(versions) if not version.startswith("latest")), "")


def serving_container(run: Run, observed: ObservedHost, role: str, version: str | None) -> ObservedContainer | None:
    """The running container of a role that is in service, or the one of a version."""
    running = run.owner.running(observed.containers)
    wanted = [each for each in running if each.role == role and version in (None, each.version)]
    return _in_service(run, observed, wanted) if wanted else None


def _in_service(run: Run, observed: ObservedHost, containers: Sequence[ObservedContainer]) -> ObservedContainer:
    """The newest of those from the image that is tagged latest, else the newest (Kamal 1.9)."""
    latest = observed.image_id(run.latest_image)
    return next((each for each in containers if latest and each.image_id == latest), containers[0])
