"""One snapshot of each host; ``kp status``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import gevent

from kamal_pyinfra.config.secrets import missing_secrets
from kamal_pyinfra.errors import HostFailed
from kamal_pyinfra.insight.routed import Routed, parse_routes
from kamal_pyinfra.insight.status import StatusRow, status_rows
from kamal_pyinfra.plan.desired.host import owner_of
from kamal_pyinfra.plan.diff.proxy import started_gates
from kamal_pyinfra.plan.plan import docker_errors
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell.proxy.traefik import ROUTES, tell_routes
from kamal_pyinfra.ssh.connection import execute


def observe(run: Run, hosts: Collection[str]) -> dict[str, ObservedHost]:
    """One look at each host, and at what Docker has there.

    Raises:
        HostFailed: a host could not be reached or looked at, or its Docker does not answer.
    """
    with interruptible(), Session(run, hosts) as session:
        seen = session.observe()
    require_docker(seen)
    return seen


def require_docker(seen: Mapping[str, ObservedHost]) -> None:
    """Take no silent engine for one without containers; a host without engine has none.

    Raises:
        HostFailed: with every host whose Docker does not answer.
    """
    silent = {host: docker_errors(looked) for host, looked in seen.items()}
    lines = [line for host in seen for line in silent[host]]
    if lines:
        raise HostFailed("\n".join(lines), [host for host, said in silent.items() if said])


def running_versions(run: Run, observed: ObservedHost) -> dict[str, list[str]]:
    """Versions that run on a host by role, newest first."""
    versions: dict[str, list[str]] = {}
    for container in owner_of(run).running(observed.containers):
        versions.setdefault(container.role, []).append(container.version)
    return versions


def ask_proxies(run: Run, session: Session, observed: Mapping[str, ObservedHost]) -> dict[str, dict[str, Routed]]:
    """What the proxies say of our running containers, by host and container."""
    gates = {host: _gates(run, seen) for host, seen in observed.items()}
    asked = [host for host, found in gates.items() if found]
    answers = session.each(lambda host: execute(host, tell_routes(gates[host.name])), asked)
    return {host: parse_routes(answer[1].stdout_lines, ROUTES) for host, answer in answers.items() if answer}


def _gates(run: Run, observed: ObservedHost) -> tuple[Gate, ...]:
    names = {each.name for each in owner_of(run).running(observed.containers)}
    return started_gates(names, observed)


Show = Callable[[tuple[StatusRow, ...]], None]


def status(run: Run, hosts: Collection[str], show: Show, *, every: float | None = None) -> None:
    """Look at the hosts and show what runs there.

    Args:
        run: the configuration and the run's fixed values.
        hosts: names of the hosts to look at.
        show: called with the rows after each look.
        every: seconds between two looks, on the same connections; ``None`` for a single one.

    Raises:
        HostFailed: a host could not be reached or looked at, or its Docker does not answer; what is known of the
            others was shown. Interrupted: a signal ended the looks.
    """
    # What a machine without the secrets cannot compare is not drift.
    known = replace(run, keeps_env=bool(missing_secrets(run.config)))
    with interruptible(), Session(known, hosts) as session:
        seen = session.observe()
        show(status_rows(known, seen, ask_proxies(known, session, seen)))
        while every is not None:
            gevent.sleep(every)
            again = session.observe()
            show(status_rows(known, again, ask_proxies(known, session, again)))
    require_docker(seen)
