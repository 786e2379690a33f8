"""The gate's question to the proxy: by a request, else by its log, else not proven; and the reason of a "no"."""

from __future__ import annotations

import pytest

from kamal_pyinfra.plan.proxy.gate import Door, Gate
from kamal_pyinfra.shell.proxy.traefik import await_served, report_routes
from tests.shell.fake_host import Answer, FakeHost
from tests.shell.test_proxy_routes import NOTED, SINCE_BOOT, log
from tests.shell.traefik_log import AT, DEBUG, INFO, NEW, STARTED, seen, v3, v3_built

ASK, ANSWER = "0a" * 16, "1b" * 16
WEB = Gate(
    container="shop-web-v2",
    routers=("shop-web",),
    rules=("PathPrefix(`/`)",),
    ask=ASK,
    answer=ANSWER,
    doors=(Door(port=80, scheme="http"),),
)
GUARDED = (Door(port=443, scheme="https"), Door(port=80, scheme="http", is_guarded=True))
YES = f"HTTP/1.1 200 OK\r\nX-Kp-Gate: {ANSWER}\r\n\r\nok"
NO = "HTTP/1.1 404 Not Found\r\nContent-Length: 19\r\n\r\n404 page not found"
GONE = f"HTTP/1.1 502 Bad Gateway\r\nX-Kp-Gate: {ANSWER}\r\nContent-Length: 11\r\n\r\nBad Gateway"
FORGED = f"HTTP/1.1 200 OK\r\nX-Other: 1\r\n\r\nX-Kp-Gate: {ANSWER}\r\n"
REDIRECT = "HTTP/1.1 301 Moved Permanently\r\nLocation: https://shop.example.com/\r\n\r\n"
ERRORS = f"logs --tail 1000 --since {STARTED} traefik"
ALL_ERRORS = "logs --tail 1000 traefik"
CONSOLE = "2026-05-01T10:00:00Z ERR github.com/traefik/traefik/v3/pkg/server/router.go:1 > "
BAD = f'{CONSOLE}error="bad rule" entryPointName=http routerName=shop-web@docker\n'

CURL = """#!/bin/sh
while [ "$#" -gt 1 ]; do [ "$1" != --connect-to ] || at=${{2#::}}; shift; done
printf '%s %s\\n' "$at" "$1" >> {state}/requests
turn=$(grep -c "^$at " {state}/requests)
while [ ! -e "{state}/answer.$at.$turn" ]; do turn=$(( turn - 1 )); [ "$turn" -gt 0 ] || exit 7; done
cat "{state}/answer.$at.$turn"
"""


@pytest.fixture
def proxied(host: FakeHost) -> FakeHost:
    """A host with a new healthy container, whose proxy keeps no log that can be read."""
    at = AT.replace("json-file", "none")
    host.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}", proxy=INFO, at=at))
    host.docker("logs --tail 1 traefik", "")
    host.docker(ERRORS, "")
    host.docker(ALL_ERRORS, "")
    host.docker("inspect --format NETWORKS traefik shop-web-v2", "networks of traefik: bridge 172.17.0.2")
    host.docker("version --format ENGINE", "Docker 26.1.5, API 1.24 to 1.45")
    host._program("curl", CURL)
    return host


def answers(host: FakeHost, *given: str, at: str = "172.17.0.2:80") -> None:
    """What a door answers, one request after the other, then the last one for ever."""
    for turn, answer in enumerate(given, start=1):
        (host.state / f"answer.{at}.{turn}").write_text(answer, newline="")


def requests(host: FakeHost) -> list[str]:
    return (host.state / "requests").read_text().splitlines()


def refused(why: str, error: str = "") -> str:
    said = f"the proxy's log: {error}\n" if error else ""
    return (
        f"shop-web-v2: {why}\n{said}rule: PathPrefix(`/`)\nnetworks of traefik: bridge 172.17.0.2\n"
        "Docker 26.1.5, API 1.24 to 1.45\n"
    )


