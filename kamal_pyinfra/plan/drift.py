"""Whether a change mends what somebody did on a host, or brings what the configuration newly says.

The record of the last run tells: what it left as the configuration wants it today, and is not so now, was
changed by hand. On a host without a record (Kamal deployed to it) only the tag in service can tell.
"""

from __future__ import annotations

from kamal_pyinfra.plan.difference import Difference
from kamal_pyinfra.plan.observed import ObservedContainer, ObservedHost
from kamal_pyinfra.plan.options import OPTIONS, RESTART
from kamal_pyinfra.plan.state import AppContainer, DesiredHost, EnvFile, Proxy

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
