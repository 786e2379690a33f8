"""Users of a host's engine change its proxy one at a time, and no other user of that host can stop them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kamal_pyinfra.shell.proxy.container import with_proxy_lock
from kamal_pyinfra.shell.script import with_functions
from tests.lab.lab import Lab

SQUATTED = "for n in 0 1; do : > /run/lock/kp-proxy.$n; chmod 666 /run/lock/kp-proxy.$n; done"
HOLDS = (
    'for file in "$(command -v docker)" /run/lock /run/lock/kp-proxy.*; do '
    '[ ! -r "$file" ] || setsid sh -c \'exec 9< "$1" && flock 9 && exec sleep 30\' sh "$file" > /dev/null 2>&1 & done'
)


@pytest.fixture
def host(lab: Lab) -> Iterator[str]:
    """One without locks of former runs, and afterwards without ours; who holds one lets go by himself."""
    lab.exec("web1", "rm -rf /run/lock/kp-proxy.*")
    yield "web1"
    lab.exec("web1", "rm -rf /run/lock/kp-proxy.* /tmp/busy")


def test_root_and_a_user_in_the_group_docker_exclude_each_other_whatever_another_user_holds(
    lab: Lab, host: str
) -> None:
    """Files under the lock's name, and locks on all that the user can open, stop none of six changes, one at a time."""
    nobody = f"su -s /bin/sh nobody -c {shlex.quote(SQUATTED + '; ' + HOLDS)}"
    lab.exec(host, nobody)
    busy = "mkdir /tmp/busy || exit 3; sleep 0.1; rmdir /tmp/busy; echo done"
    change = with_functions(with_proxy_lock(busy, seconds=15))
    command = f"sh -c {shlex.quote(change)}"
    users = ("root", "deploy") * 3
    with ThreadPoolExecutor(len(users)) as pool:
        ended = list(pool.map(lambda user: lab.ssh(host, command, user=user, check=False), users))
    assert [(each.returncode, each.stdout, each.stderr) for each in ended] == [(0, "done\n", "")] * len(users)
    made = lab.exec(host, "stat -c '%n %G %a' /run/lock/kp-proxy.2; ls /run/lock | grep -c kp-proxy").stdout
    assert made == "/run/lock/kp-proxy.2 docker 660\n3\n"
    denied = lab.exec(host, "su -s /bin/sh nobody -c ': < /run/lock/kp-proxy.2'", check=False)
    assert denied.returncode != 0
