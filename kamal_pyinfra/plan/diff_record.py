"""What the record on a host has to forget. That it is of the last run is no change in itself."""

from __future__ import annotations

from kamal_pyinfra.plan.changes import ForgetHosts
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.state import DesiredHost


def diff_record(desired: DesiredHost, observed: ObservedHost) -> tuple[ForgetHosts, ...]:
    """Hosts that left the configuration are in the record until they are decommissioned or forgotten."""
    known = observed.record.hosts if observed.record else {}
    hosts = tuple(host for host in desired.forgotten if host in known)
    if desired.is_leaving or not hosts:
        return ()
    return (ForgetHosts(path=desired.record, hosts=hosts, cause=f"{', '.join(hosts)} left the config"),)
