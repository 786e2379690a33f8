"""What keeps a run under pyinfra's own command line safe: stop at the first failure, and clean up at the end."""

from __future__ import annotations

from functools import partial
from typing import Any

import gevent
from gevent.event import Event
from paramiko import SSHException
from pyinfra import logger
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State
from pyinfra.context import ctx_config, ctx_host

from kamal_pyinfra import naming
from kamal_pyinfra.deploys.phases import hosts_to_revert
from kamal_pyinfra.insight.history import FAILED, INTERRUPTED
from kamal_pyinfra.insight.routed import addresses, parse_proof, what_serves
from kamal_pyinfra.local.programs import end_programs
from kamal_pyinfra.local.signals import at_first_signal
from kamal_pyinfra.operations.app import revert_command, turned_bad
from kamal_pyinfra.operations.lock import release_command, run_on_primary
from kamal_pyinfra.operations.run_state import run_state
from kamal_pyinfra.plan import fleet_state
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.shell.proxy.traefik import ROUTES
from kamal_pyinfra.ssh.connection import configure, execute, is_disconnected, reconnect, reconnect_all
from kamal_pyinfra.ssh.patches import stop_at_failures

ROLLOUTS = ("deploy", "setup", "redeploy", "rollback")
NOT_RELEASED = "the deploy lock is still there: see `kp lock status`, and run `kp lock release`"


class Safety(BaseStateCallback):
    """Installed once per pyinfra run.

    Without it pyinfra would go on deploying on the other hosts after a failure, end with code 0 after Ctrl-C,
    not clean up after SIGTERM, and leave the lock and half a batch behind in all three cases.

    Args:
        run: the run's fixed values.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.is_over = False
        self.is_clean = Event()
        self.is_interrupted = False

    # pyinfra calls these on the registered object, and refuses one that is not derived from its class, in which they
    # are static methods: mypy takes a method of an instance, which can carry the run, for a wrong override.
    def host_connect(self, state: State, host: Host) -> None:  # type: ignore[override]
        """A connection that is made later on, to the primary host for its lock."""
        configure(host)

    def operation_host_start(self, state: State, host: Host, op_hash: Any) -> None:  # type: ignore[override]
        """A host that fails stops the run at the end of the operation."""
        stop_at_failures(state)

    def host_disconnect(self, state: State, host: Host) -> None:  # type: ignore[override]
        """The run is over, well or not; every host can still be reached."""
        if self.is_over:
            self.is_clean.wait()  # or this host would be gone while it is cleaned up
            return
        self.is_over = True
        try:
            self._clean_up(state, host)
        finally:
            self.is_clean.set()

    def _clean_up(self, state: State, host: Host) -> None:
        record = run_state(state)
        end_programs(record.running)
        if not record.is_locked and not self.is_interrupted:
            self._tell_what_serves(state)
            return  # a signal may come just after the lock was taken; only this run's own is ever released
        if self.is_interrupted:
            reconnect_all(state)
        unproven = record.booting_on - record.switched | (record.watching if turned_bad(state) else frozenset())
        self._take_back(state, unproven, record.booting_on)
        self._release(state, host)

    def _tell_what_serves(self, state: State) -> None:
        """The last line, as of `kp`: only what was proven is claimed."""
        urls, record = addresses(self.run.config), run_state(state)
        if urls and self.run.command in ROLLOUTS and record.has_changed and not state.failed_hosts:
            what = f"{naming.service_name(self.run.config)} {self.run.version}"
            logger.info(what_serves(what, urls, record.proofs))

    def _release(self, state: State, host: Host) -> None:
        try:
            command = release_command(self.run, outcome=self._outcome(state))
            is_released = run_on_primary(state, host, self.run, command)
        except Exception as error:  # the run is over; whatever keeps the lock there is told
            host.log(f"{type(error).__name__}: {error}")
            is_released = False
        if not is_released:
            host.log_styled(NOT_RELEASED, fg="red")

    def _outcome(self, state: State) -> str:
        record = run_state(state)
        if not record.is_locked:
            return ""
        where = "" if self.is_interrupted else _where(state)
        return record.ends(result=INTERRUPTED if self.is_interrupted else FAILED, where=where)

    def _take_back(self, state: State, unproven: set[str], begun: set[str]) -> None:
        names = hosts_to_revert(self.run, unproven=unproven, begun=begun)
        record = run_state(state)
        proxies = record.new_proxy_on - record.switched
        hosts = [host for host in state.inventory if host.name in {*names, *proxies}]
        gevent.joinall([gevent.spawn(reconnect, host) for host in hosts if is_disconnected(host)])
        reachable = [host for host in hosts if host.connected]
        for host in reachable:
            host.log_styled("bringing the old version back", fg="yellow")
        ends = {host.name: gevent.spawn(self._revert, state, host, has_booted=host.name in names) for host in reachable}
        gevent.joinall(list(ends.values()))
        stuck = {host.name: fleet_state.UNREACHABLE for host in hosts if host not in reachable}
        stuck |= {name: end.value for name, end in ends.items() if end.value is not None}
        text = fleet_state.not_brought_back(stuck, [host.name for host in hosts if host.name not in stuck])
        for line in text.splitlines():
            logger.warning(line)

    def _revert(self, state: State, host: Host, *, has_booted: bool) -> str | None:
        """Bring a host back; if that failed, why it is not known what runs there, empty if that can be seen."""
        try:
            with ctx_config.use(state.config.copy()), ctx_host.use(host):
                command = revert_command(self.run, has_booted=has_booted)
                succeeded, output = execute(host, command, print_output=True) if command else (True, None)
        except (PyinfraError, SSHException, OSError, EOFError):
            return fleet_state.UNREACHABLE
        if succeeded:
            return None
        return fleet_state.why_unknown(
            [*output.stderr_lines, *([fleet_state.CUT] if is_disconnected(host) else [])] if output else []
        )


def _where(state: State) -> str:
    """``boot on 192.0.2.11``: the phase that failed first, and where; empty if no host failed."""
    failed = [host for host in state.inventory if host in state.failed_hosts]
    for host in failed:
        for op_hash, data in state.ops[host].items():
            if data.operation_meta.is_complete() and not data.operation_meta.did_succeed():
                # "Deploy | Boot | Boot the primary role"
                *phases, _ = " ".join(state.get_op_meta(op_hash).names).split(" | ")
                return f"{phases[-1].lower() if phases else 'deploy'} on {', '.join(each.name for each in failed[:3])}"
    return ""


def _note_proof(state: State, host: str, line: str) -> None:
    if line.startswith(ROUTES) and (found := parse_proof(host, line.removeprefix(ROUTES))):
        run_state(state).proofs.append(found)


def install(state: State, run: Run) -> None:
    """Make a pyinfra run safe; call it once, before its operations."""
    callback = Safety(run)
    run_state(state)  # notes when the run began
    state.add_callback_handler(callback)
    for host in state.inventory:
        if host.connected:
            configure(host, partial(_note_proof, state, host.name))
    main = gevent.get_hub().parent

    def stop(number: int) -> None:
        callback.is_interrupted = True
        if state.pool is not None:
            state.pool.kill(block=False)
        gevent.kill(main, SystemExit(128 + number))

    at_first_signal(stop)
