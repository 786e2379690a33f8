"""Assets: files that pages of the old and of the new version both need."""

from __future__ import annotations

from kamal_pyinfra.plan.changes import Change, SyncAssets
from kamal_pyinfra.plan.diff_app import diff_containers
from kamal_pyinfra.plan.drift import was_started
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.state import DesiredHost


def diff_assets(desired: DesiredHost, observed: ObservedHost) -> tuple[Change, ...]:
    """Assets are synced whenever a container with assets gets started, and when its folder is missing.

    Replicas share the folder of the first.
    """
    starting = {change.container.name for change in diff_containers(desired, observed)}
    wanted = {container.name for container in desired.containers}
    return tuple(
        SyncAssets(
            role=container.role,
            assets=container.assets,
            image=container.image,
            old_containers=tuple(
                old.name
                for old in desired.owner.running(observed.containers)
                if old.role == container.role and old.name not in wanted
            ),
            cause="not extracted" if container.assets.volume not in observed.assets else "bridges two versions",
            is_drift=container.name not in starting and was_started(container, observed),
            part_of=container.name if container.name in starting else "",
        )
        for container in desired.containers
        if container.assets
        and container.replica == 1
        and (container.name in starting or container.assets.volume not in observed.assets)
    )
