"""All differences of a container, and whether somebody made them by hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace

from kamal_pyinfra.plan.compare import fields
from kamal_pyinfra.plan.compare.fields import NOT_SET, OPTIONS, RESTART, DesiredMount, Difference
from kamal_pyinfra.plan.desired import WORKING_FOLDER
from kamal_pyinfra.plan.docker_values import as_items, from_seconds, is_in_options, split_command, to_seconds
from kamal_pyinfra.plan.proxy.router_names import usual_labels
from kamal_pyinfra.plan.proxy.traefik import PROMPT_ROUTES, proxy_arguments
from kamal_pyinfra.plan.state.desired import (
    AccessoryContainer,
    AppContainer,
    ContainerSpec,
    DesiredHost,
    EnvFile,
    Proxy,
    Upload,
)
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer, ObservedHost

OTHER_OPTIONS = Difference(field="options", after="changed")
"""What our digest knows to differ although ``docker inspect`` shows no field of it."""


def container_differences(
    desired: ContainerSpec, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """Why ``observed`` is not what ``desired`` asks for; empty if it is."""
    image: list[Difference] = []
    if observed.image != desired.image:
        image.append(Difference(field="image", before=observed.image, after=desired.image))
    if isinstance(desired, AppContainer) and host.image_id(desired.image) not in ("", observed.image_id):
        image.append(Difference(field=f"image behind {desired.image}", after="changed"))
    others = config_differences(desired, observed, host)
    if image and others == (OTHER_OPTIONS,) and "image" in desired.settings:
        return tuple(image)  # the digest is another one for that alone
    return (*image, *others)


def config_differences(
    desired: ContainerSpec, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """What differs besides the image.

    A container with our digest of the same configuration can only have been changed by ``docker update``. One
    with another digest, or without (it was made by Kamal), is compared by all that ``docker inspect`` shows.
    """
    if isinstance(desired, AppContainer):
        observed = replace(observed, labels=usual_labels(observed.labels))
    differences = tuple(_fields(desired, observed, host))
    is_changed = observed.digest not in (None, desired.digest)
    return (OTHER_OPTIONS,) if is_changed and not differences else differences


def _fields(desired: ContainerSpec, observed: ObservedContainer, host: ObservedHost) -> Iterator[Difference]:
    defaults = host.image_defaults.get(observed.image_id)
    is_same = observed.digest == desired.digest
    options = desired.options
    if desired.publish:
        ports = (desired.publish, *as_items(dict(options).get("publish", ())))
        options = (*(option for option in options if option[0] != "publish"), ("publish", ports))
    names = (*(name for name, _ in desired.env), *desired.secret_names)
    yield from fields.secret_differences(desired.secrets, desired.secret_checks, observed, defaults)
    # The digest does not know of secrets: one that is watched no more is found by its name.
    yield from fields.surplus_env_differences(names, options, observed, defaults)
    if not is_same:
        yield from fields.env_differences(desired.env, observed)
        yield from fields.label_differences(desired.labels, options, observed, defaults)
        yield from fields.mount_differences(_mounts(desired, host), options, observed)
        yield from fields.logging_differences(desired.log_options, options, observed)
    yield from fields.option_differences(options, observed.options, is_same=is_same)
    if is_same:
        return
    if isinstance(desired, Proxy):
        yield from _arguments(desired, observed)
    else:
        yield from _command(desired, observed, defaults)
    if isinstance(desired, AppContainer):
        yield from _health(desired, observed, defaults)


def _mounts(desired: ContainerSpec, host: ObservedHost) -> Iterator[DesiredMount]:
    for volume in desired.volumes:
        at_home = volume.startswith(WORKING_FOLDER)
        yield DesiredMount.parse(f"{host.home}/{volume.removeprefix(WORKING_FOLDER)}" if at_home else volume)
    if isinstance(desired, AppContainer) and desired.assets:
        source = host.absolute(desired.assets.volume)
        yield DesiredMount(target=desired.assets.source, source=source, is_ours=True)
    if isinstance(desired, AppContainer) and desired.cord_target:
        yield DesiredMount(target=desired.cord_target, source="", is_ours=True)


def _arguments(desired: Proxy, observed: ObservedContainer) -> Iterator[Difference]:
    wanted = proxy_arguments(desired)
    for argument in wanted:
        if argument not in observed.command:
            yield Difference(field="args", before=NOT_SET, after=argument)
    for argument in observed.command:
        if argument.startswith("--") and argument not in {*wanted, PROMPT_ROUTES}:
            yield Difference(field="args", before=argument, after=NOT_SET)


def _command(
    desired: ContainerSpec, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Whether a container was started with another command."""
    cmd = desired.cmd
    if cmd is None and is_in_options(desired.options, "entrypoint"):
        return  # the image's does not count then
    wanted = split_command(cmd) if cmd is not None else (defaults.command if defaults else observed.command)
    if wanted != observed.command:
        after = cmd if cmd is not None else "the image's"
        yield Difference(field="cmd", before=shlex.join(observed.command) or NOT_SET, after=after)


