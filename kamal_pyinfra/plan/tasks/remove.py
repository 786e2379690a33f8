"""``kp remove`` and ``kp prune``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.plan.changes import (
    Change,
    LogOut,
    RemoveContainer,
    RemoveDirectory,
    RemoveEnvFile,
    RemoveFile,
    RemoveImage,
)
from kamal_pyinfra.plan.desired.host import owner_of
from kamal_pyinfra.plan.diff.leftovers import (
    Surplus,
    newest_first,
    recent_images,
    surplus_containers,
    untagged_images,
    unused_assets,
    unused_cords,
    unused_images,
)
from kamal_pyinfra.plan.diff.proxy import foreign_proxy
from kamal_pyinfra.plan.docker_values import registry_of_image
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.proxy.traefik import services_behind_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost, Owner
from kamal_pyinfra.plan.tasks import accessory as accessory_tasks
from kamal_pyinfra.plan.tasks.proxy import diff_removed_proxy


def registry_users(server: str | None, containers: Iterable[ObservedContainer]) -> tuple[str, ...]:
    """Services whose images come from a registry; without server from Docker Hub."""
    users = (each for each in containers if each.service and registry_of_image(each.image) == (server or ""))
    return tuple(sorted({each.service_name for each in users}))


CAUSE = "the service is removed"


def remove(run: Run, observed: ObservedHost, *, purges: bool = False) -> TaskDecision:
    """All of it, in the order in which it can go.

    Args:
        run: the configuration and the run's fixed values.
        observed: the host as it is.
        purges: the audit log goes too.
    """
    changes = (
        *diff_removed_app(run, observed),
        *diff_removed_files(run, observed),
        *diff_unneeded_proxy(run, observed),
        *accessories(run, observed).changes,
        *diff_logout(run, observed),
        *(diff_purged(run, observed) if purges else ()),
    )
    return TaskDecision(
        changes=changes,
        notes=(*_stays(run, observed, purges=purges), *accessories(run, observed).notes),
        refusals=docker_errors(observed),
    )


def accessories(run: Run, observed: ObservedHost) -> TaskDecision:
    """The service's accessories, unless only some roles go; their data stays."""
    return TaskDecision() if run.roles else accessory_tasks.remove(run, observed)


def others_on(run: Run, observed: ObservedHost) -> tuple[ObservedContainer, ...]:
    """Containers that stay on the host."""
    owner = owner_of(run)
    leaving = {change.subject for change in accessories(run, observed).changes}
    return tuple(each for each in observed.containers if not owner.owns(each) and each.name not in leaving)


def _stays(run: Run, observed: ObservedHost, *, purges: bool) -> Iterator[str]:
    others = others_on(run, observed)
    if _is_routed(run, observed) and (what := foreign_proxy(observed)):
        yield f"the container traefik stays: neither kp nor Kamal started it ({what})"
    elif _is_routed(run, observed) and (users := services_behind_proxy(others)):
        yield f"the proxy stays: {', '.join(users)} uses it"
    if observed.logged_in and (users := registry_users(run.config.registry.server, others)):
        yield f"the login to the registry stays: {', '.join(users)} uses it"
    if not purges:
        yield from (f"{change.path} stays; --purge removes it" for change in diff_purged(run, observed))


def diff_removed_app(run: Run, observed: ObservedHost) -> tuple[Change, ...]:
    """Our containers, running or not, and the images that nobody else uses."""
    owner = owner_of(run)
    ours = newest_first(each for each in observed.containers if owner.owns(each))
    containers = (
        RemoveContainer(name=each.name, role=each.role, is_running=each.is_running, cause=CAUSE) for each in ours
    )
    without_ours = replace(observed, containers=others_on(run, observed))
    return (*containers, *_images(run, observed), *untagged_images(_nothing_remains(run), without_ours))


def _images(run: Run, observed: ObservedHost) -> Iterator[RemoveImage]:
    config = run.config
    kept = {each.image for each in others_on(run, observed)}
    for image in sorted({image.reference for image in observed.images}):
        repository, _, tag = image.rpartition(":")
        is_ours = tag == config.latest_tag or not tag.startswith(("latest", "<"))
        if repository == config.repository and is_ours and image not in kept:
            yield RemoveImage(image=image, cause="no container uses it")


def diff_removed_files(run: Run, observed: ObservedHost) -> tuple[Change, ...]:
    """The secrets of our roles, cords and assets."""
    paths = [naming.role_env_file(run.config, role.name) for role in run.config.roles if run.includes(role.name)]
    surplus = _nothing_remains(run)
    folders: tuple[RemoveDirectory, ...] = (
        *unused_cords(surplus, observed),
        *unused_assets(surplus, observed),
    )
    files = (RemoveEnvFile(path=path, cause=CAUSE) for path in paths if path in observed.files)
    return (*files, *folders, *_records(run, observed))


def _records(run: Run, observed: ObservedHost) -> Iterator[Change]:
    """What runs wrote down; they still count for the roles that stay."""
    if observed.record is not None and not run.roles:
        yield RemoveFile(path=naming.hosts_record(run.config), cause=CAUSE)
        yield RemoveDirectory(path=naming.edits_directory(run.config), cause=CAUSE)


