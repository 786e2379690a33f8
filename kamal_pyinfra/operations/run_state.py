"""What a run has observed and begun: one :class:`RunState` for each pyinfra state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from gevent.lock import BoundedSemaphore
from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_host, ctx_state

from kamal_pyinfra import naming
from kamal_pyinfra.config import Config
from kamal_pyinfra.facts import HostSnapshot
from kamal_pyinfra.insight.routed import Proof
from kamal_pyinfra.local.programs import Running
from kamal_pyinfra.operations.lease import Lease
from kamal_pyinfra.plan.desired import accessory_env_directory, directories, every_accessory
from kamal_pyinfra.plan.run import UNKNOWN, Run
from kamal_pyinfra.plan.state.desired import NAME
from kamal_pyinfra.plan.state.observed import LockDetails, ObservedHost
from kamal_pyinfra.shell.snapshot import Ours, SnapshotQuery

if TYPE_CHECKING:
    from kamal_pyinfra.plan.plan import Decide, TaskDecision


def current_host() -> Host:
    """pyinfra's host of this greenlet."""
    host: Host = ctx_host.get()
    return host


def current_state() -> State:
    """pyinfra's state of this process."""
    state: State = ctx_state.get()
    return state


def query_for(run: Run) -> SnapshotQuery:
    """What the snapshot has to show, the same on every host."""
    config = run.config
    secret = {name for env in config.effective_envs for name in env.secret}
    clear = {name for env in config.effective_envs for name in env.clear}
    accessories = every_accessory(run)
    # The names that the run's version would have, which other containers may have.
    apps = tuple(
        naming.replica_name(naming.container_name(config, role.name, run.version), number)
        for role in (config.roles if run.version != UNKNOWN else ())
        for number in range(1, role.replicas + 1)
    )
    return SnapshotQuery(
        ours=Ours(
            service=config.service,
            destination=config.destination or "",
            owner=naming.service_name(config),
            accessories=tuple(each.owner for each in accessories),
            names=(naming.PROXY_CONTAINER, *(each.name for each in accessories)),
        ),
        repository=config.repository,
        proxy_image=config.traefik.image,
        registry=config.registry.server or "",
        run_directory=config.run_directory,
        lock=naming.lock_directory(config),
        directories=(
            *directories(config, with_proxy=True),
            *((accessory_env_directory(config),) if accessories else ()),
            *(path for each in accessories for path in each.directories),
        ),
        env_files=(
            *(naming.role_env_file(config, role.name) for role in config.roles),
            naming.proxy_env_file(config),
            *(each.env_file for each in accessories),
        ),
        clear_names=tuple(sorted(filter(NAME.fullmatch, clear - secret))),
        watched_names=() if run.keeps_env else config.watched_names,
        record=naming.hosts_record(config),
        edits=naming.edits_directory(config),
        accessory_images=tuple(dict.fromkeys(each.image for each in accessories)),
        uploads=tuple(upload.path for each in accessories for upload in each.uploads),
        names=(*apps, *(each.name for each in accessories)),
        logs=(naming.audit_log(config),),
    )


def observe(run: Run) -> ObservedHost:
    """What the current host is; raises ``PyinfraError`` if it could not be observed."""
    host = current_host()
    known = run_state(current_state()).snapshots
    key = (host.name, current_state().is_executing)
    if key not in known:
        snapshot = host.get_fact(HostSnapshot, host_name=host.name, query=query_for(run))
        if snapshot is None:
            raise PyinfraError(f"{host.name} could not be observed")
        known[key] = snapshot
    return known[key]


def keep_snapshots(state: State, snapshots: Mapping[str, ObservedHost]) -> None:
    """Take snapshots that were just made for those of the next operations."""
    for stage in (False, True):
        run_state(state).snapshots.update({(host, stage): snapshot for host, snapshot in snapshots.items()})


def drop_snapshots(state: State, host: str | None = None) -> None:
    """Observe again before the next operation: all hosts, or one."""
    known = run_state(state).snapshots
    for key in [key for key in known if host in {None, key[0]}]:
        del known[key]


@dataclass(frozen=True, kw_only=True)
class LockAttempt:
    """What the host with the lock answered when this run asked for it."""

    is_taken: bool = False
    mark: str = ""  # changes whenever a lock is taken or given back; empty if the host cannot tell
    held_by: LockDetails | None = None  # who has it, if that is why it was not taken
    output: tuple[str, ...] = ()  # of the host if it was not


@dataclass
class RunState:
    """All that kp keeps while pyinfra executes one run."""

    began: float = field(default_factory=time.monotonic)
    # Where pyinfra's own command line executes it: its fixed values, and the configurations that the inventory loaded.
    run: Run | None = None
    configs: list[Config] = field(default_factory=list)
    running: Running = field(default_factory=set)  # programs on the deploying machine that have not ended
    # By host and stage: whether pyinfra executes already.
    snapshots: dict[tuple[str, bool], ObservedHost] = field(default_factory=dict)
    # What a task decided for a host, with the snapshot and the function that it was decided with.
    decided: dict[str, tuple[ObservedHost, Decide, TaskDecision]] = field(default_factory=dict)
    lock: LockAttempt = LockAttempt()
    lease: Lease = field(default_factory=Lease)
    is_registry_started: bool = False  # the built-in one
    is_locked: bool = False  # by this run
    has_changed: bool = False  # the run has held the lock: there was something to do
    booting_on: set[str] = field(default_factory=set)  # hosts on which new containers may have been started
    new_proxy_on: set[str] = field(default_factory=set)  # and an old proxy may stand aside until the gate is passed
    switched: set[str] = field(default_factory=set)  # hosts whose batch has passed the gate
    finished: set[str] = field(default_factory=set)  # hosts that were finished with the switch
    watching: frozenset[str] = frozenset()  # hosts whose new version is being watched after the switch, or was
    outcome: str = ""  # how it ended, for the audit log; empty if that is not known
    proofs: list[Proof] = field(default_factory=list)  # what the gates found out of the proxies
    # Makes that line of a result and, of a failure, of where it was; nothing until the plan is known.
    ends: Callable[..., str] = field(default=lambda **_: "")
    _starting: BoundedSemaphore = field(default_factory=BoundedSemaphore)
    _slots: BoundedSemaphore | None = None

    def started(self, make: Callable[[], Run]) -> Run:
        """The run's fixed values, made by the first host that asks for them; the others wait."""
        with self._starting:
            self.run = self.run or make()
            return self.run

    def pull_slots(self, run: Run) -> BoundedSemaphore:
        """As many as hosts may pull at once: ``sshkit.max_concurrent_starts``."""
        if self._slots is None:
            self._slots = BoundedSemaphore(run.config.sshkit.max_concurrent_starts)
        return self._slots


_STATES: WeakKeyDictionary[State, RunState] = WeakKeyDictionary()


def run_state(state: State) -> RunState:
    """What is kept for this state's run."""
    return _STATES.setdefault(state, RunState())
