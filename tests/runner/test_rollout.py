"""What a deploy says when a signal stops it: the truth about each phase."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from kamal_pyinfra.errors import HostFailed, Interrupted, LockLost
from kamal_pyinfra.operations.run_state import run_state
from kamal_pyinfra.plan.fleet_state import ENDED, SWITCHED, UNREACHABLE
from kamal_pyinfra.plan.plan import Plan
from kamal_pyinfra.runner import session
from kamal_pyinfra.runner.failures import HostFailure
from kamal_pyinfra.runner.progress.report import Report
from kamal_pyinfra.runner.rollout import Rollout
from kamal_pyinfra.shell.rollout import TURNED_BAD
from tests.conftest import MakeConfig, a_run

WEB = ["192.0.2.1", "192.0.2.2"]
NEXT = "\nRun the same command again to go on."


class Anything:
    """pyinfra's state: whatever is called is answered with nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@pytest.fixture(autouse=True)
def _sessions_bring_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hosts answer when the old version is brought back there, the session of the test says."""

    def bring_back(state: Any, _: object, hosts: Any, *, booted: Any, on_end: Any) -> dict[str, tuple[str, ...]]:
        return state.session.brings_back(tuple(hosts), tuple(booted))  # type: ignore[no-any-return]

    monkeypatch.setattr("kamal_pyinfra.runner.rollout.bring_back", bring_back)


class Session(session.Session):
    """Rounds that succeed until the phase that the signal comes in; some cannot be taken back."""

    hosts: Any = WEB

    def __init__(self, run: Any, signal_in: str, lost: str = "") -> None:
        self.run, self.signal_in, self.lost = run, signal_in, lost
        self.state: Any = Anything()
        self.state.session = self
        self.state.failed_hosts, self.state.active_hosts = set(), set()
        self.report = Report([])
        self.snapshots: dict[str, Any] = {}
        self.snapshots_at = 0.0
        self.failures: dict[str, Any] = {}

    def is_active(self, name: str) -> bool:
        return True

    def leave_out_unreachable(self) -> bool:
        return False

    def round(self, deploy: Callable[..., Any], *, hosts: Any = WEB, **_: Any) -> bool:
        name = deploy._inner.__name__
        phase, _, host = self.signal_in.partition(" ")
        if name == phase and host in ("", hosts[0]):
            self.signal_in = ""
            raise Interrupted(signal.SIGINT)
        return True

    def brings_back(self, hosts: tuple[str, ...], booted: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        return {self.lost: ("no",)} if self.lost else {}


def rolling_out(session: Any) -> Rollout:
    plan = Plan(service="shop", version="v2", command="deploy", build=None, hosts=())
    return Rollout(session=session, plan=plan, began=0.0)


def said(config: MakeConfig, signal_in: str, lost: str = "", **sections: Any) -> str:
    session = Session(a_run(config(servers=WEB, **sections)), signal_in, lost)
    with pytest.raises(Interrupted) as interrupted:
        rolling_out(session).roll_out()
    assert interrupted.value.code == 130
    return str(interrupted.value).removesuffix(NEXT)


@pytest.mark.parametrize("phase", ["lock", "prepare"])
def test_before_anything_boots_there_is_nothing_to_take_back(config: MakeConfig, phase: str) -> None:
    untouched = "Interrupted. Nothing was booted or switched: what served before serves now."
    assert said(config, phase) == untouched


def test_before_the_gate_all_is_taken_back(config: MakeConfig) -> None:
    assert said(config, "boot") == "Interrupted. What this run had begun was taken back."


@pytest.mark.parametrize(("phase", "boot"), [("switch", {}), ("watch", {"watch": 5}), ("finish", {})])
def test_past_the_gate_the_new_version_serves(config: MakeConfig, phase: str, boot: dict[str, int]) -> None:
    serving = "v2 serves on 192.0.2.1, 192.0.2.2, where the old version may still run too."
    assert said(config, phase, boot=boot) == f"Interrupted. {serving}"


def test_a_host_that_could_not_be_brought_back_is_named(config: MakeConfig) -> None:
    stuck = "192.0.2.2 could not be brought back wholly; `kp details` shows what serves."
    assert said(config, "boot", lost="192.0.2.2") == f"Interrupted. {stuck}\n192.0.2.1 runs what it ran before."


@pytest.mark.parametrize("method", ["__enter__", "observe"])
def test_a_signal_while_hosts_are_connected_to_or_observed_has_changed_nothing(
    method: str, monkeypatch: pytest.MonkeyPatch, config: MakeConfig
) -> None:
    """This holds for every command; on this machine an image may have been pushed or a login made by then."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr(session, "call_pre_connect", interrupted)
    monkeypatch.setattr(session.Session, "require_hosts", interrupted)
    connected = Session(a_run(config()), "")
    with pytest.raises(Interrupted, match=r"Interrupted\. Nothing was changed on the hosts\.\n") as error:
        getattr(connected, method)()
    assert error.value.code == 143


