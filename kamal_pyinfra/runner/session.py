"""pyinfra's engine as rounds: each runs a deploy on some hosts, on connections that stay open."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import pyinfra_cli  # noqa: F401 - patches the standard library for gevent; must come before pyinfra

import gevent  # isort: skip
import pyinfra
from gevent.pool import Pool
from pyinfra.api.config import Config as EngineConfig
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.operations import run_ops
from pyinfra.api.state import BaseStateCallback, State, StateStage
from pyinfra.connectors.util import CommandOutput
from pyinfra.context import ctx_config, ctx_host, ctx_inventory, ctx_state
from pyinfra_cli.util import load_func

from kamal_pyinfra.config import Server
from kamal_pyinfra.errors import HostFailed, Interrupted
from kamal_pyinfra.facts import HostSnapshot
from kamal_pyinfra.inventory import host_data
from kamal_pyinfra.operations import lease
from kamal_pyinfra.operations.connecting import connect_patiently
from kamal_pyinfra.operations.connection import execute, overhear, reconnect, reconnect_all, show_ssh_log, tune
from kamal_pyinfra.operations.local_hook import call_pre_connect
from kamal_pyinfra.operations.observation import query_for
from kamal_pyinfra.plan.observed import ObservedHost
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.failures import HostFailure, command_failures, log_capture
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.words import failure_message

STRICT_PERCENT = 0
LENIENT_PERCENT = 100


class Session:
    """Connections to the hosts of a run.

    Args:
        run: the configuration and the run's fixed values.
        hosts: names of the hosts that take part; the primary host is connected too, for it holds the lock.
        report: told what the hook ``pre-connect`` says, which is called first.
    """

    def __init__(self, run: Run, hosts: Collection[str], report: Report | None = None) -> None:
        self.run = run
        self.report = report
        self.taking_part = frozenset(hosts)
        self.failures: dict[str, HostFailure] = {}
        self.left_out: dict[str, HostFailure] = {}
        needed = {*hosts, run.config.primary_host}
        departed = [Server(host=host) for host in run.decommissioned]
        servers = [server for server in (*run.config.all_hosts, *departed) if server.host in needed]
        names = [(server.host, host_data(run.config, server) | {"ssh_connect_retries": 0}) for server in servers]
        pyinfra.is_cli = True  # operations are then identified by their place in the source, not by a counter
        inventory = Inventory((names, {}))
        engine = EngineConfig(CONNECT_TIMEOUT=run.config.ssh.connect_timeout, FAIL_PERCENT=STRICT_PERCENT, PARALLEL=0)
        self.state = State(check_for_changes=False)
        self.state.cwd = "."
        ctx_state.set(self.state)
        ctx_inventory.set(inventory)
        ctx_config.set(engine)
        self.state.init(inventory, engine)

    def __enter__(self) -> Self:
        show_ssh_log(self.run.config.ssh.log_level)
        call_pre_connect(self.run, lambda line: self.report.output(line) if self.report else None)
        self.state.set_stage(StateStage.Connect)
        for host in self.state.inventory:
            connect_patiently(host)
        with log_capture() as lines:
            with contextlib.suppress(PyinfraError):  # which hosts failed, and why, is in the captured lines
                self._connect()
            for host in self.state.inventory:
                if not host.connected:
                    self._missed(host, HostFailure.from_log(host.name, "connect", lines))
        self.state.set_stage(StateStage.Prepare)
        for host in self.state.inventory:
            tune(host)
            if self.report is not None:
                overhear(host, partial(self.report.heard, host.name))
        return self

    def _missed(self, host: Host, failure: HostFailure) -> None:
        if self.run.may_leave_out(host.name):
            self.left_out[host.name] = failure
            self.state.active_hosts.discard(host)
        else:
            self.failures[host.name] = failure

    def leave_out_unreachable(self) -> frozenset[str]:
        """Go on without those of the failed hosts that cannot be reached any more, if the run may.

        Returns:
            Their names; none if another host failed for another reason, or one that is needed is gone too.
        """
        failed = [host for host in self.state.inventory if host.name in self.failures]
        if not all(self.run.may_leave_out(host.name) and not self._answers(host) for host in failed):
            return frozenset()
        for host in failed:
            self._missed(host, self.failures.pop(host.name))
        return frozenset(host.name for host in failed)

    def _answers(self, host: Host) -> bool:
        with log_capture(), contextlib.suppress(PyinfraError):
            reconnect(host)
        return bool(host.connected)

    def _connect(self) -> None:
        pool = self.state.pool
        self.state.pool = Pool(self.run.config.sshkit.max_concurrent_starts)
        try:
            connect_all(self.state)
        finally:
            self.state.pool = pool

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        disconnect_all(self.state)
        for host in self.state.inventory:
            client = getattr(host.connector, "client", None)
            if client is not None:
                client.close()

    @property
    def hosts(self) -> list[str]:
        """Names of the hosts that still take part, in the order of the configuration."""
        return [
            host.name
            for host in self.state.inventory
            if host in self.state.active_hosts and host.name in self.taking_part
        ]

    def require_hosts(self) -> None:
        """Stop here, before anything changes, if a host could not be reached or looked at.

        Raises:
            HostFailed: with every such host.
        """
        if self.failures:
            failures = list(self.failures.values())
            raise HostFailed(failure_message(failures, "Nothing was changed."), list(self.failures))

    def add_callback(self, callback: BaseStateCallback) -> None:
        """Let somebody follow the operations."""
        self.state.add_callback_handler(callback)

    def round(
        self,
        deploy: Callable[..., Any],
        *,
        hosts: Iterable[str] | None = None,
        is_strict: bool = True,
        **arguments: Any,
    ) -> bool:
        """Run one deploy function on hosts, operation by operation.

        Args:
            deploy: a function of ``kamal_pyinfra.deploys``.
            hosts: names; by default all that still take part.
            is_strict: stop after the first operation that fails on a host; else the other hosts go on.
            arguments: for the deploy function.

        Returns:
            Whether it succeeded on every host; failures are in :attr:`failures`.

        Raises:
            LockLost: the run had the lock, and has it no longer.
        """
        active = set(self.state.active_hosts)
        names = set(self.hosts if hosts is None else hosts)
        chosen = {host for host in active if host.name in names}
        self._begin_round()
        self.state.active_hosts = set(chosen)  # pyinfra takes failed hosts out of this very set
        self.state.config.FAIL_PERCENT = STRICT_PERCENT if is_strict else LENIENT_PERCENT
        with log_capture() as lines:
            try:
                self._prepare_and_execute(deploy, arguments)
            except PyinfraError as error:
                lines.append(str(error))
            finally:
                self.state.active_hosts = active - self.state.failed_hosts
        phase = getattr(deploy, "_inner", deploy).__name__
        found = command_failures(self.state, chosen & self.state.failed_hosts, phase, lines)
        self.failures.update(found)
        return not found

    def _begin_round(self) -> None:
        """Forget the operations of the round before: pyinfra would take them for this one's."""
        lease.require(self.state)
        self.state.is_executing = False
        self.state.op_meta.clear()
        for host in self.state.inventory:
            self.state.ops[host].clear()
            host.op_hash_order.clear()

    def _prepare_and_execute(self, deploy: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        if not self.state.active_hosts:
            return
        try:
            load_func(self.state, deploy, run=self.run, **arguments)
            self.state.set_stage(StateStage.Execute)
            run_ops(self.state)
        except Interrupted:
            if self.state.pool is not None:
                self.state.pool.kill()
            reconnect_all(self.state)
            raise

    def readmit(self) -> None:
        """Let hosts on which a command failed take part again: failed is not unreachable."""
        back = {host for host in self.state.failed_hosts if host.connected}
        self.state.failed_hosts -= back
        self.state.active_hosts |= back

    def observe(self) -> dict[str, ObservedHost]:
        """Look at every host, side by side.

        Returns:
            What was seen, by host.

        Raises:
            HostFailed: a host could not be reached or looked at.
        """
        self.require_hosts()
        query = query_for(self.run)
        self.state.config.FAIL_PERCENT = LENIENT_PERCENT
        seen: dict[str, ObservedHost] = {}
        with log_capture() as lines:
            answers = self.each(lambda host: host.get_fact(HostSnapshot, host_name=host.name, query=query))
            for name, answer in answers.items():
                if isinstance(answer, ObservedHost):
                    seen[name] = answer
                else:
                    self._missed(self.state.inventory.get_host(name), HostFailure.from_log(name, "observe", lines))
        self.require_hosts()
        return {name: seen[name] for name in self.hosts}

    def execute(self, command: str, hosts: Iterable[str] | None = None) -> dict[str, tuple[bool, CommandOutput]]:
        """Run one command on hosts, side by side; nothing is printed.

        Returns:
            Success and output, by host.
        """
        return self.each(lambda host: execute(host, command), hosts)

    def each(self, look: Callable[[Host], Any], hosts: Iterable[str] | None = None) -> dict[str, Any]:
        """Call a function for each host in a greenlet of its own.

        Returns:
            The answers by host name, in order; ``None`` where the engine gave the host up.
        """
        names = set(self.hosts if hosts is None else hosts)
        chosen = [host for host in self.state.inventory if host.name in names]
        engine = self.state.config

        def call(host: Host) -> Any:
            with ctx_config.use(engine.copy()), ctx_host.use(host):
                try:
                    return look(host)
                except PyinfraError:
                    return None

        greenlets = {host.name: gevent.spawn(call, host) for host in chosen}
        gevent.joinall(list(greenlets.values()))
        return {name: greenlet.get() for name, greenlet in greenlets.items()}
