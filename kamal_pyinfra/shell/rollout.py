"""The zero-downtime sequence on one host: boot, gate, drain, watch, stop, revert."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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
from kamal_pyinfra.shell import app
from kamal_pyinfra.shell.app import start, tie_cord
from kamal_pyinfra.shell.proxy.container import restore
from kamal_pyinfra.shell.proxy.traefik import await_dropped, await_served, note_servers
from kamal_pyinfra.shell.script import alongside, chain, functions, join, quote, quoted

PRINTABLE = r"LC_ALL=C tr -cd '\11\12\40-\176'"
"""For what containers print; as the function ``printable``."""


def await_functions() -> str:
    """The shell function that :func:`await_ready` calls."""
    return functions("await_ready")


def await_ready(container: AppContainer, *, has_run: bool = False) -> str:
    """Wait until Docker calls the container healthy; without health check, until it stayed up long enough.

    A container that exits or restarts has failed at once. On failure the last health output and log lines go
    to standard error and the exit code is 1.

    Args:
        container: what to wait for.
        has_run: it was not started just now, so it may have restarted before.
    """
    restarts = "any" if has_run else 0
    return "await_ready " + quoted(
        container.name, container.deadline, container.readiness_delay, container.log_lines, restarts
    )


def still_ready(container: AppContainer, *, has_run: bool = False) -> str:
    """Exit with 1, and a report, if a container that was ready has stopped, restarted or become unhealthy since."""
    return "still_ready " + quoted(container.name, container.log_lines, "any" if has_run else 0)


def await_unhealthy(container: str, *, seconds: int) -> str:
    """Wait until Docker calls a container with a cut cord unhealthy; exit code 1 if it never does."""
    return f"await_unhealthy {quoted(container, seconds)}"


def start_and_await(changes: Sequence[StartContainer], audits: Sequence[str], gates: Sequence[Gate]) -> str:
    """Start every container, then wait until all are healthy and the proxy routes to them.

    Args:
        audits: for each change, the command that records it, run when its container is ready.
    """
    starts = [chain(tie_cord(each.cord) if each.cord else "", start(each.name)) for each in changes]
    waits = [chain(_await_ready(each), audit) for each, audit in zip(changes, audits, strict=True)]
    return await_functions() + chain(*starts, *waits, await_served(gates))


def _await_ready(change: StartContainer) -> str:
    # It may have restarted before it was stopped, and Docker goes on counting.
    return "await_ready " + quoted(change.name, change.deadline, change.readiness_delay, change.log_lines, "any")


FIRST_CHECK = "sleep 0.2"
"""Docker itself asks a new container after 0.2 s for the first time (``--health-start-interval``)."""


def boot(
    changes: Sequence[BootContainer], *, run_id: str, suffix: str, audits: Sequence[str], engine: str | None = None
) -> str:
    """Start every container, then wait until all are healthy; second replicas when the first ones are, and so on.

    The script exits 1 with a report if a container does not get ready.

    Args:
        changes: what to start; containers that already run are only waited for.
        run_id: the run's short id, by which :func:`revert` finds a script that is still at work.
        suffix: ends the name of a container that steps aside.
        audits: for each change, the command that records it, run when its container is ready.
        engine: version of the host's Docker, if it is known.
    """
    by_replica: dict[int, list[tuple[BootContainer, str]]] = {}
    for change, audit in zip(changes, audits, strict=True):
        by_replica.setdefault(change.container.replica, []).append((change, audit))
    steps = [_boot_together(by_replica[replica], suffix, engine) for replica in sorted(by_replica)]
    script = chain(*steps)
    needed = [name for name in ("await_ready", "share_network", "await_port") if f"{name} " in script]
    return f": {BOOT_MARK}{run_id}\n" + functions(*needed) + script


def _boot_together(changes: Sequence[tuple[BootContainer, str]], suffix: str, engine: str | None) -> str:
    starts = [_start(change, suffix, engine) for change, _ in changes]
    waits = [
        chain(_await_port(change), await_ready(change.container, has_run=isinstance(change, AwaitContainer)), audit)
        for change, audit in changes
    ]
    is_checked = any(change.container.health and not isinstance(change, AwaitContainer) for change, _ in changes)
    return chain(*starts, FIRST_CHECK if is_checked else "", *waits)


def gate(changes: Sequence[BootContainer]) -> str:
    """Look once more at containers that were ready, now that all others are: one may have crashed meanwhile."""
    looks = (still_ready(change.container, has_run=isinstance(change, AwaitContainer)) for change in changes)
    return functions("still_ready") + chain(*looks)


def _start(change: BootContainer, suffix: str, engine: str | None) -> str:
    container = change.container
    stop = app.stop(change.stops_first, container.stop_timeout) if change.stops_first else ""
    match change:
        case AwaitContainer():
            return ""
        case RestartContainer():
            return chain(app.tie_cord(change.cord) if change.cord else "", stop, app.start(container.name))
        case ReplaceContainer():
            return chain(app.rename(container.name, replaced_name(container.name, suffix)), stop, _run(change, engine))
    return chain(stop, _run(change, engine))


def _run(change: BootContainer, engine: str | None) -> str:
    cord = change.container.cord
    tie = app.tie_cord if change.awaited_port is None else app.leave_cord_untied
    run = f"{app.run(change.container, engine=engine)} > /dev/null"
    return chain(_share_network(change.container), tie(cord) if cord else "", run)


def _await_port(change: BootContainer) -> str:
    container = change.container
    if change.awaited_port is None or not container.cord:
        return ""
    wait = f"await_port {quoted(container.name, change.awaited_port, container.deadline, container.log_lines)}"
    return chain(wait, app.tie_cord(container.cord))


def _share_network(container: AppContainer) -> str:
    networks = given_networks(container.options)
    return (
        f"share_network {quoted(container.name, *networks)}" if networks and has_routers(dict(container.labels)) else ""
    )


def stand_by(changes: Sequence[StopContainer]) -> str:
    """Let containers that are about to be drained leave traffic as soon as their cords are cut."""
    return chain(*(app.stand_by(change.cord) for change in changes if change.cord))


def stop(changes: Sequence[StopContainer]) -> str:
    """Stop drained containers, all at once."""
    timeouts = {change.stop_timeout for change in changes}
    return chain(
        *(
            app.stop(tuple(change.name for change in changes if change.stop_timeout == timeout), timeout)
            for timeout in sorted(timeouts, key=lambda seconds: seconds or 0)
        )
    )


BOOT_MARK = "kp-boot:"

CALLED_BY_REVERT = (
    *("await_end_of_boot", "await_engine", "is_there", "await_ready", "keep_what_serves", "revert"),
    *("this_runs", "note_servers", "await_unhealthy", "await_dropped"),
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
    corded = tuple(change for change in new if change.container.cord)
    steps = (
        f"await_end_of_boot {quoted(run_id)}",
        "await_engine ; lost=" if all_new or stops or proxy else "lost=",
        *_revive_all([change for change in all_new if change.stops_first], stops, run_id, suffix),
        f'keep_what_serves "$lost" {quoted(*(each.container.name for each in new))}' if new else "",
        f"{restore(proxy)} || lost=1" if proxy else "",
        _note_servers(corded, run_id) if corded else "",
        *(app.cut_cord(_cord(change)) for change in corded),
        *(_await_gone(change, run_id) for change in corded),
        await_dropped() if corded else "",
        *(_take_back(change, run_id, suffix) for change in new),
        '[ -z "$lost" ]',
    )
    return functions(*CALLED_BY_REVERT, *(["restore_proxy"] if proxy else [])) + " ; ".join(filter(None, steps))


def _revive_all(
    alone: Sequence[BootContainer], stops: Sequence[StopContainer], run_id: str, suffix: str
) -> Iterator[str]:
    """Bring the old containers back; one whose address a new one has, under its own name, once that one is gone."""
    yield from (_take_back(change, run_id, suffix) for change in alone)
    own_names = {replaced_name(each.container.name, suffix): each.container.name for each in alone}
    yield from (_revive(replace(change, name=own_names.get(change.name, change.name))) for change in stops)


def _revive(change: StopContainer) -> str:
    """Make sure that an old container serves."""
    name = quoted(change.name)
    tie = app.tie_cord(change.cord) if change.cord else "true"
    start = f"{tie} && {app.start(change.name)} && await_ready {name} {change.drain_timeout} 0 20 any"
    return _if_there(name, start)


def _if_there(name: str, script: str) -> str:
    """Do something with a container that is there; what could not be done, or asked, is lost."""
    return f"{{ is_there {name}; case $? in 0) {script} ;; 1) ;; *) false ;; esac; }} || lost=1"


def _note_servers(boots: Sequence[BootContainer], run_id: str) -> str:
    restarted = tuple(change.container.name for change in boots if isinstance(change, RestartContainer))
    started = tuple(change.container.name for change in boots if not isinstance(change, RestartContainer))
    return join(note_servers(restarted), f"$(this_runs {quoted(run_id, *started)})" if started else "")


def _await_gone(change: BootContainer, run_id: str) -> str:
    name = quoted(change.container.name)
    is_gone = f'[ -z "$(this_runs {quoted(run_id)} {name})" ]'
    if isinstance(change, RestartContainer):
        is_gone = f"! is_there {name}"
    return f"{is_gone} || {await_unhealthy(change.container.name, seconds=30)}"


def _cord(change: BootContainer) -> str:
    restarted = change.cord if isinstance(change, RestartContainer) else None
    return restarted or change.container.cord or ""


def _take_back(change: BootContainer, run_id: str, suffix: str) -> str:
    container = change.container
    if isinstance(change, RestartContainer):
        return _if_there(quoted(container.name), app.stop((container.name,), container.stop_timeout))
    old_name = replaced_name(container.name, suffix)
    timeout = "" if container.stop_timeout is None else f"-t {container.stop_timeout}"
    taken_back = f"revert {quoted(container.name, run_id, old_name, timeout)}"
    return f"{chain(taken_back, f'rm -rf {quoted(container.cord)}' if container.cord else '')} || lost=1"


STAYED = 75
"""Exit code of a script that did all that it should, with a container that had to be stopped in traffic."""

FORCED = "was stopped all the same: it was in traffic until then, and requests to it may have failed"


def drain(changes: Sequence[StopContainer], *, meanwhile: str = "", then: str = "") -> str:
    """Take old containers out of traffic, where the proxy serves others by now.

    That is: cut the cords, wait until Docker calls the containers unhealthy and the proxy has dropped them. What does
    not leave in time is stopped; what follows is done in any case, and the exit code is :data:`STAYED` then.

    Args:
        changes: what is to stop.
        meanwhile: something to do while Docker is waited for; whether it succeeds does not count.
        then: what follows.
    """
    corded = [change for change in changes if change.cord]
    if not corded:
        # Whether it succeeds does not count, but whatever is chained behind it must run.
        return chain(f"{{ {{ {meanwhile}; }} || true; }}" if meanwhile else "", then)
    waiting = chain(*(_await_drained_gone(change) for change in corded), _stop_what_stayed(corded), await_dropped())
    return (
        functions("note_servers", "await_unhealthy", "await_dropped")
        + "stayed=; "
        + chain(
            note_servers(tuple(change.name for change in corded)),
            *(app.cut_cord(change.cord) for change in corded if change.cord),
            alongside(f"( {meanwhile} ) > /dev/null 2>&1", waiting) if meanwhile else waiting,
            then,
            f'{{ [ -z "$stayed" ] || exit {STAYED}; }}',
        )
    )


def ending(script: str, then: str, *, forced: str) -> str:
    """A drain, and what follows in a script of its own: also where a container had to be stopped in traffic.

    Args:
        script: the drain.
        then: what follows; empty for nothing.
        forced: the last line where nothing failed but that.
    """
    done = f"{then} || code=1" if then else ":"
    told = f'[ "$code" -ne {STAYED} ] || echo {quoted(forced)} >&2'
    return f'{script}; code=$?; case "$code" in 0 | {STAYED}) {done} ;; esac; {told}; ( exit "$code" )'


def _await_drained_gone(change: StopContainer) -> str:
    await_gone = await_unhealthy(change.name, seconds=change.drain_timeout)
    return f'{{ {await_gone} || stayed="$stayed "{quoted(change.name)}; }}'


def _stop_what_stayed(changes: Sequence[StopContainer]) -> str:
    timeouts = [change.stop_timeout for change in changes if change.stop_timeout is not None]
    timeout = f"-t {max(timeouts)} " if timeouts else ""
    stop = f'docker stop {timeout}$stayed > /dev/null && echo "${{stayed# }}" {quoted(FORCED)} >&2'
    return f'{{ [ -z "$stayed" ] || {{ {stop}; }}; }}'


TURNED_BAD = "went bad after the switch"
"""Stands in what a host says of a version that must go; any other failure says nothing against it."""

ASK = (
    "{{ if command -v curl > /dev/null; then curl -fsS -o /dev/null -m 5 {0};"
    " else wget -q -T 5 -O /dev/null {0}; fi; }}"
)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A new container.

    Args:
        has_run: it was not started by this run, so it may have restarted before.
        log_lines: of its log, to show when it turns bad.
        is_probed: whether the command and the URL are about it.
    """

    name: str
    has_run: bool
    log_lines: int
    is_probed: bool


