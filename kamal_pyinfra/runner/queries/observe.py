"""One snapshot of each host; ``kp status``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import gevent

from kamal_pyinfra.config.secrets import missing_secrets
from kamal_pyinfra.errors import HostFailed
from kamal_pyinfra.insight.routed import Routed, parse_routes
from kamal_pyinfra.insight.status import StatusRow, status_rows
from kamal_pyinfra.plan.diff.proxy import started_gates
from kamal_pyinfra.plan.plan import docker_errors
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell.proxy.traefik import ROUTES, report_routes
from kamal_pyinfra.ssh.connection import execute


def observe(run: Run, hosts: Collection[str]) -> dict[str, ObservedHost]:
    """Take one snapshot of each host."""
    with interruptible(), Session(run, hosts) as session:
        observed = session.observe()
    _require_docker(observed)
    return observed


def _require_docker(observed: Mapping[str, ObservedHost]) -> None:
    """Take no silent engine for one without containers; a host without engine has none."""
    errors = {host: lines for host, snapshot in observed.items() if (lines := docker_errors(snapshot))}
    if errors:
        raise HostFailed("\n".join(line for lines in errors.values() for line in lines), list(errors))


def running_versions(run: Run, observed: ObservedHost) -> dict[str, list[str]]:
    """Return the versions that run on a host by role, newest first."""
    versions: dict[str, list[str]] = {}
    for container in run.owner.running(observed.containers):
        versions.setdefault(container.role, []).append(container.version)
    return versions


def query_proxies(run: Run, session: Session, observed: Mapping[str, ObservedHost]) -> dict[str, dict[str, Routed]]:
    """Ask the proxies about our running containers; return their answers by host and container."""
    gates = {}
    for host, snapshot in observed.items():
        names = {container.name for container in run.owner.running(snapshot.containers)}
        gates[host] = started_gates(names, snapshot)
    asked = [host for host, found in gates.items() if found]
    answers = session.each(lambda host: execute(host, report_routes(gates[host.name])), asked)
    return {host: parse_routes(answer[1].stdout_lines, ROUTES) for host, answer in answers.items() if answer}


def status(
    run: Run, hosts: Collection[str], show: Callable[[tuple[StatusRow, ...]], None], *, every: float | None = None
) -> None:
    """Observe the hosts and show what runs there.

    Args:
        show: called with the rows after each snapshot.
        every: seconds between two snapshots, on the same connections; ``None`` for a single one.
    """
    # What a machine without the secrets cannot compare is not drift.
    known = replace(run, keeps_env=bool(missing_secrets(run.config)))
    with interruptible(), Session(known, hosts) as session:
        while True:
            observed = session.observe()
            show(status_rows(known, observed, query_proxies(known, session, observed)))
            if every is None:
                break
            gevent.sleep(every)
    _require_docker(observed)
