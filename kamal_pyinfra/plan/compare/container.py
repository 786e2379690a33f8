"""All differences of a container, and whether somebody made them by hand."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

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
from kamal_pyinfra.plan.docker_values import Options, are_given, as_items, from_seconds, split_command, to_seconds
from kamal_pyinfra.plan.proxy.router_names import usual_labels
from kamal_pyinfra.plan.state.desired import AccessoryContainer, AppContainer, DesiredHost, EnvFile, Proxy, Upload
from kamal_pyinfra.plan.state.observed import ImageDefaults, ObservedContainer, ObservedHost

OTHER_OPTIONS = Difference(field="options", after="changed")
"""What our digest knows to differ although ``docker inspect`` shows no field of it."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a container of either kind is compared by."""

    env: tuple[tuple[str, str], ...]
    secret_names: tuple[str, ...]
    secrets: str | None
    secret_checks: Mapping[str, int]
    labels: tuple[tuple[str, str], ...]
    options: Options
    log_options: Options
    mounts: tuple[Wanted, ...]
    digest: str


def app_differences(desired: AppContainer, observed: ObservedContainer, host: ObservedHost) -> tuple[Difference, ...]:
    """Why ``observed`` is not what ``desired`` asks for; empty if it is."""
    return (*_image(desired, observed, host), *config_differences(desired, observed, host))


def config_differences(
    desired: AppContainer, observed: ObservedContainer, host: ObservedHost
) -> tuple[Difference, ...]:
    """What differs besides the version.

    A container with our digest of the same configuration can only have been changed by ``docker update``. One
    with another digest, or without (it was made by Kamal), is compared by all that ``docker inspect`` shows.
    """
    observed = replace(observed, labels=usual_labels(observed.labels))
    defaults = host.image_defaults.get(observed.image_id)
    is_same = observed.digest == desired.digest
    fields = tuple(spec_differences(_app_spec(desired, host), observed, defaults))
    if not is_same:
        command = command_differences(desired.cmd, desired.options, observed, defaults)
        fields += (*command, *_health(desired, observed, defaults))
    return fields if fields or is_same or observed.digest is None else (OTHER_OPTIONS,)


def _image(desired: AppContainer, observed: ObservedContainer, host: ObservedHost) -> Iterator[Difference]:
    if observed.image != desired.image:
        yield Difference(field="image", before=observed.image, after=desired.image)
    image = next((image for image in host.images if image.reference == desired.image), None)
    if image is not None and image.id != observed.image_id:
        yield Difference(field=f"image behind {desired.image}", after="changed")


def _app_spec(desired: AppContainer, host: ObservedHost) -> Spec:
    return Spec(
        env=desired.env,
        secret_names=desired.secret_names,
        secrets=desired.secrets,
        secret_checks=desired.secret_checks,
        labels=desired.labels,
        options=desired.options,
        log_options=desired.log_options,
        mounts=(
            *(Wanted.parse(volume) for volume in desired.volumes),
            *(
                [Wanted(target=desired.assets.source, source=host.absolute(desired.assets.volume), is_ours=True)]
                if desired.assets
                else []
            ),
            *([Wanted(target=desired.cord_target, source="", is_ours=True)] if desired.cord_target else []),
        ),
        digest=desired.digest,
    )


def published(options: Options, publish: str | None) -> Options:
    """Options of ``docker run`` with the published port among those that the options publish."""
    given = dict(options)
    extra = as_items(given.pop("publish", ()))
    ports: Options = (("publish", (*((publish,) if publish else ()), *extra)),) if publish or extra else ()
    return (*given.items(), *ports)


