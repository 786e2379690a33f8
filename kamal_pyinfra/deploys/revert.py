"""Brings hosts back to what they were before a run that failed; both front doors do it with this."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress

import gevent
from paramiko import SSHException
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.context import ctx_config, ctx_host

from kamal_pyinfra.operations.app import revert_command
from kamal_pyinfra.plan.fleet_state import CUT, UNREACHABLE
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.ssh.connection import execute, is_disconnected, reconnect, reconnect_all

OnEnd = Callable[[str, bool, bool], object]


def hosts_to_revert(run: Run, *, unproven: Collection[str], begun: Collection[str]) -> tuple[str, ...]:
    """Where the old version is brought back (``boot.failure``); nowhere if nothing is unproven: the new version serves.

    Args:
        unproven: hosts of the batch that has not passed the gate, or that turned bad while it was watched.
        begun: hosts of every batch so far.
    """
    return tuple(unproven if run.config.boot.failure == "halt" or not unproven else begun)


def bring_back(
    state: State, run: Run, hosts: Collection[str], *, booted: Collection[str], on_end: OnEnd = lambda *_: None
) -> dict[str, tuple[str, ...]]:
    """Bring the old version back on hosts, in parallel, and take the new one away; on others only the old proxy.

    It is a command of its own, not an operation: under pyinfra's own command line operations are over by then.

    Args:
        state: of pyinfra, in which the run failed.
        run: that failed.
        hosts: names.
        booted: those of them on which containers may have been started; on the others nothing but the proxy is new.
        on_end: called with each host that is through, whether that succeeded, and whether anything was to be done.

    Returns:
        What each host printed that could not be brought back.
    """
    chosen = [host for host in state.inventory if host.name in hosts]
    failed: dict[str, tuple[str, ...]] = {}
    gevent.joinall([gevent.spawn(reconnect, host) for host in chosen if is_disconnected(host)])

    def bring(host: Host) -> None:
        failed[host.name] = (UNREACHABLE,)
        command, output = _bring_back(state, run, host, has_booted=host.name in booted)
        if output is None:
            del failed[host.name]
        else:
            failed[host.name] = output
        on_end(host.name, output is None, bool(command))

    greenlets = [gevent.spawn(bring, host) for host in chosen]
    try:
        gevent.joinall(greenlets)
    except BaseException:
        gevent.killall(greenlets)
        reconnect_all(state)  # which ends the commands that are under way
        raise
    return failed


def _bring_back(state: State, run: Run, host: Host, *, has_booted: bool) -> tuple[str, tuple[str, ...] | None]:
    """Bring one host back; return the command, and what the host printed if it failed."""
    command = ""
    with (
        suppress(PyinfraError, SSHException, OSError, EOFError),
        ctx_config.use(state.config.copy()),
        ctx_host.use(host),
    ):
        if not host.connected:
            return command, (UNREACHABLE,)
        command = revert_command(run, has_booted=has_booted)
        is_back, output = execute(host, command, print_output=state.print_output) if command else (True, None)
        if is_back or output is None:
            return command, None
        cut = [CUT] if is_disconnected(host) else []
        return command, (*output.stdout_lines, *output.stderr_lines, *cut)
    return command, (UNREACHABLE,)
