"""Runs that never happened, told to a view with times that are made up."""

from __future__ import annotations

from collections.abc import Sequence

from kamal_pyinfra.plan.changes import CreateDirectories
from kamal_pyinfra.plan.plan import HostPlan, Plan
from kamal_pyinfra.runner.failures import HostFailure
from kamal_pyinfra.runner.progress import events
from kamal_pyinfra.runner.progress.report import Report

HEALTH = (
    'kp-waiting shop-web-v2 1 28 1000000000 "2026-05-01T10:00:00.000000001Z" "2026-05-01T10:00:00.012Z" 22 '
    '"curl: (22) The requested URL returned error: 503"'
)

FAILURE = ("shop-web-v2: not healthy after 28 s", "last lines of its log:", "no database")


def plan_for(hosts: Sequence[str]) -> Plan:
    """A folder is missing on each host."""
    changes = (CreateDirectories(paths=(".kamal",), cause="not found"),)
    return Plan(
        service="shop",
        version="v2",
        command="deploy",
        build=None,
        hosts=tuple(HostPlan(host=host, roles=("web",), changes=changes) for host in hosts),
    )


class Clock:
    """Seconds, as somebody says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Play:
    """A run told step by step; what the views were told is in `told`."""

    def __init__(self, *views: events.View, hosts: Sequence[str] = ("web1", "web2"), **options: object) -> None:
        self.told: list[events.AnyEvent] = []
        self.clock = Clock()
        self.hosts = hosts
        self.emitter = Report([self.told.append, *views], clock=self.clock, **options)  # type: ignore[arg-type]

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    def begin(self) -> None:
        self.emitter.started("deploy", service="shop", version="v2", urls=["http://web1"])
        self.wait(0.5)
        self.emitter.planned(plan_for(self.hosts))

    def prepare(self) -> None:
        self.emitter.phase_began("prepare", self.hosts)
        self.emitter.emit(events.OperationStarted, operation="Pull the image")
        self.emitter.host_output("web1", "0123456789ab: Pulling fs layer")
        self.emitter.host_output("web1", "0123456789ab: Pull complete")
        self.wait(1)
        for host in self.hosts:
            self.emitter.emit(events.HostFinished, host=host, operation="Pull the image", succeeded=True)
        self.emitter.emit(events.OperationEnded, operation="Pull the image", changed=self.hosts)
        self.emitter.emit(events.OperationEnded, operation="Sync assets", changed=[])
        self.emitter.phase_ended("prepare", succeeded=True)

    def boot(self, *, failing: str = "") -> None:
        self.emitter.emit(events.BatchStarted, number=1, of=1, hosts=self.hosts)
        self.emitter.phase_began("boot", self.hosts)
        self.emitter.emit(events.OperationStarted, operation="Boot the primary role")
        self.wait(2)
        self.emitter.host_output(self.hosts[0], HEALTH)
        for host in self.hosts[1:]:
            self.emitter.emit(events.HostFinished, host=host, operation="Boot the primary role", succeeded=True)
        self.wait(2.25)
        for host in self.hosts:
            if host != failing:
                self.emitter.host_output(host, "kp-routes shop-web-v2 request")
        self.emitter.emit(
            events.HostFinished,
            host=self.hosts[0],
            operation="Boot the primary role",
            succeeded=self.hosts[0] != failing,
        )
        self.emitter.emit(
            events.OperationEnded,
            operation="Boot the primary role",
            changed=[host for host in self.hosts if host != failing],
        )
        self.emitter.phase_ended("boot", succeeded=not failing)
        self.emitter.emit(events.Gate, hosts=self.hosts, passed=not failing)

    def fail(self, output: tuple[str, ...] = FAILURE) -> None:
        failure = HostFailure(host="web1", phase="boot", operation="Boot | Boot the primary role", output=output)
        self.emitter.failed(failure)
        self.emitter.ended("failed", "web1 failed")

    def whole(self) -> None:
        self.begin()
        self.prepare()
        self.boot()
        self.emitter.output("a line of a hook")
        self.emitter.ended("done")
