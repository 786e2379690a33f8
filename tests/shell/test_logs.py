from __future__ import annotations

from kamal_pyinfra.plan.state.observed import Owner
from kamal_pyinfra.shell import host as audit
from kamal_pyinfra.shell import logs
from kamal_pyinfra.shell.logs import LogFilter
from tests.shell.fake_host import Answer, FakeHost

OWNER = Owner(service="shop", destination="")
LIST_WEB = "ps --format {{.Names}} --filter label=service=shop --filter label=destination= --filter label=role=web"
LIST_JOB = LIST_WEB.replace("role=web", "role=job")


def recent(roles=("web", "job"), *, lines=None, since=None, grep=None):
    return logs.recent(OWNER, roles, LogFilter(lines=lines, since=since, grep=grep))


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


def test_one_container_is_read_without_its_name_in_front(host):
    host.docker("inspect traefik", "[]")
    host.docker("logs --timestamps --tail 100 traefik", "T a\n")
    host.docker("logs --timestamps --since 5m traefik", "T a\nT b\n")
    assert host.run(logs.of_container("traefik", LogFilter())).out == "T a\n"
    found = host.run(logs.of_container("traefik", LogFilter(since="5m", grep="b")))
    assert (found.code, found.out) == (0, "T b\n")
    nothing = host.run(logs.of_container("traefik", LogFilter(since="5m", grep="c")))
    assert (nothing.code, nothing.out) == (0, "")


def test_a_container_that_is_not_there_is_a_failure(host):
    host.docker("inspect traefik", Answer(err="Error: No such object: traefik", code=1))
    ran = host.run(logs.of_container("traefik", LogFilter()))
    assert (ran.code, ran.err) == (1, "Error: No such object: traefik\n")


def test_the_last_lines_of_the_audit_log_and_none_without_one(host):
    assert host.run(audit.recent(".kamal/it's.log", lines=2)).out == ""
    (host.home / ".kamal").mkdir()
    (host.home / ".kamal/it's.log").write_text("one\ntwo\nthree\n")
    assert host.run(audit.recent(".kamal/it's.log", lines=2)).out == "two\nthree\n"
