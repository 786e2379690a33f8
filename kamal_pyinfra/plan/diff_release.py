"""Whether the release command runs: only where its role gets a new version or configuration on its host."""

from __future__ import annotations

from kamal_pyinfra.plan.changes import AwaitContainer, RunRelease
from kamal_pyinfra.plan.diff_app import diff_containers
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.state import DesiredHost

CAUSE = "release command runs once before boot"


def diff_release(desired: DesiredHost, observed: ObservedHost) -> tuple[RunRelease, ...]:
    """One change on the release command's host if its role boots there; none anywhere else."""
    release = desired.release
    if release is None:
        return ()
    role = release.container.role
    boots = (change for change in diff_containers(desired, observed) if change.role == role)
    if all(isinstance(change, AwaitContainer) for change in boots):
        return ()
    return (RunRelease(release=release, role=role, cause=CAUSE),)
