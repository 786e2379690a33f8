"""``kp server bootstrap``: what a host needs before anything of ours is on it."""

from __future__ import annotations

from kamal_pyinfra.plan.desired import directories
from kamal_pyinfra.plan.diff_host import missing_directories, missing_docker
from kamal_pyinfra.plan.host_task import HostTask, silent_docker
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.run import Run


def bootstrap(run: Run, observed: ObservedHost) -> HostTask:
    """Docker answers, and the folders are there that everything else is put into."""
    folders = missing_directories(directories(run.config, with_proxy=False), observed)
    refusals = silent_docker(observed) if observed.docker.stand_in else ()
    return HostTask(changes=(*missing_docker(observed), *folders), refusals=refusals)
