"""Rolls a deploy's plan out: walks the steps, reverts what failed, and reports what is known of the fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from kamal_pyinfra.deploys import phases
from kamal_pyinfra.deploys.phases import Failure, Phase, Step
from kamal_pyinfra.deploys.revert import bring_back, hosts_to_revert
from kamal_pyinfra.errors import Interrupted, LockLost
from kamal_pyinfra.insight.history import FAILED, FINISHED, INTERRUPTED, deploy_message
from kamal_pyinfra.operations.app import turned_bad
from kamal_pyinfra.operations.run_state import run_state
from kamal_pyinfra.plan import fleet_state
from kamal_pyinfra.plan.plan import Plan
from kamal_pyinfra.runner.build import build
from kamal_pyinfra.runner.failures import HostFailure, log_capture, shown_lines
from kamal_pyinfra.runner.lock import clear_left_behind, locked, reuse_snapshots_if_fresh
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.runner.session import Session

REVERT, REVERTING = "revert", "Bring the old version back"


@dataclass(kw_only=True)
class Rollout:
    """One deploy under way: walks the steps of :mod:`kamal_pyinfra.deploys.phases`, and reverts what failed."""

    session: Session
    plan: Plan
    began: float  # when the command did, by the monotonic clock
    # called once the lock is held; what it raises stops the deploy before anything changes
    check: Callable[[], object] | None = None
    is_unchanged: bool = False
    begun: list[str] = field(default_factory=list)
    past_gate: list[str] = field(default_factory=list)
    is_over: bool = False
    reverted: tuple[str, ...] = ()
    stuck: dict[str, str] = field(default_factory=dict)

    def roll_out(self) -> None:
        """Make the changes; an error has the state of the fleet."""
        try:
            with ExitStack() as held:
                try:
                    for step in phases.steps(self.session.run, lambda: self.session.hosts):
                        self._do(step, held)
                except Interrupted:  # an old proxy that stands aside comes back under the lock
                    if not self.is_over:
                        self._revert(())
                    raise
        except Interrupted as error:
            raise Interrupted(error.signal_number, self._state_when_interrupted()) from error
        except LockLost as error:
            if not self.session.failures:
                raise
            self.session.fail(str(error))  # what failed before that is why, or at least the first thing to mend

    def _do(self, step: Step, held: ExitStack) -> None:
        """One step; the lock is held in between, and released whatever happens."""
        if step.phase is None:
            if step.hook:
                self.session.hook(step.hook, runtime=time.monotonic() - self.began if self.is_over else None)
            time.sleep(step.pause)
        elif step.phase is phases.BUILD:
            if self.plan.build is not None:
                build(self.session.run, self.session.report)
        elif step.phase is phases.LOCK:
            self.is_unchanged = held.enter_context(locked(self.session))
            held.enter_context(outcome_noted(self.session, self.plan, self.began))
            if self.check is not None:
                self.check()
        elif step.phase is phases.UNLOCK:
            self.is_over = True
            held.close()
        else:
            self._do_on_hosts(step, step.phase)

    def _do_on_hosts(self, step: Step, phase: Phase) -> None:
        if phase is phases.PREPARE:
            reuse_snapshots_if_fresh(self.session, is_unchanged=self.is_unchanged)
        if phase is phases.BOOT:
            self._boot(step, phase)
        elif phase is phases.WATCH:
            self._watch(step, phase)
        elif not self._succeeds(step, phase) and phase.failure is not Failure.GOES_ON:
            if phase.reverts:
                self._revert(())
            state = fleet_state.before_the_switch(self._outputs(), phase.state)
            self.session.fail(f"{state.partition(':')[0]}. {self._state_when_stuck()}" if self.stuck else state)
        if phase is phases.FINISH and self.session.failures:
            uncleaned = [host for host, failure in self.session.failures.items() if failure.phase == phase.name]
            state = fleet_state.after_the_gate(
                self.session.run.version, self.past_gate, self._outputs(), uncleaned=uncleaned
            )
            self.session.fail(state)

    def _succeeds(self, step: Step, phase: Phase) -> bool:
        """Whether a phase succeeded; with ``--skip-unreachable`` hosts that are gone may not count."""
        may_leave_out = phase.failure is Failure.LEAVES_OUT
        is_strict = phase.failure is Failure.STOPS or (may_leave_out and not self.session.run.skips_unreachable)
        hosts, (arguments,) = step.batch or None, step.rounds
        if self.session.phase(phase.name, phase.deploy, hosts=hosts, is_strict=is_strict, **arguments):
            return True
        return may_leave_out and self.session.leave_out_unreachable()

    def _boot(self, step: Step, phase: Phase) -> None:
        self.session.report.emit(events.BatchStarted, number=step.number, of=step.of, hosts=step.batch)
        self.begun += step.batch
        is_healthy = False
        try:
            is_healthy = self._succeeds(step, phase)
        finally:
            self.session.report.emit(events.Gate, passed=is_healthy, hosts=step.batch)
            if not is_healthy:
                self._revert(step.batch)
        if not is_healthy:
            self.session.fail(self._state_after_reverting(step.batch))
        self.past_gate += [host for host in step.batch if host in self.session.hosts]  # not one that was left out

    def _watch(self, step: Step, phase: Phase) -> None:
        """A host that is lost while it watches is no evidence against the version."""
        self.session.report.phase_began(phase.name, step.batch)
        is_bad = False
        for arguments in step.rounds:
            hosts = [host for host in step.batch if host not in self.session.failures]
            self.session.round(phase.deploy, hosts=hosts, is_strict=False, **arguments)
            is_bad = turned_bad(self.session.state)
            if is_bad:
                break
        self.session.report.phase_ended(phase.name, succeeded=not is_bad)
        if is_bad:
            self._revert(step.batch)
            self.session.fail(self._state_after_reverting(step.batch))

    def _revert(self, batch: Sequence[str]) -> None:
        hosts = hosts_to_revert(self.session.run, unproven=batch, begun=self.begun)
        new_proxy_on = run_state(self.session.state).new_proxy_on
        proxies = tuple(sorted(new_proxy_on - {*hosts, *self.past_gate}))
        if not hosts and not proxies:
            return
        new_proxy_on -= {*hosts, *proxies}
        self.reverted = (*hosts, *proxies)
        failed = self._bring_back(self.reverted, booted=hosts)
        self.stuck = {host: fleet_state.why_unknown(output) for host, output in failed.items()}
        self.past_gate = [host for host in self.past_gate if host not in hosts]

    def _bring_back(self, hosts: Sequence[str], *, booted: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Revert hosts as a phase, those too that failed before; with the lock lost, none."""
        session, changed = self.session, list[str]()
        run_state(session.state).lease.require()

        def on_end(host: str, is_back: bool, had_work: bool) -> None:
            session.report.emit(events.HostFinished, host=host, operation=REVERTING, succeeded=is_back)
            changed.extend([host] if is_back and had_work else ())

        session.report.phase_began(REVERT, hosts)
        session.report.emit(events.OperationStarted, operation=REVERTING)
        with log_capture():
            failed = bring_back(session.state, session.run, hosts, booted=booted, on_end=on_end)
        session.report.emit(events.OperationEnded, operation=REVERTING, changed=changed)
        session.report.phase_ended(REVERT, succeeded=not failed)
        session.failures = {
            host: HostFailure(host=host, phase=REVERT, operation=REVERTING, output=shown_lines(output))
            for host, output in failed.items()
            if output != (fleet_state.UNREACHABLE,)
        } | session.failures
        return failed

    def _outputs(self) -> dict[str, tuple[str, ...]]:
        return {host: failure.output for host, failure in self.session.failures.items()}

    def _state_when_interrupted(self) -> str:
        serves = f"{self.session.run.version} serves on {', '.join(self.past_gate)}"
        if self.is_over:
            return f"{serves}."
        if self.stuck:
            return self._state_when_stuck()
        if not self.begun:
            return fleet_state.UNBOOTED
        return f"{serves}, where the old version may still run too." if self.past_gate else fleet_state.TAKEN_BACK

    def _state_when_stuck(self) -> str:
        state = fleet_state.not_brought_back(self.stuck, [host for host in self.reverted if host not in self.stuck])
        return f"{state}\n{', '.join(self.past_gate)} run {self.session.run.version}." if self.past_gate else state

    def _state_after_reverting(self, batch: Sequence[str]) -> str:
        if self.stuck:
            return self._state_when_stuck()
        earlier = [host for host in self.past_gate if host not in batch]
        if earlier and self.session.run.config.boot.failure == "halt":
            return f"{', '.join(earlier)} run {self.session.run.version}; all other hosts run what they ran before."
        return fleet_state.ALL_TAKEN_BACK


