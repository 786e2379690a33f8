"""A new proxy counts as serving when it stays up and routes to every healthy container behind it."""

from __future__ import annotations

import pytest

from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.shell.proxy import container as proxy
from kamal_pyinfra.shell.proxy.container import replace_by_serving, replace_by_working, run_serving
from tests.shell import builders
from tests.shell.fake_host import Answer, FakeHost
from tests.shell.test_proxy_gate import CURL, GONE, NO, WEB, YES, answers
from tests.shell.test_proxy_routes import NOTED, log
from tests.shell.traefik_log import INFO, NEW, OLD, STARTED, seen, v2, v2_built, v3, v3_built

ASKED = NOTED.format("blog-web-v1 shop-web-v1")
STATE = "inspect --format STATE traefik"
LOGS = "--since 879 traefik"
LAST_LINES = "logs --tail 20 traefik"
ROUTED = tuple(Gate(container=name, rules=("PathPrefix(`/`)",)) for name in ("blog-web-v1", "shop-web-v1"))
BEHIND_IT = f"{run_serving(builders.proxy(), ROUTED)}"
ALONE = f"{run_serving(builders.proxy(), ())}"
REPLACE = f"{replace_by_serving(builders.proxy(), ROUTED)}"
RUN = proxy.run(builders.proxy()).removeprefix("docker ").removesuffix(" > /dev/null")
ASIDE = "traefik_replaced"


@pytest.fixture
def rebooted(host: FakeHost) -> FakeHost:
    """A host with two healthy containers behind a new proxy."""
    host.docker(ASKED, seen(f"blog-web-v1 healthy {OLD}", f"shop-web-v1 healthy {NEW}"))
    host.docker(STATE, "running none 0")
    host.docker(RUN, "id")
    return host


@pytest.mark.parametrize(("received", "built"), [(v2, v2_built), (v3, v3_built)], ids=["v2.11", "v3"])
def test_it_is_waited_for_until_it_routes_to_all_of_them(rebooted, received, built):
    partly = received(OLD) + built(OLD)
    log(rebooted, LOGS, "", partly, partly + received(OLD, NEW) + built(OLD, NEW))
    ran = rebooted.run(BEHIND_IT)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "kp-routes blog-web-v1 log\nkp-routes shop-web-v1 log\n"
    assert 0.1 <= ran.seconds < 1


def test_one_that_never_routes_to_all_of_them_fails_with_its_log(rebooted):
    log(rebooted, LOGS, v2(OLD) + v2_built(OLD))
    error = 'time="2026-05-01T10:00:00Z" level=error msg="the rule\x1b[31m" routerName=shop-web@docker\n'
    rebooted.docker(f"logs --tail 1000 --since {STARTED} traefik", error)
    rebooted.docker("logs --tail 1000 traefik", error)
    rebooted.docker("inspect --format NETWORKS traefik shop-web-v1", "networks of traefik: bridge 172.17.0.2")
    rebooted.docker("version --format ENGINE", "Docker 26.1.5, API 1.24 to 1.45")
    ran = rebooted.run(BEHIND_IT)
    assert (ran.code, ran.err) == (
        1,
        "shop-web-v1: by its log the proxy does not route to it\n"
        'the proxy\'s log: msg="the rule" routerName=shop-web@docker\n'
        "rule: PathPrefix(`/`)\n"
        "networks of traefik: bridge 172.17.0.2\n"
        "Docker 26.1.5, API 1.24 to 1.45\n",
    )


@pytest.mark.parametrize("state", ["restarting none 2", "running none 1", "exited none 0"])
def test_one_that_does_not_stay_up_fails_with_its_log(rebooted, state):
    rebooted.docker(STATE, state)
    log(rebooted, LOGS, v2(OLD, NEW) + v2_built(OLD, NEW))
    rebooted.docker(LAST_LINES, "command traefik error: failed to decode configuration from flags")
    ran = rebooted.run(BEHIND_IT)
    assert (ran.code, ran.err.splitlines()[0]) == (1, f"traefik: does not stay up ({state})")
    assert "failed to decode" in ran.err


def test_one_that_cannot_be_asked_is_given_a_fixed_time(rebooted):
    rebooted.docker(ASKED, seen(f"blog-web-v1 healthy {OLD}", f"shop-web-v1 healthy {NEW}", proxy=INFO))
    rebooted.docker(f"logs --tail 1000 --since {STARTED} traefik", "")
    ran = rebooted.run(BEHIND_IT)
    why = "no request can be made and its log does not tell"
    told = f"kp-routes blog-web-v1 unproven {why}\nkp-routes shop-web-v1 unproven {why}\n"
    assert (ran.code, ran.out, ran.seconds) == (0, told, 2)


@pytest.mark.parametrize(("state", "code"), [("running none 0", 0), ("restarting none 1", 1)])
def test_without_containers_behind_it_it_only_has_to_stay_up(host, state, code):
    host.docker(RUN, "id")
    host.docker(STATE, state)
    host.docker(LAST_LINES, "")
    ran = host.run(ALONE)
    assert (ran.code, ran.seconds) == (code, 2)


