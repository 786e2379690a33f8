"""Walks the phases and tasks under pyinfra's own command line; stops at the first failure, and cleans up at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from operator import eq
from typing import Any

import gevent
from gevent.event import Event
from pyinfra import logger
from pyinfra.api.deploy import deploy
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State

from kamal_pyinfra import naming
from kamal_pyinfra.config import Server
from kamal_pyinfra.deploys import phases
from kamal_pyinfra.deploys.revert import bring_back, hosts_to_revert
from kamal_pyinfra.deploys.tasks import run_steps
from kamal_pyinfra.insight.history import FAILED, INTERRUPTED
from kamal_pyinfra.insight.routed import addresses, parse_proof, what_serves
from kamal_pyinfra.local.hooks import has_hook
from kamal_pyinfra.local.programs import end_programs
from kamal_pyinfra.local.signals import first_signal
from kamal_pyinfra.operations import hook as hooks
from kamal_pyinfra.operations import lock as locks
from kamal_pyinfra.operations import plan
from kamal_pyinfra.operations.app import turned_bad
from kamal_pyinfra.operations.apply import applied
from kamal_pyinfra.operations.run_state import current_host, current_state, run_state
from kamal_pyinfra.plan import fleet_state
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.plan.tasks.table import TASKS
from kamal_pyinfra.shell.proxy.traefik import ROUTES
from kamal_pyinfra.ssh.connection import configure, reconnect_all
from kamal_pyinfra.ssh.patches import stop_at_failures

ROLLOUTS = ("deploy", "setup", "redeploy", "rollback")
NOT_RELEASED = "the deploy lock is still there: see `kp lock status`, and run `kp lock release`"


@deploy("Deploy")
def roll_out(run: Run) -> None:
    """The steps of ``deploys/phases.py``; with nothing to change, which pyinfra asks late, no lock and no hook."""
    plan.accepted(run=run, name="Observe the host")
    hosts = hosts_within_limit(run.config.all_hosts)
    conditions: dict[phases.Phase, Callable[[], bool]] = {
        phases.LOCK: partial(plan.has_changes, run),
        phases.UNLOCK: phases.has_lock,
    }
    for step in current_host().loop(phases.steps(run, lambda: hosts)):
        if step.hook and has_hook(run, step.hook):
            hooks.called(run=run, hook=step.hook, name=f"Call {step.hook}", _if=_has_changed)
        if step.pause:
            hooks.kept(run=run, seconds=step.pause, name="Wait between batches", _if=phases.has_lock)
        if step.phase is not None:
            condition = {"_if": conditions[step.phase]} if step.phase in conditions else {}
            for arguments in current_host().loop(step.rounds):
                step.phase.deploy(run=run, **arguments, **condition)


def _has_changed() -> bool:
    """Whether there was anything to do, also once the lock is released."""
    return run_state(current_state()).has_changed


def hosts_within_limit(servers: Iterable[Server]) -> tuple[str, ...]:
    """Names of those hosts that take part in this run, in their order."""
    state = current_state()
    taking_part = {host.name for host in state.inventory if state.is_host_in_limit(host)}
    return tuple(server.host for server in servers if server.host in taking_part)


@deploy("Push env files")
def push_env_locked(run: Run) -> None:
    """Lock → env files → unlock."""
    locks.held(run=run, name="Take the deploy lock")
    run_steps(run=run, task=TASKS["env push"])
    locks.released(run=run, name="Release the deploy lock")


@deploy("Prune")
def prune_locked(run: Run) -> None:
    """Lock → prune → unlock."""
    locks.held(run=run, name="Take the deploy lock")
    run_steps(run=run, task=TASKS["prune all"].given(retain=run.config.retain_containers))
    locks.released(run=run, name="Release the deploy lock")


@deploy("Reboot the proxies")
def reboot_proxies_locked(run: Run) -> None:
    """Lock → (reboot → serves again) per host → unlock; a proxy that does not serve stops the rest."""
    locks.held(run=run, name="Take the deploy lock")
    task = TASKS["traefik reboot"]
    run_steps(run=run, task=replace(task, steps=task.steps[:-1]))
    for name in current_host().loop(hosts_within_limit(run.config.role_hosts)):
        _task_hook(run, "pre-traefik-reboot", name)
        applied(
            run=run,
            decide=task.decide,
            kinds=task.steps[-1].kinds,
            name=f"Reboot the proxy of {name}",
            _if=partial(eq, name, current_host().name),
        )
        _task_hook(run, "post-traefik-reboot", name)
    locks.released(run=run, name="Release the deploy lock")


def _task_hook(run: Run, hook: str, host: str) -> None:
    if has_hook(run, hook):
        hooks.called(run=run, hook=hook, hosts=(host,), name=f"Call {hook} for {host}")


class Safety(BaseStateCallback):
    """Installed once per pyinfra run.

    Without it pyinfra would go on deploying on the other hosts after a failure, end with code 0 after Ctrl-C,
    not clean up after SIGTERM, and leave the lock and half a batch behind in all three cases.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.is_over = False
        self.is_clean = Event()
        self.is_interrupted = False

    def interrupt(self, state: State, main: Any, number: int) -> None:
        """Stop the run at a signal; pyinfra cleans up as it exits."""
        self.is_interrupted = True
        if state.pool is not None:
            state.pool.kill(block=False)
        gevent.kill(main, SystemExit(128 + number))

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
            self._show_what_serves(state)
            return  # a signal may come just after the lock was taken; only this run's own is ever released
        if self.is_interrupted:
            reconnect_all(state)
        unproven = record.booting_on - record.switched | (record.watching if turned_bad(state) else frozenset())
        booted = hosts_to_revert(self.run, unproven=unproven, begun=record.booting_on)
        proxies = record.new_proxy_on - record.switched
        hosts = [each for each in state.inventory if each.name in {*booted, *proxies}]
        for each in hosts:
            each.log_styled("bringing the old version back", fg="yellow")
        failed = bring_back(state, self.run, [each.name for each in hosts], booted=booted)
        stuck = {name: fleet_state.why_unknown(output) for name, output in failed.items()}
        text = fleet_state.not_brought_back(stuck, [each.name for each in hosts if each.name not in stuck])
        for line in text.splitlines():
            logger.warning(line)
        self._release(state, host)

    def _show_what_serves(self, state: State) -> None:
        """The last line, as of `kp`: only what was proven is claimed."""
        urls, record = addresses(self.run.config), run_state(state)
        if urls and self.run.command in ROLLOUTS and record.has_changed and not state.failed_hosts:
            what = f"{naming.service_name(self.run.config)} {self.run.version}"
            logger.info(what_serves(what, urls, record.proofs))

    def _release(self, state: State, host: Host) -> None:
        record = run_state(state)
        try:
            end = {"result": INTERRUPTED} if self.is_interrupted else {"result": FAILED, "where": _where(state)}
            outcome = record.ends(**end) if record.is_locked else ""
            is_released = locks.run_on_primary(state, host, self.run, locks.release_command(self.run, outcome=outcome))
        except Exception as error:  # the run is over; the user gets the reason why the lock stays
            host.log(f"{type(error).__name__}: {error}")
            is_released = False
        if not is_released:
            host.log_styled(NOT_RELEASED, fg="red")


def _where(state: State) -> str:
    """``boot on 192.0.2.11``: the phase that failed first, and where; empty if no host failed."""
    failed = [host for host in state.inventory if host in state.failed_hosts]
    for host in failed:
        for op_hash, data in state.ops[host].items():
            if data.operation_meta.is_complete() and not data.operation_meta.did_succeed():
                # "Deploy | Boot | Boot the primary role"
                *names, _ = " ".join(state.get_op_meta(op_hash).names).split(" | ")
                return f"{names[-1].lower() if names else 'deploy'} on {', '.join(each.name for each in failed[:3])}"
    return ""


def _note_proof(state: State, host: str, line: str) -> None:
    if line.startswith(ROUTES) and (found := parse_proof(host, line.removeprefix(ROUTES))):
        run_state(state).proofs.append(found)


def install(state: State, run: Run) -> None:
    """Make a pyinfra run safe; call it once, before its operations."""
    safety = Safety(run)
    run_state(state)  # notes when the run began
    state.add_callback_handler(safety)
    for host in state.inventory:
        if host.connected:
            configure(host, partial(_note_proof, state, host.name))
    first_signal(partial(safety.interrupt, state, gevent.get_hub().parent))