def diff_unneeded_proxy(run: Run, observed: ObservedHost) -> tuple[Change, ...]:
    """The proxy, where a role of ours was behind it and nobody is any more."""
    if not _is_routed(run, observed) or foreign_proxy(observed) or services_behind_proxy(others_on(run, observed)):
        return ()
    return diff_removed_proxy(run, observed, cause="no service uses it")


def _is_routed(run: Run, observed: ObservedHost) -> bool:
    return any(role.running_traefik and role.runs_on(observed.host) for role in run.config.roles)


def unneeded_proxy(run: Run, observed: ObservedHost) -> TaskDecision:
    """The proxy's part of it."""
    return TaskDecision(changes=diff_unneeded_proxy(run, observed))


def diff_logout(run: Run, observed: ObservedHost) -> tuple[LogOut, ...]:
    """The login to our registry, unless images of another service come from there."""
    server = run.config.registry.server
    if run.roles or not observed.logged_in or registry_users(server, others_on(run, observed)):
        return ()
    return (LogOut(server=server, cause=CAUSE),)


def diff_purged(run: Run, observed: ObservedHost) -> tuple[RemoveFile, ...]:
    """What tells of the past, and is wanted only until the service is forgotten."""
    log = naming.audit_log(run.config)
    return (RemoveFile(path=log, cause="purge"),) if log in observed.files else ()


def _nothing_remains(run: Run) -> Surplus:
    config = run.config
    return Surplus(
        owner=owner_of(run),
        repository=config.repository,
        prefixes=tuple(naming.container_prefix(config, role.name) for role in config.roles if run.includes(role.name)),
        known_roles=tuple(role.name for role in config.roles),
        stopped=(),
        in_service=frozenset(),
        mounted=frozenset(),
    )


def containers(run: Run, observed: ObservedHost, *, retain: int) -> TaskDecision:
    """Stopped containers beyond those retained, and folders that no container needs.

    Args:
        run: the configuration and the run's fixed values.
        observed: the host as it is.
        retain: how many stopped containers stay of each role.
    """
    surplus = _surplus(run, observed)
    removals = tuple(surplus_containers(surplus, retain))
    folders = (*unused_cords(surplus, observed), *unused_assets(surplus, observed))
    return TaskDecision(changes=(*removals, *folders), refusals=docker_errors(observed))


def images(run: Run, observed: ObservedHost) -> TaskDecision:
    """Versions that no container uses, and images that lost their tag."""
    changes = _prunable_images(run, observed, gone=set())
    return TaskDecision(changes=changes, notes=_spared(run, observed, gone=set()), refusals=docker_errors(observed))


def everything(run: Run, observed: ObservedHost, *, retain: int) -> TaskDecision:
    """Containers, the images that only these used, and folders."""
    surplus = _surplus(run, observed)
    removals = tuple(surplus_containers(surplus, retain))
    gone = {change.name for change in removals}
    changes = (
        *removals,
        *_prunable_images(run, observed, gone=gone),
        *unused_cords(surplus, observed),
        *unused_assets(surplus, observed),
    )
    return TaskDecision(changes=changes, notes=_spared(run, observed, gone=gone), refusals=docker_errors(observed))


def _spared(run: Run, observed: ObservedHost, gone: set[str]) -> tuple[str, ...]:
    """Images that would go if no other destination or service might be about to start them."""
    surplus = _surplus(run, observed)
    forgetful = replace(observed, now=0.0)
    going = {change.image for change in unused_images(surplus, forgetful, gone)}
    spared = sorted(going & recent_images(surplus, observed))
    return tuple(f"{image} stays: it is new, and others on the host may be about to start it" for image in spared)


def _prunable_images(run: Run, observed: ObservedHost, gone: set[str]) -> tuple[Change, ...]:
    surplus = _surplus(run, observed)
    return (*unused_images(surplus, observed, gone), *untagged_images(surplus, observed))


def _surplus(run: Run, observed: ObservedHost) -> Surplus:
    config, owner = run.config, owner_of(run)
    serving = tuple(_in_service(owner, observed))
    running = (each for each in observed.containers if each.is_running)
    return Surplus(
        owner=owner,
        repository=config.repository,
        prefixes=tuple(naming.container_prefix(config, role.name) for role in config.roles if run.includes(role.name)),
        known_roles=tuple(role.name for role in config.roles),
        stopped=newest_first(each for each in observed.containers if owner.owns(each) and not each.is_running),
        in_service=frozenset(each.name for each in serving),
        mounted=frozenset(source for each in (*running, *serving) for source in each.mounts.values()),
    )


def _in_service(owner: Owner, observed: ObservedHost) -> Iterator[ObservedContainer]:
    """What runs; of a role that is stopped as a whole, the containers of the version that ran last."""
    running = owner.running(observed.containers)
    yield from running
    last = {each.role: "" for each in running}
    for each in newest_first(observed.containers):
        if owner.owns(each) and naming.REPLACED_MARK not in each.name:
            first = naming.first_replica(each.name)
            if last.setdefault(each.role, first) == first:
                yield each
