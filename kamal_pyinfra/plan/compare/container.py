"""All differences of a container, and whether somebody made them by hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

from kamal_pyinfra.plan.compare.fields import (
    NOT_SET,
    Difference,
    Wanted,
    env_differences,
    label_differences,
    mount_differences,
    secret_differences,
    surplus_env_differences,
)
from kamal_pyinfra.plan.compare.options import OPTIONS, RESTART, logging_differences, option_differences
from kamal_pyinfra.plan.desired.accessory import WORKING_FOLDER
from kamal_pyinfra.plan.docker_values import Options, as_items, from_seconds, is_in_options, split_command, to_seconds
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
    image = tuple(_image(desired, observed, host))
    fields = config_differences(desired, observed, host)
    if image and fields == (OTHER_OPTIONS,) and "image" in desired.settings:
        return image  # the digest is another one for that alone
    return (*image, *fields)


def config_differences(
    desired: ContainerSpec, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """What differs besides the image.

    A container with our digest of the same configuration can only have been changed by ``docker update``. One
    with another digest, or without (it was made by Kamal), is compared by all that ``docker inspect`` shows.
    """
    if isinstance(desired, AppContainer):
        observed = replace(observed, labels=usual_labels(observed.labels))
    fields = tuple(_fields(desired, observed, host))
    is_changed = observed.digest not in (None, desired.digest)
    return (OTHER_OPTIONS,) if is_changed and not fields else fields


def _image(desired: ContainerSpec, observed: ObservedContainer, host: ObservedHost) -> Iterator[Difference]:
    if observed.image != desired.image:
        yield Difference(field="image", before=observed.image, after=desired.image)
    image = next((image for image in host.images if image.reference == desired.image), None)
    if isinstance(desired, AppContainer) and image is not None and image.id != observed.image_id:
        yield Difference(field=f"image behind {desired.image}", after="changed")


def _fields(desired: ContainerSpec, observed: ObservedContainer, host: ObservedHost) -> Iterator[Difference]:
    defaults = host.image_defaults.get(observed.image_id)
    is_same = observed.digest == desired.digest
    options = _with_published(desired)
    names = (*(name for name, _ in desired.env), *desired.secret_names)
    yield from secret_differences(desired.secrets, desired.secret_checks, observed, defaults)
    # The digest does not know of secrets: one that is watched no more is told by its name.
    yield from surplus_env_differences(names, options, observed, defaults)
    if not is_same:
        yield from env_differences(desired.env, observed)
        yield from label_differences(desired.labels, options, observed, defaults)
        yield from mount_differences(tuple(_mounts(desired, host)), options, observed)
        yield from logging_differences(desired.log_options, options, observed)
    yield from option_differences(options, observed.options, is_same=is_same)
    if is_same:
        return
    if isinstance(desired, Proxy):
        yield from _arguments(desired, observed)
    else:
        yield from command_differences(desired.cmd, desired.options, observed, defaults)
    if isinstance(desired, AppContainer):
        yield from _health(desired, observed, defaults)


def _mounts(desired: ContainerSpec, host: ObservedHost) -> Iterator[Wanted]:
    for volume in desired.volumes:
        at_home = volume.startswith(WORKING_FOLDER)
        yield Wanted.parse(f"{host.home}/{volume.removeprefix(WORKING_FOLDER)}" if at_home else volume)
    if isinstance(desired, AppContainer) and desired.assets:
        yield Wanted(target=desired.assets.source, source=host.absolute(desired.assets.volume), is_ours=True)
    if isinstance(desired, AppContainer) and desired.cord_target:
        yield Wanted(target=desired.cord_target, source="", is_ours=True)


def _with_published(desired: ContainerSpec) -> Options:
    """The options with the published port among those that they publish."""
    if not desired.publish:
        return desired.options
    others = tuple(option for option in desired.options if option[0] != "publish")
    return (*others, ("publish", (desired.publish, *as_items(dict(desired.options).get("publish", ())))))


def _arguments(desired: Proxy, observed: ObservedContainer) -> Iterator[Difference]:
    wanted = proxy_arguments(desired)
    for argument in wanted:
        if argument not in observed.command:
            yield Difference(field="args", before=NOT_SET, after=argument)
    for argument in observed.command:
        if argument.startswith("--") and argument not in {*wanted, PROMPT_ROUTES}:
            yield Difference(field="args", before=argument, after=NOT_SET)


def command_differences(
    cmd: str | None, options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Whether a container was started with another command."""
    if cmd is None and is_in_options(options, "entrypoint"):
        return  # the image's does not count then
    wanted = split_command(cmd) if cmd is not None else (defaults.command if defaults else observed.command)
    if wanted != observed.command:
        after = cmd if cmd is not None else "the image's"
        yield Difference(field="cmd", before=shlex.join(observed.command) or NOT_SET, after=after)


def _health(desired: AppContainer, observed: ObservedContainer, defaults: ImageDefaults | None) -> Iterator[Difference]:
    if desired.health is None:
        if is_in_options(desired.options, "health-cmd", "no-healthcheck"):
            return
        # Without knowing the image, a health check may be its own.
        surplus = observed.health_command if defaults and observed.health_command != defaults.health_command else None
        if surplus:
            yield Difference(
                field="health check", before=surplus, after=(defaults and defaults.health_command) or "none"
            )
        return
    if observed.health_command not in {desired.health.command, desired.health.retrying_command}:
        yield Difference(field="health check", before=observed.health_command or "none", after=desired.health.command)
    if observed.health_command and to_seconds(desired.health.interval) != observed.health_interval:
        before = from_seconds(observed.health_interval)
        yield Difference(field="health interval", before=before, after=desired.health.interval)


UPLOAD_MODE = "755"
"""Kamal 1.9."""


def accessory_differences(
    desired: AccessoryContainer, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """Why a container and its files are not what the configuration asks for; empty if they are."""
    return (*container_differences(desired, observed, host), *upload_differences(desired, host))


def upload_differences(desired: AccessoryContainer, host: ObservedHost) -> Iterator[Difference]:
    """Files that are missing on the host or have another content there."""
    for upload in desired.uploads:
        seen = host.uploads.get(upload.path)
        if seen is None:
            yield Difference(field=f"file {upload.path}", after="is missing")
        elif upload.digest and seen.digest != upload.digest:
            yield Difference(field=f"file {upload.path}", after="changed")
        elif seen.mode != UPLOAD_MODE:
            yield Difference(field=f"mode of {upload.path}", before=seen.mode, after=UPLOAD_MODE)


def files_to_upload(desired: AccessoryContainer, host: ObservedHost) -> tuple[Upload, ...]:
    """The files that are not on the host as they are here."""
    return tuple(
        each for each in desired.uploads if next(upload_differences(replace(desired, uploads=(each,)), host), None)
    )


MUTABLE = {RESTART, *(option.names[0] for option in OPTIONS if option.is_mutable)}


def was_in_service(desired: DesiredHost, observed: ObservedHost) -> bool:
    """Whether the wanted version is the one that was last put into service here."""
    if observed.record is not None:
        return observed.record.version == desired.run.version
    ids = {image.reference: image.id for image in observed.images}
    return ids.get(desired.image) is not None and ids.get(desired.image) == ids.get(desired.latest_image)


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
