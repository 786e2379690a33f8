"""No more hosts at a time than allowed, none left out, and none that fails keeps its turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace

import gevent
import pytest

from kamal_pyinfra.operations.run_state import RunState
from kamal_pyinfra.ssh.commands import LimitedPull
from tests.conftest import MakeConfig, a_run


@dataclass(eq=False)
class Host:
    """Counts who is at it with it."""

    at_it: list[object]
    is_failing: bool
    most: list[int] = field(default_factory=list)

    def run_shell_command(self, command: object, **_: object) -> tuple[bool, str]:
        self.at_it.append(self)
        self.most.append(len(self.at_it))
        gevent.sleep(0)
        self.at_it.remove(self)
        if self.is_failing:
            raise OSError("cut")
        return True, str(command)


class State(SimpleNamespace):
    """A place of its own in a dictionary, as pyinfra's has."""

    __hash__ = object.__hash__


@pytest.mark.parametrize("limit", [1, 3, 30])
@pytest.mark.parametrize("failing", [[False], [False] * 10, [True] * 10, [True, False] * 10])
def test_so_many_are_at_it_and_no_more(config: MakeConfig, limit: int, failing: list[bool]) -> None:
    run = a_run(config(sshkit={"max_concurrent_starts": limit}))
    state, at_it = State(print_output=False, print_input=False), []
    hosts = [Host(at_it, is_failing) for is_failing in failing]
    slots = RunState().pull_slots(run)
    pulls = [gevent.spawn(LimitedPull("docker pull shop", slots).execute, state, host, {}) for host in hosts]
    gevent.joinall(pulls, timeout=10)
    assert [pull.value and pull.value[0] for pull in pulls] == [None if fails else True for fails in failing]
    assert max(each for host in hosts for each in host.most) == min(limit, len(hosts))
    assert at_it == []