def test_an_earlier_batch_comes_back_with_the_one_that_is_interrupted(config: MakeConfig) -> None:
    taken_back = "Interrupted. What this run had begun was taken back."
    assert said(config, "boot 192.0.2.2", boot={"limit": 1, "wait": 0}) == taken_back


def test_an_earlier_batch_that_stays_is_named(config: MakeConfig) -> None:
    serving = "v2 serves on 192.0.2.1, where the old version may still run too."
    halting = {"limit": 1, "wait": 0, "failure": "halt"}
    assert said(config, "boot 192.0.2.2", boot=halting) == f"Interrupted. {serving}"


def test_a_lock_that_is_lost_after_a_failure_does_not_hide_it(config: MakeConfig) -> None:
    """What failed is named with its output, and the lock's loss is said as the state that things are in."""

    class Losing(Session):
        def round(self, deploy: Callable[..., Any], *, hosts: Any = WEB, **arguments: Any) -> bool:
            name = deploy._inner.__name__
            if name == "boot":
                self.failures["192.0.2.1"] = HostFailure(
                    host="192.0.2.1", phase="boot", operation="Boot", output=("The SSH connection ended.",)
                )
                return False
            return True

        def brings_back(self, *_: object) -> dict[str, tuple[str, ...]]:
            raise LockLost

    session = Losing(a_run(config(servers=WEB)), "")
    with pytest.raises(HostFailed) as failed:
        rolling_out(session).roll_out()
    assert str(failed.value) == (
        f"192.0.2.1 failed (boot: Boot)\n  The SSH connection ended.\n{LockLost()}\n"
        "Run the same command again once the cause is mended."
    )


