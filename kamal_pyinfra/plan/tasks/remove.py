"""``kp remove``: everything of the service leaves a host."""

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
from kamal_pyinfra.plan.diff.leftovers import Surplus, untagged_images, unused_assets, unused_cords
from kamal_pyinfra.plan.diff.proxy import foreign_proxy
from kamal_pyinfra.plan.docker_values import registry_of_image
from kamal_pyinfra.plan.plan import TaskDecision, docker_errors
from kamal_pyinfra.plan.proxy.traefik import services_behind_proxy
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.tasks import accessory
from kamal_pyinfra.plan.tasks.proxy import diff_removed_proxy

CAUSE = "the service is removed"


def remove(run: Run, observed: ObservedHost, *, purges: bool = False) -> TaskDecision:
    """All of it, in the order in which it can go; with ``purges`` the audit log too."""
    others, accessories = others_on(run, observed), _accessories(run, observed)
    server = run.config.registry.server
    logs_out = not run.roles and observed.logged_in and not _registry_users(server, others)
    return TaskDecision(
        changes=(
            *diff_removed_app(run, observed),
            *_removed_files(run, observed),
            *_unneeded_proxy(run, observed, others),
            *accessories.changes,
            *((LogOut(server=server, cause=CAUSE),) if logs_out else ()),
            *(diff_purged(run, observed) if purges else ()),
        ),
        notes=(*_stays(run, observed, others, purges=purges), *accessories.notes),
        refusals=docker_errors(observed),
    )


def _accessories(run: Run, observed: ObservedHost) -> TaskDecision:
    """The service's accessories, unless only some roles go; their data stays."""
    return TaskDecision() if run.roles else accessory.remove(run, observed)


def others_on(run: Run, observed: ObservedHost) -> tuple[ObservedContainer, ...]:
    """Containers that stay on the host."""
    owner = run.owner
    leaving = {change.subject for change in _accessories(run, observed).changes}
    return tuple(each for each in observed.containers if not owner.owns(each) and each.name not in leaving)


def _stays(run: Run, observed: ObservedHost, others: tuple[ObservedContainer, ...], *, purges: bool) -> Iterator[str]:
    if _is_routed(run, observed) and (what := foreign_proxy(observed)):
        yield f"the container traefik stays: neither kp nor Kamal started it ({what})"
    elif _is_routed(run, observed) and (users := services_behind_proxy(others)):
        yield f"the proxy stays: {', '.join(users)} uses it"
    if observed.logged_in and (users := _registry_users(run.config.registry.server, others)):
        yield f"the login to the registry stays: {', '.join(users)} uses it"
    if not purges:
        yield from (f"{change.path} stays; --purge removes it" for change in diff_purged(run, observed))


def _registry_users(server: str | None, containers: Iterable[ObservedContainer]) -> tuple[str, ...]:
    """Services whose images come from a registry; without server from Docker Hub."""
    users = (each for each in containers if each.service and registry_of_image(each.image) == (server or ""))
    return tuple(sorted({each.service_name for each in users}))


def diff_removed_app(run: Run, observed: ObservedHost) -> tuple[Change, ...]:
    """Our containers, running or not, and the images that nobody else uses."""
    owner, others = run.owner, others_on(run, observed)
    images = {image.reference for image in observed.images} - {each.image for each in others}
    return (
        *(
            RemoveContainer(name=each.name, role=each.role, is_running=each.is_running, cause=CAUSE)
            for each in owner.containers(observed.containers)
        ),
        *removed_versions(run, images),
        *untagged_images(Surplus(run=run, owner=owner), replace(observed, containers=others)),
    )


def removed_versions(run: Run, references: Iterable[str]) -> Iterator[RemoveImage]:
    """Those of some images that are versions of the app, or its tag ``latest``; not those of other destinations."""
    for image in sorted(set(references)):
        repository, _, tag = image.rpartition(":")
        is_ours = tag == run.config.latest_tag or not tag.startswith(("latest", "<"))
        if repository == run.config.repository and is_ours:
            yield RemoveImage(image=image, cause="no container uses it")


def _removed_files(run: Run, observed: ObservedHost) -> Iterator[Change]:
    """The secrets of our roles, cords and assets; records still count for the roles that stay."""
    config, surplus = run.config, Surplus(run=run, owner=run.owner)
    for path in (naming.role_env_file(config, role) for role in run.known_roles if run.includes(role)):
        if path in observed.files:
            yield RemoveEnvFile(path=path, cause=CAUSE)
    yield from unused_cords(surplus, observed)
    yield from unused_assets(surplus, observed)
    if observed.record is not None and not run.roles:
        yield RemoveFile(path=naming.hosts_record(config), cause=CAUSE)
        yield RemoveDirectory(path=naming.edits_directory(config), cause=CAUSE)


def _unneeded_proxy(run: Run, observed: ObservedHost, others: tuple[ObservedContainer, ...]) -> tuple[Change, ...]:
    """The proxy, where a role of ours was behind it and nobody is any more."""
    if not _is_routed(run, observed) or foreign_proxy(observed) or services_behind_proxy(others):
        return ()
    return diff_removed_proxy(run, observed, cause="no service uses it")


def _is_routed(run: Run, observed: ObservedHost) -> bool:
    return any(role.running_traefik and role.runs_on(observed.host) for role in run.config.roles)


def diff_purged(run: Run, observed: ObservedHost) -> tuple[RemoveFile, ...]:
    """The audit log, which tells of the past, and is wanted only until the service is forgotten."""
    log = naming.audit_log(run.config)
    return (RemoveFile(path=log, cause="purge"),) if log in observed.files else ()
