"""pyinfra's own steps, which a session puts together: a state, connections, one round of operations."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable, Collection, Iterable
from importlib import import_module
from typing import Any

import kamal_pyinfra.ssh.loaded  # noqa: F401 - must come before pyinfra

import gevent  # isort: skip
from pyinfra.api.config import Config as EngineConfig
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory
from pyinfra.api.operations import run_ops
from pyinfra.api.state import MAX_PARALLEL, BaseStateCallback, State, StateStage
from pyinfra.context import ctx_config, ctx_inventory, ctx_state
from pyinfra_cli.util import load_func

from kamal_pyinfra.config import Server
from kamal_pyinfra.errors import Interrupted
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.runner.progress.report import Report
from kamal_pyinfra.ssh import patches
from kamal_pyinfra.ssh.connection import reconnect_all
from kamal_pyinfra.ssh.host_data import host_data
from kamal_pyinfra.ssh.host_keys import RunKeys

GARBAGE_THRESHOLD = 20_000
"""New objects until Python collects garbage; with its own 700 it does so often, for nothing."""
STRICT_PERCENT = 0
LENIENT_PERCENT = 100
BUSY_SECONDS = 0.1
"""So long after they were asked hosts are at work, and this machine has nothing to do."""


def new_state(run: Run, hosts: Collection[str], run_keys: RunKeys | None = None) -> State:
    """Return pyinfra's state for the hosts of a run and the primary host, which holds the lock; none is connected."""
    needed = {*hosts, run.config.primary_host}
    departed = [Server(host=host) for host in run.decommissioned]
    servers = [server for server in (*run.config.all_hosts, *departed) if server.host in needed]
    keys = run_keys or RunKeys()
    names = [(server.host, host_data(run.config, server, keys)) for server in servers]
    patches.name_operations_by_place()
    inventory = Inventory((names, {}))
    engine = EngineConfig(
        CONNECT_TIMEOUT=run.config.ssh.connect_timeout,
        FAIL_PERCENT=STRICT_PERCENT,
        TEMP_DIR="$HOME",  # only for the program that hands sudo a password: /tmp may forbid programs
        # pyinfra's own choice is 20 hosts for each local processor; the others would wait for the slowest of these.
        PARALLEL=min(len(names), MAX_PARALLEL),
    )
    state = State(check_for_changes=False)
    state.cwd = "."
    ctx_state.set(state)
    ctx_inventory.set(inventory)
    ctx_config.set(engine)
    state.init(inventory, engine)
    patches.report_no_traceback()
    if not gc.isenabled():
        gc.freeze()  # what is loaded is no garbage
        gc.set_threshold(GARBAGE_THRESHOLD)
        gc.enable()
    return state


class Progress(BaseStateCallback):
    """Passes on what the engine does, operation by operation."""

    def __init__(self, report: Report) -> None:
        self.report = report

    # pyinfra calls these on the registered object, and refuses one that is not derived from its class, in which they
    # are static methods: mypy takes a method of an instance, which can carry the report, for a wrong override.
    def operation_start(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        """An operation starts."""
        self.report.emit(events.OperationStarted, operation=_name(state, op_hash))

    def operation_host_success(self, state: State, host: Host, op_hash: str, *_: Any) -> None:  # type: ignore[override]
        """A host is through."""
        self.report.emit(events.HostFinished, host=host.name, operation=_name(state, op_hash), succeeded=True)

    def operation_host_error(self, state: State, host: Host, op_hash: str, *_: Any) -> None:  # type: ignore[override]
        """A host failed."""
        self.report.emit(events.HostFinished, host=host.name, operation=_name(state, op_hash), succeeded=False)

    def operation_end(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        """All hosts are through; only now the engine knows where something changed."""
        done = [
            (host, state.ops[host][op_hash].operation_meta) for host in state.inventory if op_hash in state.ops[host]
        ]
        changed = [host.name for host, meta in done if meta.is_complete() and meta.did_change()]
        self.report.emit(events.OperationEnded, operation=_name(state, op_hash), changed=changed)


def _name(state: State, op_hash: str) -> str:
    return " ".join(sorted(state.get_op_meta(op_hash).names)).rpartition("| ")[2]


def load_meanwhile(modules: Iterable[str], *, operates: bool = False) -> None:
    """Load what comes next while hosts are observed.

    If pyinfra's operations follow, the first would wait until Python has found where modules lie.
    """

    def load() -> None:
        for module in modules:
            import_module(module)
        if operates:
            import_module("kamal_pyinfra.deploys.phases")
            inspect.stack()  # as pyinfra does for every operation

    gevent.spawn_later(BUSY_SECONDS, load)


def prepare_and_execute(state: State, deploy: Callable[..., Any], **arguments: Any) -> None:
    """Prepare the operations of a deploy function on the active hosts, and execute them.

    Raises:
        PyinfraError: too many hosts failed.
    """
    if getattr(arguments.get("run"), "is_dry", False):
        raise ValueError("a dry run was about to change something")
    if not state.active_hosts:
        return
    try:
        load_func(state, deploy, **arguments)
        state.set_stage(StateStage.Execute)
        run_ops(state)
    except Interrupted:
        if state.pool is not None:
            state.pool.kill()
        reconnect_all(state)
        raise
