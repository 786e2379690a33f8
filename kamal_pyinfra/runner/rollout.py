"""Carries out a deploy's plan: walks the phases, takes back what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from kamal_pyinfra import deploys
from kamal_pyinfra.errors import Interrupted, LockLost
from kamal_pyinfra.insight.history import FAILED, FINISHED, INTERRUPTED, deploy_message
from kamal_pyinfra.operations.app import turned_bad
from kamal_pyinfra.operations.run_state import underway
from kamal_pyinfra.plan import fleet_state
from kamal_pyinfra.plan.plan import Plan
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.build import build
from kamal_pyinfra.runner.lock import clear_left_behind, keep_or_forget, locked
from kamal_pyinfra.runner.progress.emitter import Progress, Report
from kamal_pyinfra.runner.session import Session, Steps

"""`kp app boot` rolls out as a deploy does, without a deploy's hooks (Kamal 1.9)."""


class Rollout:
    """One deploy under way.

    Args:
        session: connections to the hosts that take part.
        report: told about every phase.
        check: called once the lock is held; what it raises stops the deploy before anything changes.
    """

    def __init__(self, session: Session, report: Report, check: Callable[[], object] | None = None) -> None:
        self.session = session
        self.check = check
        self.noted: Callable[[], AbstractContextManager[None]] = nullcontext
        self.steps = Steps(session, report)
        self.run: Run = session.run
        self.begun: list[str] = []
        self.past_gate: list[str] = []
        self.taken_back: tuple[str, ...] = ()
        self.stuck: dict[str, str] = {}

    def carry_out(self) -> None:
        """Make the changes.

        Raises:
            LockHeld: somebody else is deploying; nothing was changed.
            LockLost: the lock was taken away, and no host had failed before.
            HookFailed: a hook failed. HostFailed: a host failed; the message says what state the fleet is in.
            Interrupted: a signal came; what was begun before the gate was taken back.
        """
        try:
            with locked(self.steps) as unmoved, self.noted():
                if self.check is not None:
                    self.check()
                self._prepare_for_changes()
                keep_or_forget(self.session, is_unmoved=unmoved)
                self._make_changes()
        except Interrupted as error:
            raise Interrupted(error.signal_number, self._state_when_interrupted()) from error
        except LockLost as error:
            if not self.session.failures:
                raise
            self.steps.fail(str(error))  # what failed before that is why, or at least the first thing to mend

    def _prepare_for_changes(self) -> None:
        if self.run.is_setup:
            if not self.steps.phase("bootstrap", deploys.bootstrap):
                self.steps.fail(fleet_state.before_the_switch(self._outputs()))
            self.steps.hook("docker-setup")
        if self.run.behaviour.calls_deploy_hooks:
            self.steps.hook("pre-deploy")

    def _make_changes(self) -> None:
        if not self._phase("prepare", deploys.prepare):
            self.steps.fail(fleet_state.before_the_switch(self._outputs()))
        if self.run.release_host in self.session.hosts and not self.steps.phase("release", deploys.release):
            self.steps.fail(fleet_state.before_the_switch(self._outputs(), fleet_state.UNBOOTED))
        batches = self.run.batches(self.session.hosts)
        for number, batch in enumerate(batches, start=1):
            self.steps.report.batch_began(number, len(batches), batch)
            self._roll_out_batch(batch, is_only=len(batches) == 1)
            if number < len(batches):
                time.sleep(self.run.config.boot.pause)
        self.steps.phase("finish", deploys.finish, is_strict=False)
        if self.session.failures:
            uncleaned = [host for host, failure in self.session.failures.items() if failure.phase == "finish"]
            outputs = self._outputs()
            self.steps.fail(fleet_state.after_the_gate(self.run.version, self.past_gate, outputs, uncleaned=uncleaned))

    def _roll_out_batch(self, batch: Sequence[str], *, is_only: bool) -> None:
        self.begun += batch
        is_healthy = False
        try:
            is_healthy = self._phase("boot", deploys.boot, hosts=batch, arguments={"batch": tuple(batch)})
        finally:
            self.steps.report.gate(batch, passed=is_healthy)
            if not is_healthy:
                self._take_back(batch)
        if not is_healthy:
            self.steps.fail(self._state_after_taking_back(batch))
        self.past_gate += [host for host in batch if host in self.session.hosts]  # not one that was left out
        arguments = {"batch": tuple(batch), "finishes": is_only and self.run.config.boot.watch is None}
        self.steps.phase("switch", deploys.switch, hosts=batch, arguments=arguments, is_strict=False)
        if self.run.config.boot.watch is not None:
            self._watch(batch)
            self.steps.phase("retire", deploys.retire, hosts=batch, arguments={"batch": tuple(batch)}, is_strict=False)

    def _watch(self, batch: Sequence[str]) -> None:
        self.steps.report.phase_began("watch", batch)
        is_bad = False
        for seconds in self.run.config.boot.watch_slices:
            hosts = [host for host in batch if host not in self.session.failures]
            self.session.round(deploys.watch, hosts=hosts, is_strict=False, batch=tuple(batch), seconds=seconds)
            is_bad = turned_bad(self.session.state)
            if is_bad:
                break
        self.steps.report.phase_ended("watch", succeeded=not is_bad)
        if is_bad:
            self._take_back(batch)
            self.past_gate = [host for host in self.past_gate if host not in batch]
            self.steps.fail(self._state_after_taking_back(batch))

    def _phase(
        self,
        name: str,
        deploy: Callable[..., object],
        *,
        hosts: Sequence[str] | None = None,
        arguments: dict[str, object] | None = None,
    ) -> bool:
        """A phase before the gate; with ``--skip-unreachable`` hosts that are gone do not count."""
        is_strict = not self.run.skips_unreachable
        if self.steps.phase(name, deploy, hosts=hosts, arguments=arguments, is_strict=is_strict):
            return True
        return bool(self.session.leave_out_unreachable())

    def _take_back(self, batch: Sequence[str]) -> None:
        halts = self.run.config.boot.failure == "halt"
        hosts = self.taken_back = tuple(batch if halts else self.begun)
        failures = dict(self.session.failures)
        self.session.readmit()
        self.session.failures = {}
        self.stuck = {host: fleet_state.UNREACHABLE for host in hosts if host not in self.session.hosts}
        try:
            self.steps.phase("revert", deploys.revert, hosts=hosts, arguments={"batch": hosts}, is_strict=False)
            self.stuck |= {host: fleet_state.why_unknown(output) for host, output in self._outputs().items()}
        finally:
            self.session.failures = {**self.session.failures, **failures}
        if not halts:
            self.past_gate.clear()

    def _outputs(self) -> dict[str, tuple[str, ...]]:
        return {host: failure.output for host, failure in self.session.failures.items()}

    def _state_when_interrupted(self) -> str:
        if self.stuck:
            return self._state_when_stuck()
        if not self.begun:
            return fleet_state.UNBOOTED
        if not self.past_gate:
            return fleet_state.TAKEN_BACK
        return f"{self.run.version} serves on {', '.join(self.past_gate)}, where the old version may still run too."

    def _state_when_stuck(self) -> str:
        brought_back = [host for host in self.taken_back if host not in self.stuck]
        state = fleet_state.not_brought_back(self.stuck, brought_back)
        return f"{state}\n{', '.join(self.past_gate)} run {self.run.version}." if self.past_gate else state

    def _state_after_taking_back(self, batch: Sequence[str]) -> str:
        if self.stuck:
            return self._state_when_stuck()
        earlier = [host for host in self.past_gate if host not in batch]
        if earlier and self.run.config.boot.failure == "halt":
            return f"{', '.join(earlier)} run {self.run.version}; all other hosts run what they ran before."
        return fleet_state.ALL_TAKEN_BACK