class Watching(Session):
    """Rounds that succeed until a host says that the new version went bad, or is lost."""

    def __init__(self, run: Any, said: str, host: str) -> None:
        super().__init__(run, "")
        self.said, self.host = said, host
        self.rounds: list[str] = []
        meta = SimpleNamespace(is_complete=lambda: True, did_succeed=lambda: False, stderr_lines=[said])
        self.state.failed_hosts, self.state.ops = [], {host: {"it": SimpleNamespace(operation_meta=meta)}}

    def round(self, deploy: Callable[..., Any], *, hosts: Any = WEB, **arguments: Any) -> bool:
        name = deploy._inner.__name__
        self.rounds.append(f"{name} {len(hosts)}" + (f" {arguments['seconds']} s" if name == "watch" else ""))
        if name == "watch" and self.host not in self.failures and self.rounds.count("watch 2 5 s") == 2:
            self.state.failed_hosts = [self.host]
            self.failures[self.host] = HostFailure(host=self.host, phase="watch", operation="W", output=(self.said,))
            return False
        return True

    def is_active(self, name: str) -> bool:
        return True

    def brings_back(self, hosts: tuple[str, ...], booted: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        self.rounds.append(f"revert {len(hosts)}")
        return {}


def rolled_out(config: MakeConfig, monkeypatch: pytest.MonkeyPatch, said: str, **boot: Any) -> tuple[str, list[str]]:
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.locked", lambda session: nullcontext(True))
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.reuse_snapshots_if_fresh", lambda *_, **__: None)
    session = Watching(a_run(config(servers=WEB, boot={"watch": 12, **boot})), said, WEB[1])
    with pytest.raises(HostFailed) as failed:
        rolling_out(session).roll_out()
    return str(failed.value).splitlines()[-2], session.rounds


BEFORE = ["prepare 2", "boot 2", "switch 2", "watch 2 5 s", "watch 2 5 s"]


def test_a_version_that_goes_bad_while_it_is_watched_is_taken_back(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, rounds = rolled_out(config, monkeypatch, f"shop-web-v2: {TURNED_BAD} (running unhealthy)")
    assert state == "All hosts run what they ran before; the new containers are gone."
    assert rounds == [*BEFORE, "revert 2"]


def test_a_host_that_is_lost_while_it_watches_says_nothing_against_the_version(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, rounds = rolled_out(config, monkeypatch, "The SSH connection ended.")
    assert state == "v2 serves on 192.0.2.1. What runs on 192.0.2.2 is not known: its connection ended; {}".format(
        "`kp status` shows it once it answers."
    )
    assert rounds == [*BEFORE, "watch 1 2 s", "retire 2", "finish 2"]


@pytest.mark.parametrize(
    ("boot", "finishes"),
    [({}, [True]), ({"limit": 1, "wait": 0}, [False, False]), ({"watch": 5}, [False])],
    ids=["one batch", "a batch that may be taken back", "watched first"],
)
def test_hosts_are_finished_with_the_switch_only_where_nothing_can_take_it_back(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch, boot: dict[str, Any], finishes: list[bool]
) -> None:
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.locked", lambda session: nullcontext(True))
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.reuse_snapshots_if_fresh", lambda *_, **__: None)
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.turned_bad", lambda state: False)
    told: list[bool] = []

    class Telling(Session):
        def round(self, deploy: Callable[..., Any], *, hosts: Any = WEB, **arguments: Any) -> bool:
            told.extend(arguments[name] for name in ("finishes",) if name in arguments)
            return True

    rolling_out(Telling(a_run(config(servers=WEB, boot=boot)), "")).roll_out()
    assert told == finishes


NO_DOCKER = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


class Failing(Session):
    """Rounds of which some fail on some hosts, with what these say."""

    def __init__(self, run: Any, failing: dict[str, dict[str, str]], unreachable: str = "") -> None:
        super().__init__(run, "")
        self.failing = failing
        self.unreachable = unreachable

    def brings_back(self, hosts: tuple[str, ...], booted: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        failed = {host: (text,) for host, text in self.failing.get("revert", {}).items() if host in hosts}
        return failed | ({self.unreachable: (UNREACHABLE,)} if self.unreachable in hosts else {})

    def leave_out_unreachable(self) -> bool:
        return False

    def round(self, deploy: Callable[..., Any], *, hosts: Any = WEB, **_: Any) -> bool:
        name = deploy._inner.__name__
        found = {host: text for host, text in self.failing.get(name, {}).items() if host in hosts}
        for host, text in found.items():
            self.failures[host] = HostFailure(host=host, phase=name, operation="It", output=(text,))
        return not found


def ended(
    config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    failing: dict[str, dict[str, str]],
    unreachable: str = "",
    **sections: Any,
) -> str:
    """The state that the message names, without what failed and without the way on."""
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.locked", lambda session: nullcontext(True))
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.reuse_snapshots_if_fresh", lambda *_, **__: None)
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.turned_bad", lambda state: "watch" in failing)
    session = Failing(a_run(config(servers=WEB, **sections)), failing, unreachable)
    with pytest.raises(HostFailed) as failed:
        rolling_out(session).roll_out()
    lines = str(failed.value).splitlines()
    last = max(number for number, line in enumerate(lines) if line.startswith("  "))
    return "\n".join(lines[last + 1 : -1])


SICK = "shop-web-v2: not healthy after 30 s (running unhealthy)"
SHOWS = "`kp status` shows what runs there once it answers."
STUCK = f"192.0.2.2 could not be brought back: Docker does not answer there. What runs there is not known.\n{{}}{SHOWS}"
ONE_BACK = "192.0.2.1 runs what it ran before.\n"


@pytest.mark.parametrize(
    "said", [NO_DOCKER, "Docker does not answer", "error during connect: Get http://%2Fvar%2Frun%2Fdocker.sock: EOF"]
)
@pytest.mark.parametrize("phase", ["boot", "watch"])
def test_a_host_whose_docker_is_gone_is_not_said_to_run_what_it_ran(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch, phase: str, said: str
) -> None:
    failing = {phase: {WEB[1]: SICK}, "revert": {WEB[1]: said}}
    assert ended(config, monkeypatch, failing, boot={"watch": 5}) == STUCK.format(ONE_BACK)


def test_a_host_that_cannot_be_reached_is_not_said_to_run_what_it_ran(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = ended(config, monkeypatch, {"boot": {WEB[1]: "The SSH connection ended."}}, unreachable=WEB[1])
    assert state == STUCK.format(ONE_BACK).replace("Docker does not answer there", "it cannot be reached")


def test_a_host_that_hangs_while_it_is_brought_back_is_named(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {"boot": {WEB[0]: SICK}, "revert": {WEB[1]: "It did not end within 120 s and was stopped."}}
    state = ended(config, monkeypatch, failing)
    assert state == STUCK.format(ONE_BACK).replace("Docker does not answer there", "it did not answer in time")


def test_hosts_of_an_earlier_batch_are_named_by_what_they_run(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {"boot": {WEB[1]: SICK}, "revert": {WEB[0]: NO_DOCKER}}
    one_by_one = {"limit": 1, "wait": 0}
    state = ended(config, monkeypatch, failing, boot=one_by_one)
    assert state == (
        "192.0.2.1 could not be brought back: Docker does not answer there. What runs there is not known.\n"
        f"192.0.2.2 runs what it ran before.\n{SHOWS}"
    )
    failing = {"boot": {WEB[1]: SICK}, "revert": {WEB[1]: NO_DOCKER}}
    state = ended(config, monkeypatch, failing, boot={**one_by_one, "failure": "halt"})
    assert state == STUCK.format("") + "\n192.0.2.1 run v2."


@pytest.mark.parametrize(
    ("failing", "state"),
    [
        ({"prepare": {WEB[1]: "disk full"}}, "Nothing was switched: what served before serves now."),
        (
            {"prepare": {WEB[1]: NO_DOCKER}},
            "Nothing was switched. What runs on 192.0.2.2 is not known: Docker does not answer there;"
            " `kp status` shows it once it answers.",
        ),
        ({"boot": {WEB[1]: SICK}}, "All hosts run what they ran before; the new containers are gone."),
        (
            {"switch": {WEB[1]: NO_DOCKER}},
            "v2 serves on 192.0.2.1. What runs on 192.0.2.2 is not known: Docker does not answer there;"
            " `kp status` shows it once it answers.",
        ),
        (
            {"switch": {WEB[1]: "still healthy"}},
            "v2 serves on 192.0.2.1. The old version may still run beside it on 192.0.2.2.",
        ),
        ({"finish": {WEB[1]: "no room"}}, "v2 serves, but not every host was cleaned up."),
        (
            {"switch": {WEB[1]: ENDED}},
            "v2 serves, and every host was cleaned up."
            " On 192.0.2.2 the old version was stopped while it was in traffic.",
        ),
        (
            {"switch": {WEB[1]: SWITCHED}},
            "v2 serves, but not every host was cleaned up."
            " On 192.0.2.2 the old version was stopped while it was in traffic.",
        ),
        (
            {"switch": {WEB[0]: ENDED, WEB[1]: "still healthy"}},
            "v2 serves on 192.0.2.1. On 192.0.2.1 the old version was stopped while it was in traffic."
            " The old version may still run beside it on 192.0.2.2.",
        ),
        (
            {"finish": dict.fromkeys(WEB, NO_DOCKER)},
            "What runs on 192.0.2.1, 192.0.2.2 is not known: Docker does not answer there;"
            " `kp status` shows it once it answers.",
        ),
    ],
)
def test_only_what_hosts_confirmed_is_said_of_the_fleet(
    config: MakeConfig, monkeypatch: pytest.MonkeyPatch, failing: dict[str, dict[str, str]], state: str
) -> None:
    assert ended(config, monkeypatch, failing) == state


def test_a_host_that_was_left_out_is_not_said_to_serve(config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--skip-unreachable` it may have begun to boot; nothing is known of it then."""

    class LeavingOut(Failing):
        def leave_out_unreachable(self) -> bool:
            self.hosts = [WEB[0]]
            del self.failures[WEB[1]]
            return True

    monkeypatch.setattr("kamal_pyinfra.runner.rollout.locked", lambda session: nullcontext(True))
    monkeypatch.setattr("kamal_pyinfra.runner.rollout.reuse_snapshots_if_fresh", lambda *_, **__: None)
    failing = {"boot": {WEB[1]: "The SSH connection ended."}, "switch": {WEB[0]: "still healthy"}}
    session = LeavingOut(a_run(config(servers=WEB), skips_unreachable=True), failing)
    with pytest.raises(HostFailed) as failed:
        rolling_out(session).roll_out()
    state = str(failed.value).splitlines()[-2]
    assert state == "The old version may still run beside it on 192.0.2.1."


class Proxied(Session):
    """Rounds behind proxies that prepare has replaced on every host; one phase fails on a host, or is interrupted."""

    def __init__(self, run: Any, fails_in: str, signal_in: str = "", lost: str = "") -> None:
        super().__init__(run, signal_in, lost)
        self.fails_in = fails_in
        self.reverted: list[tuple[Any, ...]] = []

    def round(self, deploy: Callable[..., Any], *, hosts: Any = WEB, **arguments: Any) -> bool:
        name = deploy._inner.__name__
        if name == "prepare":
            run_state(self.state).new_proxy_on.update(WEB)
        super().round(deploy, hosts=hosts, **arguments)
        phase, _, host = self.fails_in.partition(" ")
        if name == phase and host in ("", hosts[0]):
            self.failures[hosts[0]] = HostFailure(host=hosts[0], phase=name, operation="It", output=("no",))
            return False
        return True

    def brings_back(self, hosts: tuple[str, ...], booted: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        self.reverted.append((hosts, booted, tuple(host for host in hosts if host not in booted)))
        return super().brings_back(hosts, booted)


ONE_BY_ONE = {"limit": 1, "wait": 0}
FIRST, SECOND = WEB


@pytest.mark.parametrize(
    ("fails_in", "signal_in", "boot", "reverted"),
    [
        ("prepare", "", {}, [((FIRST, SECOND), (), (FIRST, SECOND))]),
        ("", "prepare", {}, [((FIRST, SECOND), (), (FIRST, SECOND))]),
        (f"boot {FIRST}", "", ONE_BY_ONE, [((FIRST, SECOND), (FIRST,), (SECOND,))]),
        (f"boot {SECOND}", "", ONE_BY_ONE, [((FIRST, SECOND), (FIRST, SECOND), ())]),
        (f"boot {SECOND}", "", {**ONE_BY_ONE, "failure": "halt"}, [((SECOND,), (SECOND,), ())]),
        ("", f"boot {FIRST}", ONE_BY_ONE, [((FIRST, SECOND), (FIRST,), (SECOND,))]),
        ("", f"switch {FIRST}", ONE_BY_ONE, [((SECOND,), (), (SECOND,))]),
        ("", "finish", ONE_BY_ONE, []),
    ],
)
def test_an_old_proxy_comes_back_on_every_host_that_has_not_passed_the_gate(
    config: MakeConfig, fails_in: str, signal_in: str, boot: dict[str, Any], reverted: list[tuple[Any, ...]]
) -> None:
    """Also on those whose turn has not come: a new proxy may not route to what serves there."""
    session = Proxied(a_run(config(servers=WEB, boot=boot)), fails_in, signal_in)
    with pytest.raises((HostFailed, Interrupted)):
        rolling_out(session).roll_out()
    assert session.reverted == reverted


def test_a_proxy_that_did_not_come_back_is_named(config: MakeConfig) -> None:
    session = Proxied(a_run(config(servers=WEB)), "prepare", lost=SECOND)
    with pytest.raises(HostFailed) as failed:
        rolling_out(session).roll_out()
    assert (
        "\nNothing was switched. 192.0.2.2 could not be brought back wholly; `kp details` shows what serves.\n"
        "192.0.2.1 runs what it ran before.\n"
    ) in str(failed.value)
