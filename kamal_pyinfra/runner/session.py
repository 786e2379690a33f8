"""Connections to the hosts of a run: rounds, phases, hooks, signals."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn, Self

import kamal_pyinfra.ssh.loaded  # noqa: F401 - must come before pyinfra

import gevent  # isort: skip
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.state import StateStage
from pyinfra.connectors.util import CommandOutput
from pyinfra.context import ctx_config, ctx_host

from kamal_pyinfra.errors import NOTHING_CHANGED, HostFailed, Interrupted
from kamal_pyinfra.facts import HostSnapshot
from kamal_pyinfra.local.hooks import call_hook, call_pre_connect, has_hook
from kamal_pyinfra.local.signals import first_signal
from kamal_pyinfra.operations.run_state import query_for, run_state
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.state.observed import ObservedHost
from kamal_pyinfra.runner import engine
from kamal_pyinfra.runner.failures import HostFailure, command_failure, failure_message, log_capture
from kamal_pyinfra.runner.progress.report import Report
from kamal_pyinfra.ssh.connection import configure, execute, is_disconnected, reconnect, show_ssh_log
from kamal_pyinfra.ssh.host_keys import RunKeys
from kamal_pyinfra.ssh.patches import forget_operations, pool_of
from kamal_pyinfra.text import sanitized

ONLY_ASKED = "Nothing was changed on the hosts."
TOO_MANY = "Nothing was changed: `boot.max_unavailable` allows fewer hosts to be left out."


@contextmanager
def when_interrupted(state: str) -> Iterator[None]:
    """Add to a signal what is known of the fleet, where nothing is yet; a deploy names what it reverted instead."""
    try:
        yield
    except Interrupted as error:
        raise Interrupted(error.signal_number, error.fleet or state) from error


class Session:
    """Connections to the hosts of a run, and what a command does on them, phase by phase.

    Whatever needs hosts raises :class:`HostFailed` when one cannot be reached, and :class:`Interrupted` at a signal.
    The primary host is connected in any case, for it holds the lock.
    """

    def __init__(self, run: Run, hosts: Collection[str], report: Report | None = None) -> None:
        self.run = run
        self.is_reported = report is not None
        self.report = report if report is not None else Report([])
        self.taking_part = frozenset(hosts)
        self.failures: dict[str, HostFailure] = {}
        self.left_out: dict[str, HostFailure] = {}
        self.snapshots: dict[str, ObservedHost] = {}
        self.snapshots_at = 0.0
        # Without a view a warning goes to standard error: standard output may be read by a program.
        on_accepted = self.report.warned if report else lambda text: sys.stderr.write(f"{sanitized(text)}\n")
        keys = RunKeys(on_accepted=on_accepted, on_left_out=self.report.output)
        self.state = engine.new_state(run, hosts, keys)
        self.state.add_callback_handler(engine.Progress(self.report))

    @when_interrupted(ONLY_ASKED)
    def __enter__(self) -> Self:
        show_ssh_log(self.run.config.ssh.log_level)
        call_pre_connect(self.run, self.report.output)
        self.state.set_stage(StateStage.Connect)
        with log_capture() as lines:
            # So many at once as in Kamal 1.9; which hosts failed, and why, is in the captured lines.
            with contextlib.suppress(PyinfraError), pool_of(self.state, self.run.config.sshkit.max_concurrent_starts):
                connect_all(self.state)
            for host in self.state.inventory:
                if not host.connected:
                    self._missed(host, HostFailure.from_log(host.name, "connect", lines))
        self.state.set_stage(StateStage.Prepare)
        for host in self.state.inventory:
            configure(host, partial(self.report.host_output, host.name) if self.is_reported else None)
        return self

    def __exit__(self, *error: object) -> None:
        disconnect_all(self.state)
        for host in self.state.inventory:
            if (client := getattr(host.connector, "client", None)) is not None:
                client.close()

    def _missed(self, host: Host, failure: HostFailure) -> None:
        if self.run.may_leave_out(host.name):
            self.left_out[host.name] = failure
            self.state.active_hosts.discard(host)
        else:
            self.failures[host.name] = failure

    def leave_out_unreachable(self) -> bool:
        """Go on without the failed hosts; return whether the run may, since none of them can be reached any more."""
        failed = [host for host in self.state.inventory if host.name in self.failures]
        may_leave_out = all(self.run.may_leave_out(host.name) for host in failed)
        if not failed or not may_leave_out or not self.run.may_do_without({*self.left_out, *self.failures}):
            return False
        for host in failed:
            with log_capture(), contextlib.suppress(PyinfraError):
                reconnect(host)
            if host.connected:
                return False
        for host in failed:
            self._missed(host, self.failures.pop(host.name))
        return True

    @property
    def hosts(self) -> list[str]:
        """Names of the hosts that still take part, in the order of the configuration."""
        names = (host.name for host in self.state.inventory if host in self.state.active_hosts)
        return [name for name in names if name in self.taking_part]

    def is_active(self, name: str) -> bool:
        """Whether a round on this host would reach it."""
        return any(host.name == name for host in self.state.active_hosts)

    def require_hosts(self) -> None:
        """Stop before anything changes if a host could not be reached or observed."""
        may_go_on = self.run.may_do_without(self.left_out)
        if not may_go_on:
            self.failures.update(self.left_out)
        if self.failures:
            state = NOTHING_CHANGED if may_go_on else TOO_MANY
            raise HostFailed(failure_message(list(self.failures.values()), state), list(self.failures))

    def round(
        self,
        deploy: Callable[..., Any],
        *,
        hosts: Iterable[str] | None = None,
        is_strict: bool = True,
        **arguments: Any,
    ) -> bool:
        """Run one deploy function operation by operation on hosts, by default on all that still take part.

        Args:
            is_strict: stop after the first operation that fails on a host; else the other hosts go on.
            arguments: for the deploy function, besides the run.

        Returns:
            Whether it succeeded on every host; failures are in :attr:`failures`.

        Raises:
            LockLost: the run had the lock, and has it no longer.
        """
        active, names = set(self.state.active_hosts), self.hosts if hosts is None else hosts
        chosen = {host for host in active if host.name in names}
        run_state(self.state).lease.require()
        forget_operations(self.state)
        self.state.active_hosts = set(chosen)  # pyinfra takes failed hosts out of this very set
        self.state.config.FAIL_PERCENT = engine.STRICT_PERCENT if is_strict else engine.LENIENT_PERCENT
        with log_capture() as lines:
            try:
                engine.prepare_and_execute(self.state, deploy, run=self.run, **arguments)
            except PyinfraError as error:
                lines.append(str(error))
            finally:
                self.state.active_hosts = active - self.state.failed_hosts
        phase, failed = getattr(deploy, "_inner", deploy).__name__, chosen & self.state.failed_hosts
        self.failures |= {host.name: command_failure(self.state, host, phase, lines) for host in failed}
        return not failed

    def phase(
        self, name: str, deploy: Callable[..., Any], *, hosts: Sequence[str] | None = None, **arguments: Any
    ) -> bool:
        """Run one deploy function as one round, and report it under this name; see :meth:`round`."""
        chosen = self.hosts if hosts is None else list(hosts)
        self.report.phase_began(name, chosen)
        succeeded = self.round(deploy, hosts=chosen, **arguments)
        self.report.phase_ended(name, succeeded=succeeded)
        return succeeded

    def hook(self, name: str, *, hosts: Sequence[str] = (), runtime: float | None = None) -> None:
        """Call a hook if there is one: about these hosts or those of the run, after so many seconds of a deploy."""
        if has_hook(self.run, name):
            with self.report.phase_of_this_machine(name):
                call_hook(self.run, name, self.report.output, hosts=hosts, runtime=runtime)

    def fail(self, state: str) -> NoReturn:
        """Report every failure so far and stop; ``state`` is that of the fleet."""
        failures = list(self.failures.values())
        for failure in failures:
            self.report.failed(failure)
        hosts = [failure.host for failure in failures]
        raise HostFailed(failure_message(failures, state), hosts, brief=failure_message(failures, state, is_brief=True))

    @contextmanager
    def clean_up(self) -> Iterator[Mapping[str, HostFailure]]:
        """Let hosts that failed take part again for a block, with failures of its own, which it gets.

        Failed is not unreachable, nor is cut off for once.
        """
        failed = self.state.failed_hosts
        with log_capture():  # a host that is out of reach has failed already, and is in the report
            gevent.joinall([gevent.spawn(reconnect, host) for host in failed if is_disconnected(host)])
        back = {host for host in failed if host.connected}
        self.state.failed_hosts -= back
        self.state.active_hosts |= back
        before, self.failures = self.failures, {}
        try:
            yield self.failures
        finally:
            self.failures = before

    @when_interrupted(ONLY_ASKED)
    def observe(self) -> dict[str, ObservedHost]:
        """Take a snapshot of every host, in parallel; they are kept in :attr:`snapshots`."""
        self.require_hosts()
        query, self.snapshots_at = query_for(self.run), time.monotonic()
        self.state.config.FAIL_PERCENT = engine.LENIENT_PERCENT
        with log_capture() as lines:
            answers = self.each(lambda host: host.get_fact(HostSnapshot, host_name=host.name, query=query))
        for name in (name for name, answer in answers.items() if not isinstance(answer, ObservedHost)):
            self._missed(self.state.inventory.get_host(name), HostFailure.from_log(name, "observe", lines))
        self.require_hosts()
        self.snapshots = {name: answers[name] for name in self.hosts}
        return self.snapshots

    def execute(self, command: str, hosts: Iterable[str] | None = None) -> dict[str, tuple[bool, CommandOutput]]:
        """Run one command on hosts, in parallel, and print nothing; return success and output, by host."""
        return self.each(lambda host: execute(host, command), hosts)

    def each(self, call: Callable[[Host], Any], hosts: Iterable[str] | None = None) -> dict[str, Any]:
        """Call a function for each host in a greenlet; return what it returns, ``None`` where the engine gave it up."""
        names = set(self.hosts if hosts is None else hosts)
        config = self.state.config

        def answer(host: Host) -> Any:
            with ctx_config.use(config.copy()), ctx_host.use(host):
                try:
                    return call(host)
                except PyinfraError:
                    return None

        greenlets = {host.name: gevent.spawn(answer, host) for host in self.state.inventory if host.name in names}
        gevent.joinall(list(greenlets.values()))
        return {name: greenlet.get() for name, greenlet in greenlets.items()}


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise :class:`Interrupted` in this greenlet at the first signal; later ones wait until cleaning up is over."""
    main = gevent.getcurrent()
    with first_signal(lambda number: gevent.kill(main, Interrupted(number))):
        yield