def watch(watched: Sequence[Watched], cords: Sequence[str], *, seconds: int, cmd: str | None, url: str | None) -> str:
    """Look at containers again and again; exit 1 with a report, and the old ones let back, when one turns bad.

    Args:
        watched: the new containers.
        cords: folders of the old ones that run with a cut cord.
        seconds: how long.
        cmd: for a shell in the containers, about once a second.
        url: to ask from the host, about once a second.
    """
    ties = chain(*(app.tie_cord(cord) for cord in cords)) or ":"
    firsts = [
        f"first{number}={f'$(restarts_of {quoted(each.name)}) || exit 1' if each.has_run else '0'}"
        for number, each in enumerate(watched)
    ]
    inspections = [
        f'keeps_well {quoted(each.name, each.log_lines)} "$first{number}"' for number, each in enumerate(watched)
    ]
    probes = [
        f"probe {quoted(each.name, each.log_lines, script)}"
        for each in watched
        if each.is_probed and (script := probe_of(each.name, cmd=cmd, url=url))
    ]
    return (
        f"{functions('turned_bad', 'keeps_well', 'restarts_of', 'probe', 'keep_watch')}"
        f"let_back() {{ {ties}; }}\ninspect_all() {{ {'; '.join(inspections)}; }}\n"
        f"probe_all() {{ {'; '.join(probes) or ':'}; }}\n"
        f"{'; '.join(firsts)}; keep_watch {quoted(seconds)}"
    )


def probe_of(name: str, *, cmd: str | None, url: str | None) -> str:
    """What must succeed for a container, as a shell line; empty if nothing was asked for."""
    return chain(
        f"docker exec {quoted(name)} sh -c {quote(cmd)}" if cmd else "",
        ASK.format(quoted(url)) if url else "",
    )
