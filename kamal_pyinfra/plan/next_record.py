"""What a run writes down on a host once it is over."""

from __future__ import annotations

from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.record import Record
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state import DesiredHost


def next_record(run: Run, desired: DesiredHost, observed: ObservedHost) -> Record:
    """The record that stands on the host afterwards.

    Hosts that left the configuration stay in it until they are decommissioned or forgotten. What a run of some
    roles did not touch stays as the run before left it.
    """
    before = observed.record or Record()
    kept = run.roles or run.keeps_env
    proxy = before.proxy if desired.proxy is None else desired.proxy.digest
    return Record(
        version=run.version,
        hosts={**_departed(run, before), **_configured(run)},
        containers={
            **(dict(before.containers) if run.roles else {}),
            **{container.name: container.digest for container in desired.containers},
        },
        env_files={
            **(dict(before.env_files) if kept else {}),
            **{file.path: file.digest for file in desired.env_files if file.digest},
        },
        proxy=proxy,
        service=run.config.service,
        destination=run.config.destination or "",
    )


def _departed(run: Run, before: Record) -> dict[str, tuple[str, ...]]:
    gone = {*run.decommissioned, *run.forgotten}
    return {host: roles for host, roles in before.hosts.items() if host not in gone}


def _configured(run: Run) -> dict[str, tuple[str, ...]]:
    config = run.config
    roles: dict[str, tuple[str, ...]] = {server.host: () for server in config.all_hosts}
    for role in config.roles:
        for server in role.servers:
            roles[server.host] += (role.name,)
    return roles