def _health(desired: AppContainer, observed: ObservedContainer, defaults: ImageDefaults | None) -> Iterator[Difference]:
    health, command = desired.health, observed.health_command
    if health is None:
        # Without knowing the image, a health check may be its own.
        is_surplus = command and defaults and command != defaults.health_command
        if is_surplus and not is_in_options(desired.options, "health-cmd", "no-healthcheck"):
            after = (defaults and defaults.health_command) or "none"
            yield Difference(field="health check", before=command or "none", after=after)
        return
    if command not in {health.command, health.retrying_command}:
        yield Difference(field="health check", before=command or "none", after=health.command)
    if command and to_seconds(health.interval) != observed.health_interval:
        before = from_seconds(observed.health_interval)
        yield Difference(field="health interval", before=before, after=health.interval)


UPLOAD_MODE = "755"
"""Kamal 1.9."""


def accessory_differences(
    desired: AccessoryContainer, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """Why a container and its files are not what the configuration asks for; empty if they are."""
    return (*container_differences(desired, observed, host), *_upload_differences(desired.uploads, host))


def _upload_differences(uploads: Iterable[Upload], host: ObservedHost) -> Iterator[Difference]:
    """Files that are missing on the host or have another content there."""
    for upload in uploads:
        existing = host.uploads.get(upload.path)
        if existing is None:
            yield Difference(field=f"file {upload.path}", after="is missing")
        elif upload.digest and existing.digest != upload.digest:
            yield Difference(field=f"file {upload.path}", after="changed")
        elif existing.mode != UPLOAD_MODE:
            yield Difference(field=f"mode of {upload.path}", before=existing.mode, after=UPLOAD_MODE)


def files_to_upload(desired: AccessoryContainer, host: ObservedHost) -> tuple[Upload, ...]:
    """The files that are not on the host as they are on this machine."""
    return tuple(each for each in desired.uploads if any(_upload_differences((each,), host)))


MUTABLE = {RESTART, *(option.names[0] for option in OPTIONS if option.is_mutable)}


def was_in_service(desired: DesiredHost, observed: ObservedHost) -> bool:
    """Whether the desired version is the one that was last put into service on the host."""
    if observed.record is not None:
        return observed.record.version == desired.run.version
    image_id = observed.image_id(desired.image)
    return bool(image_id) and image_id == observed.image_id(desired.run.latest_image)


def was_started(container: AppContainer, observed: ObservedHost) -> bool:
    """Whether the last run left this very container."""
    return observed.record is not None and observed.record.containers.get(container.name) == container.digest


def was_written(file: EnvFile, observed: ObservedHost) -> bool:
    """Whether the last run left the file with today's content."""
    record = observed.record
    return record is not None and bool(file.digest) and record.env_files.get(file.path) == file.digest


def is_by_hand(desired: ContainerSpec, observed: ObservedContainer, differences: tuple[Difference, ...]) -> bool:
    """Whether a container was created as configured, so that ``docker update`` must have changed it."""
    return observed.digest == desired.digest and all(difference.field in MUTABLE for difference in differences)