def test_an_answer_through_its_router_is_a_yes(proxied: FakeHost) -> None:
    answers(proxied, NO, NO, YES)
    ran = proxied.run(await_served([WEB]))
    assert (ran.code, ran.out, ran.err) == (0, "kp-routes shop-web-v2 request\n", "")
    assert requests(proxied) == [f"172.17.0.2:80 http://localhost:80/kp-gate-{ASK}"] * 3
    assert ran.seconds == pytest.approx(3 * 0.05)


@pytest.mark.parametrize(
    ("answer", "why", "seconds"),
    [
        (NO, "the proxy does not route to it (the answer is 404)", 15),
        (FORGED, "the proxy does not route to it (the answer is 200)", 15),
        (GONE, "the proxy has its router and cannot reach it (the answer is 502)", 8),
    ],
    ids=["not routed", "forged by an app", "not reached"],
)
def test_any_other_answer_is_a_no_with_the_reason(proxied: FakeHost, answer: str, why: str, seconds: int) -> None:
    answers(proxied, answer)
    ran = proxied.run(await_served([WEB]))
    assert (ran.code, ran.out, ran.err) == (1, "", refused(why))
    assert ran.seconds == pytest.approx(seconds, abs=0.4)


def test_an_error_of_its_own_router_ends_the_wait(proxied: FakeHost) -> None:
    answers(proxied, NO)
    proxied.docker(ERRORS, BAD)
    ran = proxied.run(await_served([WEB]))
    error = 'error="bad rule" entryPointName=http routerName=shop-web@docker'
    assert (ran.code, ran.err) == (1, refused("the proxy does not take its router", error))
    assert ran.seconds == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (BAD, 1),
        (BAD.replace("ERR", "\x1b[31mERR\x1b[0m"), 1),
        ('time="2026-05-01T10:00:00Z" level=error msg="bad rule" routerName=shop-web@docker\n', 1),
        ('{"level":"error","routerName":"shop-web@docker","message":"bad rule"}\n', 1),
        (f'{CONSOLE}error="field not found" container=shop-web-v2-0123456789ab providerName=docker\n', 1),
        (BAD.replace("ERR", "DBG"), 0),
        (BAD.replace("shop-web@", "shop-web-admin@"), 0),
        (f'{CONSOLE}error="malformed \\" routerName=shop-web@docker \\"" routerName=other@docker\n', 0),
        (f"{CONSOLE}EntryPoint doesn't exist entryPointName=b routerName=shop-web@docker\n", 0),
        (f"{CONSOLE}a request failed middlewareType=ForwardAuth routerName=shop-web@docker\n", 0),
    ],
)
def test_a_container_that_is_reached_needs_its_own_router_too(proxied: FakeHost, line: str, code: int) -> None:
    answers(proxied, YES)
    proxied.docker(ERRORS, line)
    assert proxied.run(await_served([WEB])).code == code


OWN = Gate(**{**vars(WEB), "own_path": "/up", "is_in_use": True})
UNPROVEN = "unproven the proxy reaches it, but its log cannot be read: it may not take a new router"
UP = "HTTP/1.1 200 OK\r\n\r\nok"
CATCH_ALL = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 11\r\n\r\nBad Gateway"


@pytest.mark.parametrize(
    ("gate", "answer", "told"),
    [
        (OWN, UP, "request"),
        (OWN, NO.replace("19", "9"), "request"),
        (OWN, NO, UNPROVEN),
        (OWN, CATCH_ALL, UNPROVEN),
        (OWN, "", UNPROVEN),
        (WEB, UP, UNPROVEN),
    ],
    ids=["answers", "a 404 of the app", "a 404 of the proxy", "the catch-all", "nothing", "a router that is new"],
)
def test_without_a_log_its_own_router_has_to_answer(proxied: FakeHost, gate: Gate, answer: str, told: str) -> None:
    """A container that runs under the same router proves nothing: the proxy may never have taken that one either."""
    proxied.docker("logs --tail 1 traefik", Answer(code=1))
    answers(proxied, YES, answer)
    ran = proxied.run(await_served([gate]))
    assert (ran.code, ran.out) == (0, f"kp-routes shop-web-v2 {told}\n")
    assert requests(proxied)[1:] == ["172.17.0.2:80 http://localhost:80/up"] * (gate is OWN) or not answer


