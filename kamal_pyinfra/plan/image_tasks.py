"""``kp build pull``: the image of a version on the hosts, without a deploy."""

from __future__ import annotations

from kamal_pyinfra.plan.desired import desired_host
from kamal_pyinfra.plan.diff import diff_directories, diff_docker, diff_images, diff_login
from kamal_pyinfra.plan.host_task import HostTask
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.run import Run


def pull(run: Run, observed: ObservedHost) -> HostTask:
    """The image is fetched, also where one of that version is.

    Raises:
        ConfigError: a secret has no value.
    """
    desired = desired_host(run, observed.host)
    parts = (diff(desired, observed) for diff in (diff_docker, diff_directories, diff_login, diff_images))
    return HostTask(changes=tuple(change for part in parts for change in part))