def test_a_container_that_is_not_healthy_is_not_waited_for(host):
    host.docker(ASKED, seen(f"blog-web-v1 unhealthy {OLD}", f"shop-web-v1 starting {NEW}"))
    host.docker(STATE, "running none 0")
    host.docker(RUN, "id")
    ran = host.run(BEHIND_IT)
    assert (ran.code, ran.seconds) == (0, 2)


@pytest.fixture
def replacing(rebooted: FakeHost) -> FakeHost:
    """The same host, about to replace the proxy that runs."""
    rebooted.docker("image inspect traefik:v2.11", "[]")
    rebooted.docker(f"inspect {ASIDE}", Answer(code=1))
    for call in ("stop traefik", f"rename traefik {ASIDE}", f"rename {ASIDE} traefik", "start traefik"):
        rebooted.docker(call, "")
    rebooted.docker("rm -f traefik", "")
    rebooted.docker(f"rm {ASIDE}", "")
    rebooted.docker(LAST_LINES, "")
    return rebooted


def steps(calls: str) -> list[str]:
    """What was done to containers, questions aside."""
    words = ("stop", "rename", "run", "rm", "start")
    return [" ".join(line.split()[1:4]) for line in calls.splitlines() if line.split()[1] in words]


def test_the_old_proxy_goes_when_the_new_one_serves(replacing):
    log(replacing, LOGS, v2(OLD, NEW) + v2_built(OLD, NEW))
    ran = replacing.run(REPLACE)
    assert (ran.code, ran.err) == (0, "")
    assert steps(ran.calls) == ["stop traefik", f"rename traefik {ASIDE}", "run --name traefik", f"rm {ASIDE}"]


@pytest.mark.parametrize("failing", [RUN, STATE])
def test_the_old_proxy_comes_back_when_the_new_one_does_not_serve(replacing, failing):
    log(replacing, LOGS, v2(OLD, NEW) + v2_built(OLD, NEW))
    replacing.docker(failing, Answer(out="restarting none 3" if failing == STATE else "", code=int(failing == RUN)))
    ran = replacing.run(REPLACE)
    assert (ran.code, ran.err.splitlines()[-1]) == (1, "the old proxy was started again")
    assert steps(ran.calls)[3:] == ["rm -f traefik", f"rename {ASIDE} traefik", "start traefik"]


@pytest.mark.parametrize(
    ("failing", "done"),
    [
        ("image inspect traefik:v2.11", []),
        ("stop traefik", ["stop traefik"]),
        (f"rename traefik {ASIDE}", ["stop traefik", f"rename traefik {ASIDE}", "start traefik"]),
    ],
)
def test_a_proxy_that_did_not_step_aside_is_not_removed(replacing, failing, done):
    replacing.docker("pull --quiet traefik:v2.11", Answer(code=1))
    replacing.docker(failing, Answer(code=1))
    ran = replacing.run(REPLACE)
    assert (ran.code, steps(ran.calls)) == (1, done)


def test_what_a_killed_run_left_aside_goes_first(replacing):
    replacing.docker(f"inspect {ASIDE}", "[]")
    replacing.docker(f"rm -f {ASIDE}", "")
    log(replacing, LOGS, v2(OLD, NEW) + v2_built(OLD, NEW))
    assert steps(replacing.run(REPLACE).calls)[:2] == [f"rm -f {ASIDE}", "stop traefik"]


REFUSED = (
    'error="permission denied while trying to connect to the docker API at unix:///var/run/docker.sock" '
    "providerName=docker\n"
)
ERROR = "2026-05-01T10:00:00Z ERR github.com/traefik/traefik/v3/pkg/provider/docker/pdocker.go:1 > "
OF_A_CONTAINER = f'{ERROR}Provider error, retrying in 1s error="port is missing" container=x providerName=docker\n'


@pytest.fixture
def deploying(replacing: FakeHost) -> FakeHost:
    """The same host, with a deploy that replaces the proxy, and one container that can be asked about."""
    replacing.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 healthy {OLD}", proxy=INFO))
    replacing._program("curl", CURL)
    return replacing


def by_working(*gates: Gate, keeps_old: bool = False) -> str:
    return f"{replace_by_working(builders.proxy(), gates, keeps_old=keeps_old)}"


SHOP = Gate(**{**vars(WEB), "container": "shop-web-v1"})


@pytest.mark.parametrize("answer", [YES, GONE])
def test_a_deploy_keeps_a_new_proxy_as_soon_as_it_has_the_router_of_what_runs(deploying, answer):
    deploying.docker("logs --tail 1000 traefik", "")
    answers(deploying, NO, answer)
    ran = deploying.run(by_working(SHOP))
    assert (ran.code, ran.err, ran.seconds) == (0, "", pytest.approx(0.2))
    assert steps(ran.calls) == ["stop traefik", f"rename traefik {ASIDE}", "run --name traefik", f"rm {ASIDE}"]


