"""``kp remove``: everything of the service leaves a host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from kamal_pyinfra import naming
from kamal_pyinfra.plan import changes
from kamal_pyinfra.plan.diff.leftovers import Surplus
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
    others, accessories, server = others_on(run, observed), _accessories(run, observed), run.config.registry.server
    logs_out = not run.roles and observed.logged_in and not _registry_users(server, others)
    # The proxy goes where a role of ours was behind it and no service uses it any more.
    is_routed = any(role.running_traefik and observed.host in role.hosts for role in run.config.roles)
    stays = tuple(_proxy_stays(observed, others)) if is_routed else ()
    return TaskDecision(
        changes=(
            *diff_removed_app(run, observed),
            *_removed_files(run, observed),
            *(diff_removed_proxy(run, observed, cause="no service uses it") if is_routed and not stays else ()),
            *accessories.changes,
            *((changes.LogOut(server=server, cause=CAUSE),) if logs_out else ()),
            *(diff_purged(run, observed) if purges else ()),
        ),
        notes=(*stays, *_stays(run, observed, others, purges=purges), *accessories.notes),
        refusals=docker_errors(observed),
    )


def _accessories(run: Run, observed: ObservedHost) -> TaskDecision:
    """The service's accessories, unless only some roles go; their data stays."""
    return TaskDecision() if run.roles else accessory.remove(run, observed)


def others_on(run: Run, observed: ObservedHost) -> tuple[ObservedContainer, ...]:
    """Containers that stay on the host."""
    leaving = {change.subject for change in _accessories(run, observed).changes}
    return tuple(each for each in observed.containers if not run.owner.owns(each) and each.name not in leaving)


def _proxy_stays(observed: ObservedHost, others: tuple[ObservedContainer, ...]) -> Iterator[str]:
    if what := foreign_proxy(observed):
        yield f"the container traefik stays: neither kp nor Kamal started it ({what})"
    elif users := services_behind_proxy(others):
        yield f"the proxy stays: {', '.join(users)} uses it"


def _stays(run: Run, observed: ObservedHost, others: tuple[ObservedContainer, ...], *, purges: bool) -> Iterator[str]:
    if observed.logged_in and (users := _registry_users(run.config.registry.server, others)):
        yield f"the login to the registry stays: {', '.join(users)} uses it"
    if not purges:
        yield from (f"{change.path} stays; --purge removes it" for change in diff_purged(run, observed))


def _registry_users(server: str | None, containers: Iterable[ObservedContainer]) -> tuple[str, ...]:
    """Services whose images come from a registry; without server from Docker Hub."""
    users = (each for each in containers if each.service and registry_of_image(each.image) == (server or ""))
    return tuple(sorted({each.service_name for each in users}))


def diff_removed_app(run: Run, observed: ObservedHost) -> tuple[changes.Change, ...]:
    """Our containers, running or not, and the images that nobody else uses."""
    others = others_on(run, observed)
    images = {image.reference for image in observed.images} - {each.image for each in others}
    return (
        *(
            changes.RemoveContainer(name=each.name, role=each.role, is_running=each.is_running, cause=CAUSE)
            for each in run.owner.containers(observed.containers)
        ),
        *removed_versions(run, images),
        *Surplus(run=run, observed=replace(observed, containers=others)).untagged_images(),
    )


def removed_versions(run: Run, references: Iterable[str]) -> Iterator[changes.RemoveImage]:
    """Those of some images that are versions of the app, or its tag ``latest``; not those of other destinations."""
    for image in sorted(set(references)):
        repository, _, tag = image.rpartition(":")
        is_ours = tag == naming.latest_tag(run.config) or not tag.startswith(("latest", "<"))
        if repository == run.config.repository and is_ours:
            yield changes.RemoveImage(image=image, cause="no container uses it")


def _removed_files(run: Run, observed: ObservedHost) -> Iterator[changes.Change]:
    """The secrets of our roles, cords and assets; records still count for the roles that stay."""
    config, surplus = run.config, Surplus(run=run, observed=observed)
    for path in (naming.role_env_file(config, role) for role in run.known_roles if run.includes(role)):
        if path in observed.files:
            yield changes.RemoveEnvFile(path=path, cause=CAUSE)
    yield from surplus.cords()
    yield from surplus.assets()
    if observed.record is not None and not run.roles:
        yield changes.RemoveFile(path=naming.hosts_record(config), cause=CAUSE)
        yield changes.RemoveDirectory(path=naming.edits_directory(config), cause=CAUSE)


def diff_purged(run: Run, observed: ObservedHost) -> tuple[changes.RemoveFile, ...]:
    """The audit log, which tells of the past, and is wanted only until the service is forgotten."""
    log = naming.audit_log(run.config)
    return (changes.RemoveFile(path=log, cause="purge"),) if log in observed.files else ()