TWINS = Gate(**{**vars(OWN), "twins": (f"{ASK}-a", f"{ASK}-b")})
TAKEN = "unproven the proxy reaches it, but its log cannot be read: it may not take a router that another one has"


@pytest.mark.parametrize(
    ("given", "code", "told", "seconds"),
    [
        ((YES, YES, YES, UP), 0, "kp-routes shop-web-v2 request\n", 0.05),
        ((YES, YES, NO, YES, UP), 0, "kp-routes shop-web-v2 request\n", 0.15),
        ((YES, YES, GONE, NO), 0, f"kp-routes shop-web-v2 {TAKEN}\n", 0.05),
        ((YES, YES, ""), 0, f"kp-routes shop-web-v2 {TAKEN}\n", 0.05),
        ((YES, YES, NO), 1, "", 2),
        ((YES, FORGED), 1, "", 2),
    ],
    ids=["all", "a moment later", "a router that another one has", "no answer", "not the second", "forged by an app"],
)
def test_without_a_log_the_twins_of_its_routers_have_to_answer(
    proxied: FakeHost, given: tuple[str, ...], code: int, told: str, seconds: float
) -> None:
    """The proxy refuses a router's twin for whatever it refuses the router for."""
    proxied.docker("logs --tail 1 traefik", Answer(code=1))
    answers(proxied, *given)
    ran = proxied.run(await_served([TWINS]))
    assert (ran.code, ran.out) == (code, told)
    assert ran.err == (refused("the proxy does not take its router") if code else "")
    assert ran.seconds == pytest.approx(seconds, abs=0.15)


def test_without_a_log_a_router_that_has_no_twin_is_named(proxied: FakeHost) -> None:
    """It may have been in use since a deploy that could not prove it either."""
    proxied.docker("logs --tail 1 traefik", Answer(code=1))
    answers(proxied, YES, YES, YES, UP)
    ran = proxied.run(await_served([Gate(**{**vars(TWINS), "unasked": ("plain", "admin")})]))
    why = "it was not asked about routers with another entry point or TLS than the first (plain, admin)"
    told = f"kp-routes shop-web-v2 unproven the proxy reaches it, but its log cannot be read: {why}\n"
    assert (ran.code, ran.out) == (0, told)


def test_a_log_that_tells_errors_makes_the_twins_needless(proxied: FakeHost) -> None:
    answers(proxied, YES, NO)
    assert proxied.run(await_served([TWINS])).out == "kp-routes shop-web-v2 request\n"
    assert len(requests(proxied)) == 1


def checked(answer: str, status: int) -> str:
    return answer.replace("200 OK", f"{status} Some")


@pytest.mark.parametrize(
    ("check", "status", "code"),
    [
        ("ok:/a", 200, 0),
        ("ok:/a", 302, 0),
        ("ok:/a", 404, 1),
        ("ok:/a", 503, 1),
        ("204:/a", 204, 0),
        ("204:/a", 200, 1),
    ],
)
def test_the_proxys_own_health_check_has_to_pass(proxied: FakeHost, check: str, status: int, code: int) -> None:
    """Where it does not, the proxy takes the container out of service a moment later."""
    answers(proxied, checked(YES, status))
    ran = proxied.run(await_served([Gate(**{**vars(WEB), "check": check})]))
    why = f"the proxy's own health check of it fails (the answer to /a is {status})"
    assert (ran.code, ran.err) == (code, refused(why) if code else "")
    assert ran.seconds == pytest.approx(15 if code else 0.05, abs=0.4)


def test_a_health_check_of_the_proxys_may_pass_later(proxied: FakeHost) -> None:
    answers(proxied, checked(YES, 503), YES)
    ran = proxied.run(await_served([Gate(**{**vars(WEB), "check": "ok:/a"})]))
    assert (ran.code, ran.out) == (0, "kp-routes shop-web-v2 request\n")