@pytest.mark.parametrize(
    ("line", "code", "seconds"),
    [
        ("", 0, 3),
        (OF_A_CONTAINER, 0, 3),
        (f"{ERROR}Provider error, retrying in 5.1s {REFUSED}", 1, 0),
        (f'time="2026-05-01T10:00:00Z" level=error msg="Provider connection error {REFUSED}', 1, 0),
        ('{"level":"error","providerName":"docker","error":"no","message":"Provider error, retrying in 1s"}\n', 1, 0),
    ],
)
def test_a_deploy_takes_a_proxy_back_that_learns_nothing_from_docker(deploying, line, code, seconds):
    """Whether a router leads to the old version is for the gate of the new one; that none ever will is known now."""
    deploying.docker("logs --tail 1000 traefik", line)
    answers(deploying, NO)
    ran = deploying.run(by_working(SHOP))
    assert (ran.code, ran.seconds) == (code, pytest.approx(seconds, abs=0.2))
    if code:
        assert ran.err.splitlines()[0] == "traefik: cannot learn from Docker what runs here"
        assert ran.err.splitlines()[-1] == "the old proxy was started again"
        assert steps(ran.calls)[3:] == ["rm -f traefik", f"rename {ASIDE} traefik", "start traefik"]


@pytest.mark.parametrize("failing", [RUN, STATE])
def test_a_deploy_takes_a_proxy_back_that_docker_refuses_or_that_ends(deploying, failing):
    deploying.docker("logs --tail 1000 traefik", "")
    deploying.docker(failing, Answer(out="restarting none 3" if failing == STATE else "", code=int(failing == RUN)))
    ran = deploying.run(by_working())
    assert (ran.code, ran.err.splitlines()[-1]) == (1, "the old proxy was started again")
    assert steps(ran.calls)[3:] == ["rm -f traefik", f"rename {ASIDE} traefik", "start traefik"]


OTHER = Gate(**{**vars(SHOP), "ask": "0b" * 16})
KAMALS = Gate(container="shop-web-v1", rules=("PathPrefix(`/`)",))


@pytest.mark.parametrize(
    ("gates", "given", "is_kept"),
    [
        ((SHOP,), (YES,), False),
        ((SHOP,), (NO,), True),
        ((SHOP, OTHER), (YES, NO), True),
        ((SHOP, OTHER), (YES, NO, GONE), False),
        ((SHOP, KAMALS), (YES,), True),
        ((), (), False),
    ],
    ids=["routed", "not routed", "one is not", "both are", "one cannot be asked", "nothing runs"],
)
def test_the_old_proxy_stays_aside_until_the_gate_where_the_new_one_is_not_proven(deploying, gates, given, is_kept):
    if gates[1:]:
        deploying.docker(NOTED.format("shop-web-v1 shop-web-v1"), seen(f"shop-web-v1 healthy {OLD}", proxy=INFO))
    deploying.docker("logs --tail 1 traefik", "")
    deploying.docker("logs --tail 1000 traefik", "")
    answers(deploying, *given)
    ran = deploying.run(by_working(*gates, keeps_old=True))
    assert (ran.code, ran.err) == (0, "")
    assert (f"rm {ASIDE}" in steps(ran.calls)) is not is_kept


IDENTITY = 'container inspect --format {{.Id}} {{index .Config.Labels "kp.digest"}} traefik'
NEW_PROXY = builders.proxy().digest
BACK = ["rm -f traefik", f"rename {ASIDE} traefik", "start traefik"]


@pytest.mark.parametrize(
    ("aside", "there", "code", "done"),
    [
        (Answer(out="id"), Answer(out=f"1 {NEW_PROXY}"), 0, BACK),
        (Answer(out="id"), Answer(err="Error: No such container: traefik", code=1), 0, BACK),
        (Answer(out="id"), Answer(out="1 another"), 1, []),
        (Answer(err=f"Error: No such object: {ASIDE}", code=1), Answer(out="1 x"), 0, []),
        (Answer(err="Cannot connect to the Docker daemon", code=1), Answer(out="1 x"), 1, []),
    ],
    ids=["kept", "the new one is gone", "another run has changed it", "none was kept", "no engine"],
)
def test_after_the_gate_the_old_proxy_comes_back_where_one_stands_aside(replacing, aside, there, code, done):
    replacing.docker(f"inspect --format ID {ASIDE}", aside)
    replacing.docker(IDENTITY, there)
    ran = replacing.run(proxy.restore(builders.proxy()))
    assert (ran.code, steps(ran.calls)) == (code, done)


@pytest.mark.parametrize(("there", "done"), [("[]", [f"rm -f {ASIDE}"]), (Answer(code=1), [])])
def test_once_the_gate_is_passed_what_stands_aside_goes(replacing, there, done):
    replacing.docker(f"inspect {ASIDE}", there)
    replacing.docker(f"rm -f {ASIDE}", "")
    ran = replacing.run("clear_aside")
    assert (ran.code, steps(ran.calls)) == (0, done)
