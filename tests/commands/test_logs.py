from __future__ import annotations

from kamal_pyinfra.commands import logs
from kamal_pyinfra.plan.owner import Owner
from tests.commands.fake_host import Answer, FakeHost

OWNER = Owner(service="shop", destination="")
LIST_WEB = "ps --format {{.Names}} --filter label=service=shop --filter label=destination= --filter label=role=web"
LIST_JOB = LIST_WEB.replace("role=web", "role=job")


def recent(roles=("web", "job"), *, lines=None, since=None, grep=None):
    return logs.recent(OWNER, roles, lines=lines, since=since, grep=grep)


def with_containers(host: FakeHost) -> None:
    host.docker(LIST_WEB, "shop-web-v2\nshop-web-v1\n")
    host.docker(LIST_JOB, "")


def test_every_line_says_which_container_wrote_it(host):
    with_containers(host)
    host.docker("logs --timestamps --tail 100 shop-web-v2", Answer(out=b"T a \xff\x1b[1mb\n", err="T c\n"))
    host.docker("logs --timestamps --tail 100 shop-web-v1", "")
    ran = host.run(recent())
    assert (ran.code, ran.out, ran.err) == (0, "shop-web-v2 | T a [1mb\nshop-web-v2 | T c\n", "")


def test_lines_are_chosen_by_number_time_and_text(host):
    with_containers(host)
    for name in ("shop-web-v2", "shop-web-v1"):
        host.docker(f"logs --timestamps --since 5 m --tail 3 {name}", "T GET /up\nT -v it's\n")
    ran = host.run(recent(lines=3, since="5 m", grep="-v it's"))
    assert ran.out == "shop-web-v2 | T -v it's\nshop-web-v1 | T -v it's\n"


def test_text_alone_is_looked_for_in_the_whole_log(host):
    with_containers(host)
    for name in ("shop-web-v2", "shop-web-v1"):
        host.docker(f"logs --timestamps {name}", "T x\n")
    assert host.run(recent(grep="x")).out == "shop-web-v2 | T x\nshop-web-v1 | T x\n"
