"""``kp doctor``: asks each host, and checks from the deploying machine."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
import time
from collections.abc import Collection, Iterable

import gevent
from pyinfra.api.host import Host

from kamal_pyinfra.facts import HostSnapshot
from kamal_pyinfra.facts.snapshot import SnapshotError, parse_findings
from kamal_pyinfra.insight import doctor as checking
from kamal_pyinfra.local.programs import Programs
from kamal_pyinfra.local.terminal import ssh_address
from kamal_pyinfra.naming import PROXY_CONTAINER
from kamal_pyinfra.operations.run_state import query_for
from kamal_pyinfra.plan.proxy.traefik import asks_for_certificates, host_rules
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import Findings, ObservedHost
from kamal_pyinfra.runner.failures import log_capture
from kamal_pyinfra.runner.queries.observe import query_proxies
from kamal_pyinfra.runner.session import Session, interruptible
from kamal_pyinfra.shell.host import DOCTOR_SECONDS, doctor_script
from kamal_pyinfra.ssh.connection import execute
from kamal_pyinfra.text import sanitized

SECONDS = 5
ENGINE = ("docker", "version", "--format", "{{.Server.Version}}")
PATIENCE = DOCTOR_SECONDS + 10
"""Seconds until a host that accepted the connection and sends nothing counts as hung."""


Answer = tuple[Findings | None, int, tuple[str, ...]]
"""What was found on one host, by how many seconds its clock is ahead, and what it printed."""


def doctor(run: Run, hosts: Collection[str]) -> list[checking.Check]:
    """Make every check of this machine and of the hosts, in the order of the configuration.

    A host that cannot be reached, or that hangs, is a failed check; the others are examined all the same.
    """
    config = run.config
    chosen = [server for server in config.all_hosts if server.host in set(hosts)]
    required = {server.host: checking.requirements_of(config, server, ssh_address(config, server)) for server in chosen}
    with interruptible(), Session(run, hosts) as session:
        answers: dict[str, Answer | None] = session.each(lambda host: _examined(host, required[host.name]))
        usable = [host for host, answer in answers.items() if answer and answer[0] and answer[0].docker.is_usable]
        routes = _routes(run, session, usable)
        outputs = {name: failure.output for name, failure in session.failures.items()}
    checks = _local_checks(run)
    for host, requirements in required.items():
        findings, skew, lines = answers.get(host) or (None, 0, outputs.get(host, ()))
        if findings is None:
            checks += checking.check_unreachable(requirements, lines)
        else:
            checks += checking.check_host(requirements, findings, skew=skew)
            checks += routes.get(host, ())
    return checks


def _examined(host: Host, requirements: checking.Requirements) -> Answer:
    command = doctor_script(registry=requirements.registry, run_directory=requirements.run_directory)
    began = time.time()
    with gevent.Timeout(PATIENCE, exception=False):
        succeeded, output = execute(host, command)
        lines = tuple(sanitized(line) for line in (output.stdout_lines if succeeded else output.stderr_lines))
        try:
            findings = parse_findings(lines) if succeeded else None
        except SnapshotError as error:
            return None, 0, (str(error),)
        clock, ended = findings.clock if findings is not None else None, time.time()
        if clock is None or began - 1 <= clock <= ended:  # the question itself took some seconds, which do not count
            return findings, 0, lines
        return findings, round(clock - (began if clock < began else ended)), lines
    return None, 0, (f"no answer within {PATIENCE} s",)


def _routes(run: Run, session: Session, hosts: Collection[str]) -> dict[str, list[checking.Check]]:
    query = query_for(run)
    with log_capture():
        snapshots = session.each(lambda host: host.get_fact(HostSnapshot, host_name=host.name, query=query), hosts)
    observed = {host: snapshot for host, snapshot in snapshots.items() if isinstance(snapshot, ObservedHost)}
    proxies = {host: each.container(PROXY_CONTAINER) for host, each in observed.items()}
    images = {host: proxy.image if proxy is not None else "no proxy" for host, proxy in proxies.items()}
    return {
        host: list(checking.check_routes(host, observed[host].docker.version, images[host], routes))
        for host, routes in query_proxies(run, session, observed).items()
    }


def _local_checks(run: Run) -> list[checking.Check]:
    config = run.config
    server = checking.registry_host(config)
    rules = host_rules(config)
    addresses = _addresses({*rules, *(host for hosts in rules.values() for host in hosts)})
    names = checking.check_names(rules, addresses, for_certificates=asks_for_certificates(config))
    registry = [checking.check_local_registry(server, _query_registry(server))] if server else []
    docker = checking.check_local_docker(*_query_docker(), is_needed=not server)
    return [docker, *registry, *names]


def _query_docker() -> tuple[str, str]:
    """The version of the engine that builds on this machine; or else nothing, and docker's error, if there is one."""
    if shutil.which(ENGINE[0]) is None:
        return "", ""
    answer = Programs().ask(ENGINE, seconds=2 * SECONDS)
    if answer.succeeded:
        return answer.out, ""
    return "", (answer.error or "it failed and printed nothing").splitlines()[-1]


def _addresses(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The addresses of names, in parallel; none for a name that has none, or not in time."""

    def resolve(name: str) -> tuple[str, ...]:
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return ()
        return tuple(dict.fromkeys(str(address[0]) for *_, address in found))

    greenlets = {name: gevent.spawn(resolve, name) for name in names}
    gevent.joinall(list(greenlets.values()), timeout=SECONDS)
    return {name: greenlet.value or () for name, greenlet in greenlets.items()}


def _query_registry(server: str) -> str:
    """``https CODE`` or ``http CODE``, or ``failed``, as the hosts' script prints it too."""
    # Only whether something answers counts, and nothing secret is sent: whose certificate it is does not matter.
    context = ssl._create_unverified_context()  # noqa: S323
    for scheme in ("https", "http"):
        try:
            connection = http.client.HTTPConnection(server, timeout=SECONDS)
            if scheme == "https":
                connection = http.client.HTTPSConnection(server, timeout=SECONDS, context=context)
            connection.request("GET", "/v2/")
            return f"{scheme} {connection.getresponse().status}"
        except (OSError, http.client.HTTPException, ValueError):
            continue
    return "failed"