@contextmanager
def outcome_noted(session: Session, plan: Plan, began: float) -> Iterator[None]:
    """Note for the audit log what becomes of what is done inside, which began at this monotonic time."""
    result = INTERRUPTED
    try:
        yield
        result = FINISHED
    except Exception as error:
        result = INTERRUPTED if isinstance(error, Interrupted) else FAILED
        raise
    finally:
        failures = tuple(session.failures.values()) if result == FAILED else ()
        where = f"{failures[0].phase} on {', '.join(each.host for each in failures[:3])}" if failures else ""
        run_state(session.state).outcome = deploy_message(result, plan, seconds=time.monotonic() - began, where=where)


def roll_out(plan: Plan, session: Session, *, began: float, check: Callable[[], object] | None = None) -> None:
    """Build what the plan has, roll it out, and report how it went; ``began`` and ``check`` as in :class:`Rollout`."""
    session.report.planned(plan)
    if session.run.is_dry:
        return
    if plan.is_empty:
        clear_left_behind(session)
        return
    rollout = Rollout(session=session, plan=plan, began=began, check=check)
    rollout.roll_out()
    for host in session.left_out:
        begun = f", and may run {session.run.version} beside what it ran before" if host in rollout.begun else ""
        session.report.warned(f"{host} was left out{begun}.")
    session.report.ended("done")
