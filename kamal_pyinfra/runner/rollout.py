"""A deploy as rounds: lock → prepare → (boot → GATE → switch → retire) per batch → finish → unlock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from kamal_pyinfra import deploys
from kamal_pyinfra.commands.lock import HELD
from kamal_pyinfra.errors import HostFailed, Interrupted, LockHeld
from kamal_pyinfra.facts.parse_snapshot import parse_lock
from kamal_pyinfra.operations.observation import forget
from kamal_pyinfra.plan.run import Run
from kamal_pyinfra.runner.report import Report
from kamal_pyinfra.runner.session import Session
from kamal_pyinfra.runner.words import failure_message, lock_message


class Rollout:
    """One deploy under way.

    Args:
        session: connections to the hosts that take part.
        report: told about every phase.
    """

    def __init__(self, session: Session, report: Report) -> None:
        self.session = session
        self.report = report
        self.run: Run = session.run
        self.begun: list[str] = []
        self.stuck: tuple[str, ...] = ()

    def carry_out(self) -> None:
        """Make the changes.

        Raises:
            LockHeld: somebody else is deploying; nothing was changed.
            HostFailed: a host failed; the message says what state the fleet is in.
            Interrupted: a signal came; what was begun before the gate was taken back.
        """
        try:
            self._take_lock()
        except Interrupted:
            self._release_lock()  # it may have been taken just before the signal
            raise
        try:
            self._make_changes()
        finally:
            self._release_lock()

    def _take_lock(self) -> None:
        forget(self.session.state)
        if self._phase("lock", deploys.lock, hosts=[self.run.config.primary_host]):
            forget(self.session.state)
            return
        failure = self.session.failures[self.run.config.primary_host]
        for line in failure.output:
            if line.startswith(HELD):
                raise LockHeld(lock_message(parse_lock(line.removeprefix(HELD).strip())))
        raise HostFailed(failure_message([failure], "Nothing was changed."), [failure.host])

    def _make_changes(self) -> None:
        if not self._phase("prepare", deploys.prepare):
            self._fail("Nothing was switched: what served before serves now.")
        batches = self.run.config.boot.batches(self.session.hosts)
        for number, batch in enumerate(batches, start=1):
            self._roll_out_batch(batch)
            if number < len(batches):
                time.sleep(self.run.config.boot.pause)
        self._phase("finish", deploys.finish, is_strict=False)
        if self.session.failures:
            self._fail(f"{self.run.version} serves, but not every host was cleaned up.")

    def _roll_out_batch(self, batch: Sequence[str]) -> None:
        self.begun += batch
        is_healthy = False
        try:
            is_healthy = self._phase("boot", deploys.boot, hosts=batch, arguments={"batch": tuple(batch)})
        finally:
            if not is_healthy:
                self._take_back(batch)
        if not is_healthy:
            self._fail(self._state_after_taking_back(batch))
        for name, phase in (("switch", deploys.switch), ("retire", deploys.retire)):
            self._phase(name, phase, hosts=batch, arguments={"batch": tuple(batch)}, is_strict=False)

    def _take_back(self, batch: Sequence[str]) -> None:
        halts = self.run.config.boot.failure == "halt"
        hosts = tuple(batch if halts else self.begun)
        failures = dict(self.session.failures)
        self.session.readmit()
        self.session.failures = {}
        self._phase("revert", deploys.revert, hosts=hosts, arguments={"batch": hosts}, is_strict=False)
        self.stuck = tuple(self.session.failures)
        self.session.failures = {**self.session.failures, **failures}

    def _state_after_taking_back(self, batch: Sequence[str]) -> str:
        if self.stuck:
            return f"{', '.join(self.stuck)} could not be brought back wholly; `kp details` shows what serves."
        earlier = [host for host in self.begun if host not in batch]
        if earlier and self.run.config.boot.failure == "halt":
            return f"{', '.join(earlier)} run {self.run.version}; all other hosts run what they ran before."
        return "All hosts run what they ran before; the new containers are gone."

    def _release_lock(self) -> None:
        failures = dict(self.session.failures)
        self.session.readmit()
        self._phase("unlock", deploys.unlock, hosts=[self.run.config.primary_host])
        self.session.failures = failures

    def _phase(
        self,
        name: str,
        deploy: Callable[..., Any],
        *,
        hosts: Sequence[str] | None = None,
        is_strict: bool = True,
        arguments: dict[str, Any] | None = None,
    ) -> bool:
        chosen = self.session.hosts if hosts is None else list(hosts)
        self.report.phase_began(name, chosen)
        succeeded = self.session.round(deploy, hosts=chosen, is_strict=is_strict, **(arguments or {}))
        self.report.phase_ended(name, succeeded=succeeded)
        return succeeded

    def _fail(self, state: str) -> None:
        failures = list(self.session.failures.values())
        for failure in failures:
            self.report.failed(failure)
        raise HostFailed(failure_message(failures, state), [failure.host for failure in failures])
