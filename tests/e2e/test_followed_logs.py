"""All containers of a host are followed in one session."""

from __future__ import annotations

import json
import signal
import threading

import pytest

from tests.e2e.project import Project, eventually

COUNT = 12
RELOAD = 'kill -HUP "$(cat /run/sshd.pid)"; sleep 0.5'
RUN = "docker run --detach --init --label service=shop --label destination= --label role=web --name shop-web-v{0} {1}"
LONG = "x" * 9000


@pytest.fixture
def shop(project: Project) -> Project:
    """Many containers on a host whose sshd allows one session for each connection."""
    web1 = project.lab.hosts["web1"]
    project.change(lambda config: config.update(servers=[web1]))
    project.kp("registry", "login")
    project.lab.ssh("web1", f"docker pull --quiet {project.lab.base_image}")
    for number in range(COUNT):
        start(project, number)
    return project


def start(project: Project, number: int) -> None:
    text = f"container {number} line $i {LONG if number == 3 else ''}"
    loop = f"'i=0; while :; do i=$((i+1)); echo \"{text}\"; sleep 1; done'"
    project.lab.ssh("web1", f"{RUN.format(number, project.lab.base_image)} sh -c {loop}")


def test_no_container_is_missing_where_sshd_allows_one_session(shop: Project) -> None:
    """Every container must be followed, also one that comes later, each line whole and once; nothing may be left."""
    shop.lab.ssh("web1", f"echo MaxSessions 1 > /etc/ssh/sshd_config.d/one.conf; {RELOAD}")
    shop.lab.ssh("web1", "printf 'echo unknown; echo round; echo begin x; echo a b c d e f\\n' > .bashrc")
    lines: list[str] = []
    following = shop.start("kp", "app", "logs", "-f", "--json")

    def read() -> None:
        if following.stdout:
            with following.stdout as output:
                lines.extend(output)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        eventually(lambda: of(lines, 0) >= {f"shop-web-v{number}" for number in range(COUNT)}, what="a line of each")
        start(shop, COUNT)
        eventually(lambda: f"shop-web-v{COUNT}" in of(lines, 1), what="the first line of the new one")
        before = count(lines, "container 5 line 1 ")
        shop.lab.ssh("web1", "docker restart --time 0 shop-web-v5")
        eventually(lambda: count(lines, "container 5 line 1 ") > before, what="the log of the one started again")
    finally:
        following.send_signal(signal.SIGINT)
        reader.join(30)
        code = following.wait(30)
        shop.lab.ssh("web1", f"rm /etc/ssh/sshd_config.d/one.conf .bashrc; {RELOAD}")
    assert code == 130
    found = [json.loads(line) for line in lines if line.startswith("{")]
    stamped = [(each["container"], each["time"]) for each in found]
    assert len(stamped) == len(set(stamped))
    assert all(
        each["line"].startswith(f"container {each['container'].removeprefix('shop-web-v')} line ") for each in found
    )
    assert {len(each["line"]) > len(LONG) for each in found if each["container"] == "shop-web-v3"} == {True}
    eventually(lambda: shop.lab.ssh("web1", "ps -eo args | grep -c '^docker logs' || true").stdout == "0\n")


def of(lines: list[str], least: int) -> set[str]:
    """Containers of which a line came, or their first one."""
    found = [json.loads(line) for line in list(lines) if line.startswith("{")]
    return {each["container"] for each in found if not least or " line 1 " in each["line"]}


def count(lines: list[str], text: str) -> int:
    return sum(json.loads(line)["line"].startswith(text) for line in list(lines) if line.startswith("{"))