def spec_differences(spec: Spec, observed: ObservedContainer, defaults: ImageDefaults | None) -> Iterator[Difference]:
    """What every kind of container is compared by."""
    is_same = observed.digest == spec.digest
    names = (*(name for name, _ in spec.env), *spec.secret_names)
    yield from secret_differences(spec.secrets, spec.secret_checks, observed, defaults)
    # The digest does not know of secrets: one that is watched no more is told by its name.
    yield from surplus_env_differences(names, spec.options, observed, defaults)
    if not is_same:
        yield from env_differences(spec.env, observed)
        yield from label_differences(spec.labels, spec.options, observed, defaults)
        yield from mount_differences(spec.mounts, spec.options, observed)
        yield from logging_differences(spec.log_options, spec.options, observed)
    yield from option_differences(spec.options, observed.options, is_same=is_same)


def command_differences(
    cmd: str | None, options: Options, observed: ObservedContainer, defaults: ImageDefaults | None
) -> Iterator[Difference]:
    """Whether a container was started with another command."""
    if cmd is None and are_given(options, "entrypoint"):
        return  # the image's does not count then
    wanted = split_command(cmd) if cmd is not None else (defaults.command if defaults else observed.command)
    if wanted != observed.command:
        after = cmd if cmd is not None else "the image's"
        yield Difference(field="cmd", before=shlex.join(observed.command) or NOT_SET, after=after)


def _health(desired: AppContainer, observed: ObservedContainer, defaults: ImageDefaults | None) -> Iterator[Difference]:
    if desired.health is None:
        if are_given(desired.options, "health-cmd", "no-healthcheck"):
            return
        # Without knowing the image, a health check may be its own.
        surplus = observed.health_command if defaults and observed.health_command != defaults.health_command else None
        if surplus:
            yield Difference(
                field="health check", before=surplus, after=(defaults and defaults.health_command) or "none"
            )
        return
    if observed.health_command not in {desired.health.command, desired.health.prompt_command}:
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
    defaults = host.image_defaults.get(observed.image_id)
    is_same = observed.digest == desired.digest
    fields = tuple(spec_differences(_spec(desired, host), observed, defaults))
    if observed.image != desired.image:
        fields = (Difference(field="image", before=observed.image, after=desired.image), *fields)
    if not is_same:
        fields += tuple(command_differences(desired.cmd, desired.options, observed, defaults))
    if not (fields or is_same or observed.digest is None):
        fields = (OTHER_OPTIONS,)
    return (*fields, *upload_differences(desired, host))


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


def _spec(desired: AccessoryContainer, host: ObservedHost) -> Spec:
    return Spec(
        env=desired.env,
        secret_names=desired.secret_names,
        secrets=desired.secrets,
        secret_checks=desired.secret_checks,
        labels=desired.labels,
        options=published(desired.options, desired.publish),
        log_options=desired.log_options,
        mounts=tuple(Wanted.parse(_absolute(volume, host)) for volume in desired.volumes),
        digest=desired.digest,
    )


def _absolute(volume: str, host: ObservedHost) -> str:
    return f"{host.home}/{volume.removeprefix(WORKING_FOLDER)}" if volume.startswith(WORKING_FOLDER) else volume


MUTABLE = {RESTART, *(option.names[0] for option in OPTIONS if option.is_mutable)}


def was_in_service(desired: DesiredHost, observed: ObservedHost) -> bool:
    """Whether the wanted version is the one that was last put into service here."""
    if observed.record is not None:
        return observed.record.version == desired.version
    ids = {image.reference: image.id for image in observed.images}
    return ids.get(desired.image) is not None and ids.get(desired.image) == ids.get(desired.latest_image)


def was_started(container: AppContainer, observed: ObservedHost) -> bool:
    """Whether the last run left this very container."""
    return observed.record is not None and observed.record.containers.get(container.name) == container.digest


def was_written(file: EnvFile, observed: ObservedHost) -> bool:
    """Whether the last run left the file with today's content."""
    record = observed.record
    return record is not None and bool(file.digest) and record.env_files.get(file.path) == file.digest


def is_by_hand(desired: AppContainer | Proxy, observed: ObservedContainer, differences: tuple[Difference, ...]) -> bool:
    """Whether a container was created as configured, so that ``docker update`` must have changed it."""
    return observed.digest == desired.digest and all(difference.field in MUTABLE for difference in differences)