def test_a_published_port_is_asked_where_the_containers_own_address_does_not_answer(proxied: FakeHost) -> None:
    answers(proxied, YES, at="127.0.0.1:8080")
    ran = proxied.run(await_served([WEB]))
    assert (ran.code, ran.out) == (0, "kp-routes shop-web-v2 request\n")
    assert [line.split()[0] for line in requests(proxied)] == ["172.17.0.2:80", "127.0.0.1:8080"]


@pytest.mark.parametrize(("network", "at"), [("host", "10.0.0.5:80"), ("default", "172.17.0.2:80")])
def test_another_program_at_the_same_port_is_not_taken_for_the_proxy(proxied: FakeHost, network: str, at: str) -> None:
    """A proxy on the host's network may have one address, and another program the others."""
    seen_at = AT.replace("json-file default", f"none {network}")
    proxied.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}", proxy=INFO, at=seen_at))
    answers(proxied, UP, at="127.0.0.1:80")
    answers(proxied, UP, at="[::1]:80")
    answers(proxied, YES, at=at)
    ran = proxied.run(
        await_served([Gate(**{**vars(WEB), "doors": (Door(port=80, scheme="http", address="10.0.0.5"),)})])
    )
    assert (ran.code, ran.out) == (0, "kp-routes shop-web-v2 request\n")
    assert [line.split()[0] for line in requests(proxied)] == [at]


def test_an_entry_point_that_answers_by_itself_says_nothing(proxied: FakeHost) -> None:
    answers(proxied, REDIRECT)
    ran = proxied.run(await_served([Gate(**{**vars(WEB), "doors": GUARDED})]))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "kp-routes shop-web-v2 unproven no request can be made and its log does not tell\n"
    assert ran.seconds == pytest.approx(5 + 2, abs=0.4)


def test_where_no_request_can_be_made_the_log_decides(host: FakeHost) -> None:
    host.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}"))
    host.docker(ERRORS, "")
    log(host, SINCE_BOOT, v3(NEW) + v3_built(NEW))
    host._program("curl", CURL)
    ran = host.run(await_served([WEB]))
    assert (ran.code, ran.out) == (0, "kp-routes shop-web-v2 log\n")
    assert ran.seconds == pytest.approx(2, abs=0.4)


def test_a_log_that_tells_nothing_is_not_waited_for_long(host: FakeHost) -> None:
    host.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}"))
    host.docker(ERRORS, "")
    log(host, SINCE_BOOT, "")
    ran = host.run(await_served([Gate(container="shop-web-v2", rules=WEB.rules)]))
    assert ran.out == "kp-routes shop-web-v2 unproven no request can be made and its log does not tell\n"
    assert (ran.code, ran.seconds) == (0, pytest.approx(5 + 2, abs=0.2))


@pytest.mark.parametrize(
    ("proxy", "code", "told"),
    [("", 0, "kp-routes shop-web-v2 unproven no proxy runs here\n"), (DEBUG.replace("true", "false"), 1, "")],
    ids=["none", "one that is stopped"],
)
def test_without_a_proxy_that_runs(proxied: FakeHost, proxy: str, code: int, told: str) -> None:
    proxied.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}", proxy=proxy))
    ran = proxied.run(await_served([WEB]))
    assert (ran.code, ran.out, ran.seconds) == (code, told, 0)
    assert ran.err == (refused("the proxy does not run") if code else "")


def test_a_container_that_is_not_ready_is_left_to_who_watches_its_health(proxied: FakeHost) -> None:
    proxied.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 unhealthy {NEW}", proxy=INFO))
    ran = proxied.run(await_served([WEB]))
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_status_asks_once_and_gets_a_line_for_each(proxied: FakeHost) -> None:
    answers(proxied, NO)
    proxied.docker(ALL_ERRORS, f'{CONSOLE}error="client version 1.24 is too old" providerName=docker\n')
    ran = proxied.run(report_routes([WEB]))
    assert (ran.code, ran.err, ran.seconds) == (0, "", 0)
    assert ran.out == (
        "kp-routes shop-web-v2 no the proxy does not route to it (the answer is 404); "
        'the proxy\'s log: error="client version 1.24 is too old" providerName=docker\n'
    )
