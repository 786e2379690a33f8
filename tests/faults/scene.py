"""One fault at one phase, under load: what is done, what is seen, what is wrong with it."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.faults.stage import WEB, Stage
from tests.faults.table import Case
from tests.faults.underway import Ended, PhaseMissed, Underway
from tests.lab.lab import Lab
from tests.lab.load_report import LoadReport
from tests.lab.traffic import Load

STATES = re.compile(
    r"[Nn]othing was (changed|switched|touched)|run what they ran before|could not be brought back|serves"
    r"|was taken back|is not set|still run|nothing was begun"
)
NEXT = re.compile(r"[Rr]un the same command (again|with)|run it by hand|`kp [a-z]|add it to \.env|Next:|mend")


@dataclass
class Outcome:
    """What came of one cell; without problems it held."""

    fault: str
    phase: str
    problems: list[str] = field(default_factory=list)
    requests: int = 0
    failed: int = 0
    spared: int = 0
    code: int | None = None
    seconds: float = 0.0
    said: str = ""
    memory_kb: int = 0
    is_healed: bool = False
    took: dict[str, float] = field(default_factory=dict)


@dataclass
class Scene:
    """A command on its way into a fault.

    Args:
        stage: the fleet.
        case: what is done and expected.
        old: the version that serves.
        new: the version that is deployed.
        also_serves: other versions that may answer, by what the fault does.
    """

    stage: Stage
    case: Case
    old: str
    new: str
    run: Underway | None = None
    healing: ExitStack = field(default_factory=ExitStack)
    also_serves: set[str] = field(default_factory=set)

    @property
    def lab(self) -> Lab:
        return self.stage.lab

    @property
    def victim(self) -> str:
        return self.case.victim

    @property
    def address(self) -> str:
        return self.lab.hosts[self.victim]

    @property
    def command(self) -> list[str]:
        """The words after `kp`."""
        return [word.format(new=self.new, old=self.old) for word in self.case.command]

    def heals(self, heal: Callable[[], object]) -> None:
        """Have something done once the command has ended, before it is run again."""
        self.healing.callback(heal)

    def on_host(self, command: str, host: str = "", *, check: bool = True) -> str:
        """Run a shell line on the victim, past sshd."""
        return str(self.lab.exec(host or self.victim, f"cd /root; {command}", check=check).stdout)

    def start(self) -> Underway:
        self.run = Underway(self.stage.project.start("kp", *self.command, version=self.new))
        return self.run


def play(stage: Stage, fault: str, phase: str, case: Case) -> Outcome:
    """Deploy under load with the fault, heal, deploy again; report what did not hold."""
    began = time.monotonic()
    outcome = Outcome(fault, phase)
    scene = Scene(stage, case, stage.version, case.version or stage.new_version())
    if case.settles is not None:
        case.settles(scene)
    load = Load(tuple(stage.project.url(host) for host in WEB), rate=100, seconds=600)
    load.start()
    try:
        outcome.took["prepare"] = time.monotonic() - began
        outcome.problems += _act(scene, phase, outcome)
        outcome.took["act"] = time.monotonic() - began
        unhealed = list(_rerun(scene, outcome))
        outcome.is_healed = not unhealed
        outcome.problems += unhealed
        outcome.took["all"] = time.monotonic() - began
    except Exception as error:
        outcome.problems.append(f"{type(error).__name__}: {error}")
    finally:
        scene.healing.close()
        outcome.problems += _requests(scene, load.stop(), outcome)
    stage.project.write(stage.config())
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def _act(scene: Scene, phase: str, outcome: Outcome) -> Iterable[str]:
    case = scene.case
    if case.before:
        case.inject(scene)
    run = scene.start()
    try:
        if not case.before:
            run.await_phase(scene.lab, phase, case.watched, new=f"shop-web-{scene.new}", old=f"shop-web-{scene.old}")
            with _Frozen(run, case.freezes):
                case.inject(scene)
        ended = run.end(case.seconds)
    except PhaseMissed as error:
        run.end(5)
        return [f"the phase was missed: {error}"]
    except BaseException:
        run.end(0)
        raise
    outcome.code, outcome.said, outcome.memory_kb = ended.code, ended.said, ended.memory_kb
    outcome.took["fault"] = ended.seconds
    problems = list(_told(scene, ended))
    scene.healing.close()
    scene.stage.await_hosts(case.spares)
    return problems + list(_state(scene, ended))


class _Frozen:
    """The command stands still while a fault takes effect that would be slower than the phase."""

    def __init__(self, run: Underway, freezes: bool) -> None:
        self.run, self.freezes = run, freezes

    def __enter__(self) -> None:
        if self.freezes:
            self.run.send(signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        if self.freezes:
            self.run.send(signal.SIGCONT)


def _told(scene: Scene, ended: Ended) -> Iterable[str]:
    case = scene.case
    if ended.code == -1000:
        yield f"the command did not end within {case.seconds:.0f} s"
        return
    if ended.code not in case.codes:
        yield f"exit code {ended.code}, not {' or '.join(map(str, case.codes))}:\n{ended.said[-3000:]}"
    if re.search(r"^Traceback", ended.said, re.M):
        yield f"a traceback:\n{ended.said[-3000:]}"
    if ended.code in (0, -9):
        return
    wanted = [scene.address] if case.names_host and ended.code == 1 else []
    missing = [text for text in (*wanted, *case.says) if text not in ended.said]
    missing += [] if STATES.search(ended.said) or ended.code == 4 else ["the state of the fleet"]
    missing += [] if NEXT.search(ended.said) else ["the next command"]
    if missing:
        yield f"the message lacks {missing}:\n{ended.said[-3000:]}"


def _state(scene: Scene, ended: Ended) -> Iterable[str]:
    case, project = scene.case, scene.stage.project
    if ended.code != -9 and case.frees_lock and project.lock_exists():
        yield "the lock is held after the command ended"
    if case.after in ("old", "new"):
        wanted = scene.stage.wanted(scene.old if case.after == "old" else scene.new)
        running = scene.stage.running()
        if running != wanted:
            yield f"after the fault {running} runs, not {wanted}"


def _rerun(scene: Scene, outcome: Outcome) -> Iterable[str]:
    project = scene.stage.project
    began = time.monotonic()
    again = project.kp(*scene.command, version=scene.new, code=None)
    outcome.took["rerun"] = time.monotonic() - began
    scene.stage.version = scene.new
    if again.returncode != 0:
        yield f"the rerun exited {again.returncode}:\n{again.stdout[-1500:]}{again.stderr[-3000:]}"
        return
    with ThreadPoolExecutor() as pool:
        planned = pool.submit(project.kp, "plan", version=scene.new, code=None)
        running = pool.submit(scene.stage.running).result()
        plan, left = planned.result().stdout, scene.stage.left_over()
    if plan != f"shop {scene.new}: nothing to change.\n":
        yield f"after the rerun there is still a plan:\n{plan}"
    if running != scene.stage.wanted(scene.new):
        yield f"after the rerun {running} runs"
    if (served := {host: scene.stage.serves(host) for host in WEB}) != dict.fromkeys(WEB, scene.new):
        yield f"after the rerun {served} answer"
    if left:
        yield "left over: " + "; ".join(left)


def _requests(scene: Scene, report: LoadReport, outcome: Outcome) -> Iterable[str]:
    spared = {scene.stage.project.url(host) for host in scene.case.spares}
    outcome.requests = report.total
    outcome.spared = sum(count for url, count in report.failed_at.items() if url in spared)
    outcome.failed = report.failed - outcome.spared
    if outcome.failed:
        told = [str(failure) for failure in report.failures if failure.url not in spared]
        yield f"{outcome.failed} of {report.total} requests failed: {told[:4]}"
    if scene.case.most_spared is not None and outcome.spared > scene.case.most_spared:
        yield f"{outcome.spared} requests failed by the fault itself, more than {scene.case.most_spared}"
    if foreign := set(report.versions) - {scene.old, scene.new, *scene.also_serves}:
        yield f"somebody answered {foreign}"
