"""Do the proxies route to what runs? One question to each host that has something behind its proxy."""

from __future__ import annotations

from collections.abc import Mapping

from kamal_pyinfra.insight.routed import Routed, parse_routes
from kamal_pyinfra.plan.desired.host import owner_of
from kamal_pyinfra.plan.diff.gates import started_gates
from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.shell.proxy.gate import ROUTES, tell_routes
from kamal_pyinfra.ssh.connection import execute


def ask_proxies(run: Run, session: Session, observed: Mapping[str, ObservedHost]) -> dict[str, dict[str, Routed]]:
    """What the proxies say of our running containers, by host and container."""
    gates = {host: _gates(run, seen) for host, seen in observed.items()}
    asked = [host for host, found in gates.items() if found]
    answers = session.each(lambda host: execute(host, tell_routes(gates[host.name])), asked)
    return {host: parse_routes(answer[1].stdout_lines, ROUTES) for host, answer in answers.items() if answer}


def _gates(run: Run, observed: ObservedHost) -> tuple[Gate, ...]:
    names = {each.name for each in owner_of(run).running(observed.containers)}
    return started_gates(names, observed)
