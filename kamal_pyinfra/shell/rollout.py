"""The zero-downtime sequence on one host: boot, gate, drain, watch, stop, revert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kamal_pyinfra.naming import replaced_name
from kamal_pyinfra.plan.changes import (
    AwaitContainer,
    BootContainer,
    ReplaceContainer,
    RestartContainer,
    StartContainer,
    StopContainer,
)
from kamal_pyinfra.plan.docker_values import given_networks
from kamal_pyinfra.plan.proxy.gate import Gate, has_routers
from kamal_pyinfra.plan.state.desired import AppContainer, Proxy
from kamal_pyinfra.shell import app, container
from kamal_pyinfra.shell.proxy.container import restore
from kamal_pyinfra.shell.proxy.traefik import await_served
from kamal_pyinfra.shell.script import chain, join, quote, quoted

NETWORK_LABEL = "traefik.docker.network"
FIRST_CHECK = "sleep 0.2"
"""Docker itself asks a new container after 0.2 s for the first time (``--health-start-interval``)."""
BOOT_MARK = "kp-boot:"
TURNED_BAD = "went bad after the switch"
"""Stands in what a host prints of a version that must go; any other failure is none of the version."""
ASK = (
    "{{ if command -v curl > /dev/null; then curl -fsS -o /dev/null -m 5 {0};"
    " else wget -q -T 5 -O /dev/null {0}; fi; }}"
)


def await_ready(new: AppContainer | StartContainer, *, has_run: bool = False) -> str:
    """Wait until Docker calls the container healthy; without health check, until it stayed up long enough.

    One that exits or restarts has failed at once, unless it has run and may have restarted before. On failure the last
    health output and log lines go to standard error and the exit code is 1.
    """
    values = (new.name, new.deadline, new.readiness_delay, new.log_lines, "any" if has_run else 0)
    return f"await_ready {quoted(*values)}"


def start_and_await(changes: Sequence[StartContainer], audits: Sequence[str], gates: Sequence[Gate]) -> str:
    """Start every container, then wait until all are healthy, which is recorded, and the proxy routes to them."""
    starts = [chain(_tie(each.cord), container.start(each.name)) for each in changes]
    # They may have restarted before they were stopped, and Docker goes on counting.
    waits = [chain(await_ready(each, has_run=True), audit) for each, audit in zip(changes, audits, strict=True)]
    return chain(*starts, *waits, await_served(gates))


def boot(
    changes: Sequence[BootContainer], *, run_id: str, suffix: str, audits: Sequence[str], engine: str | None = None
) -> str:
    """Start every container, then wait until all are healthy; second replicas when the first ones are, and so on.

    The script exits 1 with a report if a container does not get ready; of one that does, its audit line is recorded.
    By the run's short id :func:`revert` finds a script that is still at work; the suffix ends the name of a container
    that steps aside.
    """
    by_replica: dict[int, list[tuple[BootContainer, str]]] = {}
    for change, audit in zip(changes, audits, strict=True):
        by_replica.setdefault(change.container.replica, []).append((change, audit))
    steps = [_boot_together(by_replica[replica], suffix, engine) for replica in sorted(by_replica)]
    return f": {BOOT_MARK}{run_id}\n{chain(*steps)}"


def _boot_together(changes: Sequence[tuple[BootContainer, str]], suffix: str, engine: str | None) -> str:
    starts = [_start(change, suffix, engine) for change, _ in changes]
    waits = [
        chain(_await_port(change), await_ready(change.container, has_run=isinstance(change, AwaitContainer)), audit)
        for change, audit in changes
    ]
    is_checked = any(change.container.health and not isinstance(change, AwaitContainer) for change, _ in changes)
    return chain(*starts, FIRST_CHECK if is_checked else "", *waits)


def _start(change: BootContainer, suffix: str, engine: str | None) -> str:
    name, stops_first = change.container.name, change.stops_first
    stop_old = container.stop(*stops_first, timeout=change.container.stop_timeout) if stops_first else ""
    match change:
        case AwaitContainer():
            return ""
        case RestartContainer():
            return chain(_tie(change.cord), stop_old, container.start(name))
        case ReplaceContainer():  # the old one keeps serving
            rename = f"docker rename {quoted(name, replaced_name(name, suffix))}"
            return chain(rename, stop_old, _run(change, engine))
    return chain(stop_old, _run(change, engine))


def _run(change: BootContainer, engine: str | None) -> str:
    new = change.container
    networks = given_networks(new.options) if has_routers(dict(new.labels)) else ()
    cord = _tie(new.cord) if change.awaited_port is None or not new.cord else f"leave_cord_untied {quoted(new.cord)}"
    return chain(
        f"share_network {quoted(new.name, dict(new.labels).get(NETWORK_LABEL, ''), *networks)}" if networks else "",
        cord,
        f"{app.run(new, engine=engine)} > /dev/null",
    )


def _await_port(change: BootContainer) -> str:
    new = change.container
    if change.awaited_port is None or not new.cord:
        return ""
    return chain(f"await_port {quoted(new.name, change.awaited_port, new.deadline, new.log_lines)}", _tie(new.cord))


def _tie(cord: str | None) -> str:
    return f"tie_cord {quoted(cord)}" if cord else ""


def gate(changes: Sequence[BootContainer]) -> str:
    """Check once more, now that all are ready; exit 1 with a report of what stopped, restarted or became unhealthy."""
    return chain(
        *(
            f"still_ready {quoted(new.name, new.log_lines, 'any' if isinstance(change, AwaitContainer) else 0)}"
            for change in changes
            for new in (change.container,)
        )
    )


def revert(
    boots: Sequence[BootContainer],
    stops: Sequence[StopContainer],
    *,
    run_id: str,
    suffix: str,
    proxy: Proxy | None = None,
) -> str:
    """Bring the old containers back and take this run's containers away, without losing a request.

    The old ones serve before the new ones are drained; if one does not come back, a new one that serves stays
    and the script exits 1. What did not happen yet is not undone, so this is right after a failure at any point
    of the sequence. An old proxy that stands aside comes back before that: the new one may not route to the old ones.
    """
    all_new = [change for change in boots if not isinstance(change, AwaitContainer)]
    new = [change for change in all_new if not change.stops_first]
    corded = [change for change in new if change.container.cord]
    steps = (
        f"await_end_of_boot {quoted(run_id)}",
        "await_engine ; lost=" if all_new or stops or proxy else "lost=",
        *_revive_all([change for change in all_new if change.stops_first], stops, run_id, suffix),
        f'keep_what_serves "$lost" {quoted(*(change.container.name for change in new))}' if new else "",
        f"{restore(proxy)} || lost=1" if proxy else "",
        _note_servers(corded, run_id) if corded else "",
        *(f"cut_cord {quoted(getattr(change, 'cord', None) or change.container.cord)}" for change in corded),
        *(_await_gone(change, run_id) for change in corded),
        "await_dropped" if corded else "",
        *(_take_back(change, run_id, suffix) for change in new),
        '[ -z "$lost" ]',
    )
    return " ; ".join(filter(None, steps))


def _revive_all(
    alone: Sequence[BootContainer], stops: Sequence[StopContainer], run_id: str, suffix: str
) -> Iterator[str]:
    """Bring the old containers back; one whose address a new one has, under its own name, once that one is gone."""
    yield from (_take_back(change, run_id, suffix) for change in alone)
    own_names = {replaced_name(change.container.name, suffix): change.container.name for change in alone}
    for change in stops:
        name = own_names.get(change.name, change.name)
        yield f"revive {quoted(name, change.drain_timeout, change.cord or '')}"


def _note_servers(boots: Sequence[BootContainer], run_id: str) -> str:
    restarted = (change.container.name for change in boots if isinstance(change, RestartContainer))
    started = [change.container.name for change in boots if not isinstance(change, RestartContainer)]
    runs = f"$(this_runs {quoted(run_id, *started)})" if started else ""
    return join("note_servers", quoted(*restarted), runs)


def _await_gone(change: BootContainer, run_id: str) -> str:
    name, is_restarted = quoted(change.container.name), isinstance(change, RestartContainer)
    is_gone = f"! is_there {name}" if is_restarted else f'[ -z "$(this_runs {quoted(run_id)} {name})" ]'
    return f"{is_gone} || await_unhealthy {name} 30"


def _take_back(change: BootContainer, run_id: str, suffix: str) -> str:
    new = change.container
    timeout = () if new.stop_timeout is None else ("-t", new.stop_timeout)
    if isinstance(change, RestartContainer):
        return f"stop_if_there {quoted(new.name, *timeout)}"
    taken_back = f"revert {quoted(new.name, run_id, replaced_name(new.name, suffix), *timeout)}"
    return f"{chain(taken_back, f'rm -rf {quoted(new.cord)}' if new.cord else '')} || lost=1"


def watch(
    boots: Sequence[BootContainer], cords: Sequence[str], *, seconds: int, cmd: str | None, url: str | None
) -> str:
    """Check new containers again and again; exit 1 with a report, and the old ones let back, when one turns bad.

    The cords are folders of the old ones that run with a cut cord. About once a second a shell in the containers of the
    primary role gets the command, and the host asks for the URL.
    """
    firsts, inspections, probes = [], [], []
    for number, change in enumerate(boots):
        new, name = change.container, quoted(change.container.name)
        has_run = isinstance(change, AwaitContainer | RestartContainer)  # and may have restarted before
        firsts.append(f"first{number}=" + (f"$(restarts_of {name}) || exit 1" if has_run else "0"))
        inspections.append(f'keeps_well {quoted(new.name, new.log_lines)} "$first{number}"')
        inside = f"docker exec {name} sh -c {quote(cmd)}" if cmd else ""
        probe = chain(inside, ASK.format(quoted(url)) if url else "")
        if new.is_primary and probe:
            probes.append(f"probe {quoted(new.name, new.log_lines, probe)}")
    return (
        f"let_back() {{ {chain(*map(_tie, cords)) or ':'}; }}\ninspect_all() {{ {'; '.join(inspections)}; }}\n"
        f"probe_all() {{ {'; '.join(probes) or ':'}; }}\n"
        f"{'; '.join(firsts)}; keep_watch {quoted(seconds)}"
    )
