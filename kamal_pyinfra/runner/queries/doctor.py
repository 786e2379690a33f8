"""``kp doctor``: asks each host, and checks from here."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import gevent
from pyinfra.api.host import Host

from kamal_pyinfra.facts import HostSnapshot
from kamal_pyinfra.facts.snapshot import SnapshotError, parse_findings
from kamal_pyinfra.insight import doctor as checking
from kamal_pyinfra.insight.doctor import Check, Requirements, check_routes, registry_host, requirements_of
from kamal_pyinfra.local.terminal import ssh_address
from kamal_pyinfra.naming import PROXY_CONTAINER
from kamal_pyinfra.operations.run_state import query_for
from kamal_pyinfra.plan.proxy.traefik import asks_for_certificates, host_rules
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import Findings, ObservedHost
from kamal_pyinfra.runner.failures import log_capture
from kamal_pyinfra.runner.queries.observe import ask_proxies
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell.host import DOCTOR_SECONDS, doctor_script
from kamal_pyinfra.ssh.connection import execute
from kamal_pyinfra.text import sanitized

SECONDS = 5

ENGINE = ("docker", "version", "--format", "{{.Server.Version}}")


def ask_docker() -> tuple[str, str]:
    """The version of the engine that builds here; or else nothing, and what docker said, if there is one."""
    if shutil.which(ENGINE[0]) is None:
        return "", ""
    try:
        done = subprocess.run(  # noqa: S603 - an argument list of our own, no shell
            ENGINE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=2 * SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "", f"no answer in {2 * SECONDS} s"
    complaint = done.stderr.strip() or f"exit code {done.returncode}"
    return (done.stdout.strip(), "") if done.returncode == 0 else ("", complaint.splitlines()[-1])


def look_up(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The addresses of names, side by side; none for a name that has none, or not in time."""
    greenlets = {name: gevent.spawn(_addresses, name) for name in names}
    gevent.joinall(list(greenlets.values()), timeout=SECONDS)
    return {name: greenlet.value or () for name, greenlet in greenlets.items()}


def _addresses(name: str) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def ask_registry(server: str) -> str:
    """``https CODE`` or ``http CODE``, or ``failed``, as the hosts say it too."""
    for scheme in ("https", "http"):
        code = _status(scheme, server)
        if code is not None:
            return f"{scheme} {code}"
    return "failed"


def _status(scheme: str, server: str) -> int | None:
    # Only whether something answers is asked, and nothing secret is sent: whose certificate it is does not matter.
    context = ssl._create_unverified_context()  # noqa: S323
    try:
        if scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                server, timeout=SECONDS, context=context
            )
        else:
            connection = http.client.HTTPConnection(server, timeout=SECONDS)
        connection.request("GET", "/v2/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError):
        return None


PATIENCE = DOCTOR_SECONDS + 10
"""Seconds until a host that accepted the connection and says nothing counts as hung."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What came back from one host: what was found, or what it said instead."""

    examined: Findings | None = None
    skew: int = 0
    said: tuple[str, ...] = ()


def doctor(run: Run, hosts: Collection[str]) -> list[Check]:
    """Every check of this machine and of the hosts, in the order of the configuration.

    A host that cannot be reached, or that hangs, is a failed check; the others are examined all the same.
    """
    config = run.config
    chosen = [server for server in config.all_hosts if server.host in set(hosts)]
    needs = {server.host: requirements_of(config, server, ssh_address(config, server)) for server in chosen}
    with interruptible(), Session(run, hosts) as session:
        looks = session.each(lambda host: _look(host, needs[host.name]))
        routes = _routes(run, session, [host for host, look in looks.items() if _has_docker(look)])
        said = {name: failure.output for name, failure in session.failures.items()}
    checks = _checks_here(run)
    for host, wanted in needs.items():
        look = looks.get(host) or Look(said=said.get(host, ()))
        if look.examined is None:
            checks += checking.check_unreachable(wanted, look.said)
        else:
            checks += [*checking.check_host(wanted, look.examined, skew=look.skew), *routes.get(host, ())]
    return checks


def _has_docker(look: Look | None) -> bool:
    return look is not None and look.examined is not None and look.examined.docker.is_usable


def _routes(run: Run, session: Session, hosts: Collection[str]) -> dict[str, tuple[Check, ...]]:
    query = query_for(run)
    with log_capture():
        looks = session.each(lambda host: host.get_fact(HostSnapshot, host_name=host.name, query=query), hosts)
    observed = {host: look for host, look in looks.items() if isinstance(look, ObservedHost)}
    return {
        host: check_routes(host, observed[host].docker.version, _proxy_image(observed[host]), routes)
        for host, routes in ask_proxies(run, session, observed).items()
    }


def _proxy_image(observed: ObservedHost) -> str:
    proxy = observed.container(PROXY_CONTAINER)
    return proxy.image if proxy is not None else "no proxy"


def _look(host: Host, needs: Requirements) -> Look:
    command = doctor_script(registry=needs.registry, run_directory=needs.run_directory)
    began = time.time()
    with gevent.Timeout(PATIENCE, exception=False):
        succeeded, output = execute(host, command)
        lines = tuple(sanitized(line) for line in (output.stdout_lines if succeeded else output.stderr_lines))
        try:
            examined = parse_findings(lines) if succeeded else None
        except SnapshotError as error:
            return Look(said=(str(error),))
        return Look(examined=examined, skew=_skew(examined, began, time.time()), said=lines)
    return Look(said=(f"no answer within {PATIENCE} s",))


def _skew(examined: Findings | None, began: float, ended: float) -> int:
    """Seconds by which the host is ahead; the look itself took some, and those do not count."""
    clock = examined.clock if examined is not None else None
    if clock is None or began - 1 <= clock <= ended:
        return 0
    return round(clock - (began if clock < began else ended))


def _checks_here(run: Run) -> list[Check]:
    config = run.config
    server = registry_host(config)
    rules = host_rules(config)
    addresses = look_up({*rules, *(host for hosts in rules.values() for host in hosts)})
    names = checking.check_names(rules, addresses, for_certificates=asks_for_certificates(config))
    registry = [checking.check_local_registry(server, ask_registry(server))] if server else []
    docker = checking.check_local_docker(*ask_docker(), is_needed=not server)
    return [docker, *registry, *names]
