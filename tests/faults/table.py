"""Faults × phases: every cell is a case, or says why there is none."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tests.faults import injections as do
from tests.faults.injections import Injection

PHASES = ("observe", "lock", "prepare", "boot", "gate", "switch", "retire", "finish")
UNTIL_GATE = ("observe", "lock", "prepare", "boot", "gate")
AFTER_GATE = ("switch", "retire", "finish")
DEPLOY = ("deploy", "-P")
UNDONE = "All hosts run what they ran before; the new containers are gone."


@dataclass(frozen=True, kw_only=True)
class Case:
    """What one cell does and expects.

    Args:
        inject: does the fault.
        before: it is there before the command starts; else it comes when the phase is seen.
        codes: exit codes that are right.
        after: what runs after the fault: `old` or `new` everywhere, or either.
        says: texts of the message, besides host, state and next command.
        victim: the host that the fault is done to.
        watched: the host on which the phase is seen.
        names_host: the message must name the victim.
        freezes: the command stands still until the fault has taken effect.
        frees_lock: the lock is free when the command has ended; else only after the rerun.
        spares: hosts whose requests the fault itself makes fail.
        command: words after `kp`.
        version: what is deployed; else a new one.
        seconds: within which the command must end.
        most_spared: how many of their requests may fail; any number without it.
        settles: prepares the fleet before the load starts.
    """

    inject: Injection
    before: bool = False
    codes: tuple[int, ...] = (1,)
    after: str = "either"
    says: tuple[str, ...] = ()
    victim: str = "web2"
    watched: str = "web1"
    names_host: bool = True
    freezes: bool = True
    frees_lock: bool = True
    spares: tuple[str, ...] = ()
    command: tuple[str, ...] = DEPLOY
    version: str = ""
    seconds: float = 120.0
    most_spared: int | None = None
    settles: Injection | None = None


@dataclass(frozen=True)
class Fault:
    """A row: its sentence, its cases by phase, and why the other phases have none."""

    name: str
    sentence: str
    cases: Mapping[str, Case]
    elsewhere: str = ""
    reasons: Mapping[str, str] = None  # type: ignore[assignment]

    def reason(self, phase: str) -> str:
        """Why a phase has no case."""
        return (self.reasons or {}).get(phase, self.elsewhere)


def each(phases: Sequence[str], case: Case, **changed: Case) -> dict[str, Case]:
    """The same case at several phases."""
    return {phase: changed.get(phase, case) for phase in phases}


def interrupted(number: signal.Signals) -> dict[str, Case]:
    """A signal that kp can catch: it cleans up, gives the lock back and exits 128 + n."""
    case = Case(inject=do.sends(number), codes=(128 + number,), freezes=False, names_host=False)
    # A phase that is almost over may be over before the signal comes.
    return each(UNTIL_GATE, replace(case, after="old")) | each(AFTER_GATE, replace(case, codes=(128 + number, 0)))


KILLED = Case(inject=do.sends(signal.SIGKILL), codes=(-9,), frees_lock=False, freezes=False)
CUT = Case(inject=do.cuts_connections, watched="web2")
DROPPED = Case(inject=do.drops_packets, watched="web2")
REBOOTED = Case(inject=do.reboots, watched="web2", spares=("web2",), codes=(1, 0))
DOCKER_KILLED = Case(inject=do.kills_docker, watched="web2", spares=("web2",), codes=(1, 0))
# A hung engine reads no logs: the app stops at its next line once the pipe is full.
DOCKER_HUNG = Case(inject=do.hangs_docker, watched="web2", spares=("web2",), seconds=300.0)
SICK = Case(inject=do.app_env(APP_NEVER_HEALTHY="1"), before=True, after="old", says=(UNDONE, "not healthy after"))
CONFIGURED = "comes with the image or the configuration, and shows at one phase alone"
WHOLE = "lasts from the first snapshot to the end: one case covers every phase"

FAULTS = (
    Fault("SIGKILL", "the deploying process is killed", each(PHASES, KILLED)),
    Fault("SIGINT", "Ctrl-C", interrupted(signal.SIGINT)),
    Fault("SIGTERM", "the deploying process gets SIGTERM", interrupted(signal.SIGTERM)),
    Fault(
        "connection cut",
        "the SSH connections of one host end; it lets new ones in",
        each(UNTIL_GATE, replace(CUT, after="old"), observe=replace(CUT, codes=(1, 0)))
        | each(AFTER_GATE, replace(CUT, codes=(1, 0)))
        | {"lock": replace(CUT, victim="web1", watched="web1", codes=(1, 0))},
    ),
    Fault(
        "host unreachable",
        "packets of SSH to one host are dropped; the app's traffic goes on",
        {"observe": replace(DROPPED, before=True, after="old", says=("Nothing was changed",))}
        | each(("lock", "prepare", "boot", "gate"), replace(DROPPED, after="either"))
        # The last command for a host may have been answered before its packets are dropped.
        | each(AFTER_GATE, replace(DROPPED, codes=(0, 1))),
    ),
    Fault("host reboot", "one host is turned off and on", each(PHASES, REBOOTED)),
    Fault(
        "dockerd killed", "SIGKILL for one host's Docker engine, which is started again", each(PHASES, DOCKER_KILLED)
    ),
    Fault(
        "dockerd hung",
        "one host's Docker engine accepts connections and answers nothing (SIGSTOP), and goes on later",
        # The last phase may be over before the engine stands still.
        {"observe": replace(DOCKER_HUNG, before=True, after="old")}
        | each(PHASES[1:], DOCKER_HUNG, finish=replace(DOCKER_HUNG, codes=(0, 1))),
    ),
    Fault(
        "registry down",
        "the registry does not answer",
        {
            "prepare": Case(inject=do.stops_registry, before=True, after="old", names_host=True),
            "boot": Case(inject=do.stops_registry, codes=(0,), after="new"),
        },
        "the registry is asked in prepare alone; `boot` shows that nothing asks it later",
    ),
    Fault(
        "image missing",
        "the version was never pushed",
        {"prepare": Case(inject=do.forgets_image, before=True, after="old")},
        "the image is pulled in prepare alone",
    ),
    Fault(
        "wrong architecture",
        "the image's programs are for another processor",
        {"boot": Case(inject=do.pushes_foreign_architecture, before=True, after="old", says=(UNDONE,))},
        CONFIGURED,
    ),
    Fault(
        "disk full",
        "the file system of `.kamal` (lock) or of Docker's downloads (prepare) has no room",
        {
            "lock": Case(inject=do.fills_home, before=True, after="old", victim="web1", frees_lock=False),
            "prepare": Case(inject=do.fills_docker, before=True, after="old"),
        },
        "nothing is written but a line of the audit log, and what is removed needs no room",
        {
            "boot": "the lab fills a file system that it mounts over `.kamal`, and would hide the cords of what runs:"
            " not written yet"
        },
    ),
    Fault(
        "out of memory",
        "the new container gets less memory than it needs",
        {"boot": Case(inject=do.options("web", memory="6m"), before=True, after="old", says=(UNDONE,))},
        CONFIGURED,
    ),
    Fault(
        "port taken",
        "the port that the new container publishes is another program's",
        {"boot": Case(inject=do.takes_port, before=True, after="old", victim="job1", says=(UNDONE,))},
        "ports are taken when a container starts; the proxy's own is covered by `proxy down`",
    ),
    Fault("never healthy", "the new version never gets healthy", {"boot": SICK}, CONFIGURED),
    Fault(
        "healthy, then crashes",
        "the new version of one host ends while the others still boot",
        {
            # It was in traffic: what it had in hand fails with it, until the proxy hears of its end.
            "gate": Case(
                inject=do.crashes_at_the_gate,
                before=True,
                after="old",
                says=(UNDONE,),
                spares=("web2",),
                most_spared=10,
            )
        },
        CONFIGURED,
    ),
    Fault(
        "flapping",
        "the new version is healthy for a moment and sick for a moment, in turn, on one host",
        {
            "gate": Case(
                inject=do.app_env("web2", APP_FLAP="4"), before=True, codes=(0, 1), names_host=False, spares=("web2",)
            )
        },
        CONFIGURED,
    ),
    Fault(
        "slow start",
        "the new version needs longer than its health check's first attempts",
        {"boot": Case(inject=do.app_env(APP_START_DELAY="6"), before=True, codes=(0,), after="new")},
        CONFIGURED,
    ),
    Fault(
        "old ignores TERM",
        "the old version does not end when it is asked to",
        {"retire": Case(inject=lambda scene: None, before=True, settles=do.serves_stubborn, codes=(0,), after="new")},
        "old containers are asked to end once they are drained, and at no other time",
    ),
    Fault(
        "old is wedged",
        "questions to Docker about the processes of the old container of one host never return",
        {
            # Nobody reads its log any more: it stops answering at its next line once the pipe is full. It does not end
            # at once when it is asked to, so that the fault comes while there is something to wedge.
            "switch": Case(inject=do.wedges_old, watched="web2", spares=("web2",), settles=do.serves_stubborn),
            "retire": Case(inject=do.wedges_old, watched="web2", codes=(0, 1), settles=do.serves_stubborn),
        },
        "the old container is left alone until switch, and after retire",
    ),
    Fault(
        "proxy down",
        "the proxy of one host does not run",
        {
            "observe": Case(inject=do.stops_proxy, before=True, codes=(0,), after="new", spares=("web2",)),
            "boot": Case(inject=do.stops_proxy, codes=(0, 1), spares=("web2",), watched="web2"),
            "switch": Case(inject=do.stops_proxy, codes=(0, 1), spares=("web2",), watched="web2"),
        },
        "the proxy is asked in prepare (as at observe), boot and switch alone",
    ),
    Fault(
        "proxy killed",
        "the proxy of one host is killed and started again by Docker",
        each(("boot", "switch"), Case(inject=do.kills_proxy, codes=(0, 1), spares=("web2",), watched="web2")),
        "nothing asks the proxy in these phases",
    ),
    Fault(
        "clock skew",
        "the clock of the first host, which holds the lock, is ten minutes ahead",
        {"observe": Case(inject=do.skews_clock, before=True, victim="web1", codes=(0,), after="new")},
        WHOLE,
    ),
    Fault(
        "two deploys",
        "another version is deployed while a deploy is under way",
        each(("prepare", "boot", "retire"), Case(inject=do.deploys_another, codes=(0,), after="new")),
        "the second one meets the lock whatever the phase: before, in and after the gate are shown",
    ),
    Fault(
        "deploy during rollback",
        "the deploy starts while a rollback is under way",
        {"lock": Case(inject=do.rolls_back_meanwhile, before=True, codes=(4,), frees_lock=False)},
        "the deploy never comes further than the lock",
    ),
    Fault(
        "lock of Kamal",
        "Kamal 1.9 holds the lock",
        {
            "lock": Case(
                inject=do.locks_as_kamal, before=True, codes=(4,), after="old", says=("Ann", "fixing"), frees_lock=False
            )
        },
        "the deploy never comes further than the lock",
    ),
    Fault(
        "hook fails",
        "a hook ends with an error: pre-connect (observe), pre-deploy (prepare), post-deploy (finish)",
        {
            "observe": Case(inject=do.fails_hook("pre-connect"), before=True, after="old", names_host=False),
            "prepare": Case(inject=do.fails_hook("pre-deploy"), before=True, after="old", names_host=False),
            "finish": Case(inject=do.fails_hook("post-deploy"), before=True, after="new", names_host=False),
        },
        "no hook is called in this phase",
    ),
    Fault(
        "secret missing",
        "a secret that deploy.yml names is not set",
        {"observe": Case(inject=do.unsets_secret, before=True, codes=(3,), after="old", says=("TOP_SECRET",))},
        "secrets are read before the first snapshot",
    ),
    Fault(
        "docker run refused",
        "Docker does not take an option of the new container",
        {"boot": Case(inject=do.options("web", memory="1k"), before=True, after="old", says=(UNDONE,))},
        "containers are started in boot alone",
    ),
)
CASES = {(fault.name, phase): case for fault in FAULTS for phase, case in fault.cases.items()}
COVERING = {
    "SIGKILL": "switch",
    "SIGINT": "boot",
    "SIGTERM": "gate",
    "connection cut": "lock",
    "host unreachable": "observe",
    "host reboot": "boot",
    "dockerd killed": "prepare",
    "dockerd hung": "finish",
    "registry down": "prepare",
    "image missing": "prepare",
    "wrong architecture": "boot",
    "disk full": "lock",
    "out of memory": "boot",
    "port taken": "boot",
    "never healthy": "boot",
    "healthy, then crashes": "gate",
    "flapping": "gate",
    "slow start": "boot",
    "old ignores TERM": "retire",
    "old is wedged": "retire",
    "proxy down": "observe",
    "proxy killed": "switch",
    "clock skew": "observe",
    "two deploys": "boot",
    "deploy during rollback": "lock",
    "lock of Kamal": "lock",
    "hook fails": "finish",
    "secret missing": "observe",
    "docker run refused": "boot",
}
"""The phase at which `make test` does each fault; together they are at every phase. `make faults` does all of them."""
