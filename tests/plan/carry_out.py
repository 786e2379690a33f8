"""What a host is once a plan was carried out, change by change, as operations and Docker would do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import singledispatch

from kamal_pyinfra import naming
from kamal_pyinfra.naming import DIGEST_LABEL
from kamal_pyinfra.plan import changes as change_kinds
from kamal_pyinfra.plan import changes as containers_kinds
from kamal_pyinfra.plan import changes as host_kinds
from kamal_pyinfra.plan.state.desired import DesiredHost
from kamal_pyinfra.plan.state.observed import ObservedFile, ObservedHost, ObservedImage, Status
from tests.conftest import HOME, as_deployed
from tests.plan.hosts import DOCKER, altered, without


def carry_out(
    desired: DesiredHost, host: ObservedHost, changes: tuple[change_kinds.Change, ...]
) -> Iterator[tuple[change_kinds.Change, ObservedHost]]:
    """The host after each change."""
    for change in changes:
        host = after(change, host, desired)
        yield change, host


@singledispatch
def after(change: change_kinds.Change, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    """The host after one change."""
    raise NotImplementedError(change)


@after.register
def _(change: host_kinds.InstallDocker, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    return replace(host, docker=DOCKER)


@after.register
def _(change: host_kinds.CreateDirectories, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    return replace(host, directories=host.directories.union(change.paths))


@after.register
def _(change: host_kinds.WriteEnvFile, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    if change.keeps_content:
        protected = replace(host.files[change.file.path], mode="600")
        return replace(host, files={**host.files, change.file.path: protected})
    written = ObservedFile(digest=change.file.digest, mode="600", checks=change.file.checks)
    listed = host.env_files | ({change.file.path} if change.file.role else set())
    return replace(host, files={**host.files, change.file.path: written}, env_files=listed)


@after.register
def _(change: host_kinds.RemoveEnvFile, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    assert change.path in host.env_files or change.path in host.files
    files = {path: file for path, file in host.files.items() if path != change.path}
    return replace(host, env_files=host.env_files - {change.path}, files=files)


@after.register
def _(change: host_kinds.RemoveFile, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    assert change.path == naming.hosts_record(desired.run.config)
    assert host.record is not None
    return replace(host, record=None)


@after.register
def _(change: host_kinds.ForgetHosts, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    assert host.record is not None
    left = {name: roles for name, roles in host.record.hosts.items() if name not in change.hosts}
    assert len(left) < len(host.record.hosts)
    return replace(host, record=replace(host.record, hosts=left))


@after.register
def _(change: containers_kinds.RemoveProxy, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    return without(host, change.name)


@after.register
def _(change: host_kinds.LogIn, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    return replace(host, logged_in=True)


@after.register
def _(change: host_kinds.PullImage, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    assert not host.has_image(change.image)
    identity = f"sha256:{desired.run.version}"
    defaults = {**host.image_defaults, identity: as_deployed(desired).image_defaults[identity]}
    return tagged(replace(host, image_defaults=defaults), change.image, identity)


@after.register
def _(change: containers_kinds.RunProxy, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    wanted = as_deployed(desired).container(change.proxy.name)
    running = host.container(change.proxy.name)
    if change.action is change_kinds.Action.UPDATE:
        return altered(host, running.name, status=Status.RUNNING)
    assert (running is not None) is (change.action is change_kinds.Action.REPLACE)
    others = without(host, change.proxy.name)
    return tagged(replace(others, containers=(*others.containers, wanted)), wanted.image, wanted.image_id)


@after.register
def _(change: containers_kinds.SyncAssets, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    return replace(host, assets=host.assets | {change.assets.extracted, change.assets.volume})


@after.register
def _(change: containers_kinds.BootContainer, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    name = change.container.name
    assert host.container(name) is None, "a name is free before a container gets it"
    (image,) = (image for image in host.images if image.reference == change.container.image)
    booted = replace(
        as_deployed(desired).container(name),
        image_id=image.id,
        created="2026-02-01T00:00:00Z",
        labels={**dict(change.container.labels), DIGEST_LABEL: change.container.digest},
    )
    host = replace(host, containers=(*host.containers, booted))
    return tied(host, change.container.cord, is_tied=True)


@after.register
def _(change: containers_kinds.ReplaceContainer, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    aside = f"{change.container.name}_replaced_{desired.run.replaced_suffix}"
    assert host.container(aside) is None
    return after.dispatch(containers_kinds.BootContainer)(
        change, altered(host, change.container.name, name=aside), desired
    )


@after.register
def _(change: containers_kinds.RestartContainer, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    if change.container.assets:
        assert change.container.assets.volume in host.assets
    host = altered(host, change.container.name, status=Status.RUNNING, health=health(change))
    return tied(host, change.cord, is_tied=True)


@after.register
def _(change: containers_kinds.AwaitContainer, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    return altered(host, change.container.name, health=health(change))


@after.register
def _(change: containers_kinds.StopContainer, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    assert host.container(change.name).is_running
    host = altered(host, change.name, status=Status.EXITED, health=None)
    return tied(host, change.cord, is_tied=False)


@after.register
def _(change: host_kinds.TagLatest, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    (image,) = (image for image in host.images if image.reference == change.image)
    return tagged(host, change.tag, image.id)


@after.register
def _(change: host_kinds.RemoveContainer, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    assert not host.container(change.name).is_running, "docker rm refuses a running container"
    return without(host, change.name)


@after.register
def _(change: host_kinds.RemoveImage, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    left = tuple(image for image in host.images if change.image not in (image.reference, image.id))
    assert len(left) < len(host.images)
    return replace(host, images=left)


@after.register
def _(change: host_kinds.RemoveDirectory, host: ObservedHost, desired: DesiredHost) -> ObservedHost:
    assert (
        change.path in host.cords
        or change.path in host.assets
        or change.path == naming.edits_directory(desired.run.config)
    )
    cords = {path: is_tied for path, is_tied in host.cords.items() if path != change.path}
    return replace(host, cords=cords, assets=host.assets - {change.path})


def health(change: containers_kinds.BootContainer) -> str | None:
    """What Docker says in the end."""
    return "healthy" if change.container.health else None


def tagged(host: ObservedHost, reference: str, identity: str) -> ObservedHost:
    """The host with a tag set."""
    others = tuple(image for image in host.images if image.reference != reference)
    return replace(host, images=(*others, ObservedImage(reference=reference, id=identity)))


def tied(host: ObservedHost, cord: str | None, *, is_tied: bool) -> ObservedHost:
    """The host with a cord tied or cut; there may be none, and one that is gone is not cut again."""
    path = (cord or "").removeprefix(f"{HOME}/")
    if not path or (path not in host.cords and not is_tied):
        return host
    return replace(host, cords={**host.cords, path: is_tied})