@contextmanager
def outcome_noted(session: Session, plan: Plan, began: float) -> Iterator[None]:
    """Note what becomes of what is done inside.

    Args:
        session: of the deploy.
        plan: what it is to change.
        began: when it began, by the monotonic clock.
    """
    result = INTERRUPTED
    try:
        yield
        result = FINISHED
    except Exception as error:
        result = INTERRUPTED if isinstance(error, Interrupted) else FAILED
        raise
    finally:
        underway(session.state).outcome = deploy_message(
            result, plan, seconds=time.monotonic() - began, where=_where(session) if result == FAILED else ""
        )


def _where(session: Session) -> str:
    """``boot on 192.0.2.11``; empty if no host failed."""
    failures = tuple(session.failures.values())
    return f"{failures[0].phase} on {', '.join(each.host for each in failures[:3])}" if failures else ""


def carry_out(
    found: Plan, session: Session, report: Report, *, began: float, check: Callable[[], object] | None = None
) -> None:
    """Build what the plan says, roll it out, and tell how it went.

    Args:
        found: the plan.
        session: connected to the hosts that take part.
        report: told about everything on the way.
        began: when the command did, by the monotonic clock.
        check: called once the lock is held; see :class:`Rollout`.

    Raises:
        KpError: whatever stopped it; see :func:`kamal_pyinfra.runner.deploy.deploy`.
    """
    report.planned(found)
    if session.run.is_dry:
        return
    if found.is_empty:
        clear_left_behind(session)
        return
    session.add_callback(Progress(report))
    rollout = Rollout(session, report, check=check)
    if found.build is not None:
        build(session.run, report)
    rollout.noted = partial(outcome_noted, session, found, began)
    rollout.carry_out()
    if session.run.behaviour.calls_deploy_hooks:
        rollout.steps.hook("post-deploy", runtime=time.monotonic() - began)
    for host in session.left_out:
        begun = f", and may run {session.run.version} beside what it ran before" if host in rollout.begun else ""
        report.warned(f"{host} was left out{begun}.")
    report.finished(time.monotonic() - began)
