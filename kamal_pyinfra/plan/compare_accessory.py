"""How a running accessory differs from the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kamal_pyinfra.plan.accessory import AccessoryContainer, Upload
from kamal_pyinfra.plan.compare import OTHER_OPTIONS, Spec, command_differences, published, spec_differences
from kamal_pyinfra.plan.compare_mounts import Wanted
from kamal_pyinfra.plan.desired_accessory import WORKING_FOLDER
from kamal_pyinfra.plan.difference import Difference
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost

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
        fields += tuple(command_differences(desired.cmd, observed, defaults))
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
