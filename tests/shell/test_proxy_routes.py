"""What the proxy routes to, read from log lines of Traefik 2.11 and 3 as they really are."""

from __future__ import annotations

import pytest

from kamal_pyinfra.plan.proxy.gate import Gate
from kamal_pyinfra.shell.proxy.traefik import await_served
from tests.shell.fake_host import Answer, FakeHost
from tests.shell.traefik_log import AT, DEBUG, INFO, NEW, OLD, STARTED, again, other_service, seen, v3, v3_built

SINCE_DRAIN, SINCE_BOOT = "--since 999 traefik", "--since 879 traefik"
BEGINNING = "1970-01-01T00:00:00.123456789Z the first line that Docker still has"
NOTED = "inspect --format NOTED traefik {}"
DROP = "note_servers shop-web-v1 && await_dropped"
SERVE = await_served([Gate(container="shop-web-v2", routers=("shop-web",), rules=("PathPrefix(`/`)",))])


def log(host: FakeHost, since: str, *answers: str) -> None:
    """What the proxy has logged each time; only its end is read three times, then all of it."""
    host.docker(f"logs --tail 1000 {since}", *answers[:3])
    host.docker(f"logs --tail all {since}", *(answers[3:] or answers[-1:]))
    if since == SINCE_DRAIN:
        # When nothing new comes for five seconds, what was logged before is read too.
        host.docker(f"logs --tail all {SINCE_BOOT}", answers[-1])
    host.docker("logs --timestamps traefik", BEGINNING)


@pytest.fixture
def draining(host: FakeHost) -> FakeHost:
    """A host whose old container has just been drained and whose proxy logs at debug level."""
    host.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 healthy {OLD}"))
    return host


def test_a_server_is_dropped_when_newer_routers_are_built_without_it(draining, traefik):
    received, built = traefik
    before = received(OLD, NEW) + built(OLD, NEW)
    arrived = before + received(NEW)
    log(draining, SINCE_DRAIN, "", before, before, arrived, arrived + built(NEW))
    ran = draining.run(DROP)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert ran.calls.splitlines() == [
        f"docker {NOTED.format('shop-web-v1')}",
        *[f"docker logs --tail 1000 {SINCE_DRAIN}"] * 3,
        *[f"docker logs --tail all {SINCE_DRAIN}"] * 3,
    ]
    assert ran.seconds == pytest.approx(5 * 0.1 + 0.05)


def test_a_configuration_that_arrives_again_unchanged_takes_nothing_back(draining, traefik):
    received, built = traefik
    log(draining, SINCE_DRAIN, received(NEW) + built(NEW) + again(received(NEW)) + again(received(NEW)))
    assert draining.run(DROP).seconds == pytest.approx(0.1 + 0.05)


def test_a_configuration_that_comes_back_before_another_is_built_takes_nothing_back(draining, traefik):
    """Traefik takes the newest of those that arrived while it was busy, and builds nothing if that is the last one."""
    received, built = traefik
    log(draining, SINCE_DRAIN, received(NEW) + built(NEW) + received("172.17.0.9", NEW) + received(NEW))
    assert draining.run(DROP).seconds == pytest.approx(0.1 + 0.05)


def test_a_configuration_that_arrives_again_before_it_is_built_is_not_served(draining, traefik):
    received, built = traefik
    waiting = built(OLD, NEW) + received(NEW) + again(received(NEW))
    log(draining, SINCE_DRAIN, waiting, waiting, waiting + built(NEW))
    assert draining.run(DROP).seconds == pytest.approx(3 * 0.1 + 0.05)


def test_routers_that_are_built_late_from_the_configuration_before_do_not_count(draining, traefik):
    """A configuration that still had the server is built when the next one has already arrived."""
    received, built = traefik
    late = received(OLD, NEW) + received(NEW) + built(OLD, NEW) + other_service(built("172.17.0.9"))
    log(draining, SINCE_DRAIN, late, late, late + other_service(built("172.17.0.9")) + built(NEW))
    assert draining.run(DROP).seconds == pytest.approx(3 * 0.1 + 0.05)


def test_a_server_counts_as_dropped_when_two_looks_in_a_row_say_so(draining, traefik):
    """The first look falls between the lines of routers that are built late."""
    received, built = traefik
    begun = received(OLD, NEW) + received(NEW) + other_service(built("172.17.0.9"))
    late = begun + built(OLD, NEW)
    log(draining, SINCE_DRAIN, begun, late, late + other_service(built("172.17.0.9")) + built(NEW))
    assert draining.run(DROP).seconds == pytest.approx(0.1 + 0.05 + 0.1 + 0.05)


def test_a_service_counts_once_by_whichever_router_it_is_created(draining, traefik):
    """A service with two routers is created once for both, by the one whose turn it is first."""
    received, built = traefik
    by_other_router = built(NEW).replace("routerName=shop-web", "routerName=secure")
    by_other_router = by_other_router.replace("routerName=\x1b[0mshop-web", "routerName=\x1b[0msecure")
    assert by_other_router != built(NEW)
    log(draining, SINCE_DRAIN, received(OLD, NEW) + built(OLD, NEW) + received(NEW) + by_other_router)
    assert draining.run(DROP).seconds == pytest.approx(0.1 + 0.05)


def test_the_last_server_of_a_service_is_dropped_with_it(draining, traefik):
    received, built = traefik
    other = other_service(built("172.17.0.9"))
    both, one = received(OLD) + built(OLD) + other, other_service(received("172.17.0.9")) + other
    log(draining, SINCE_DRAIN, both, both + one)
    assert draining.run(DROP).seconds == pytest.approx(2 * 0.1 + 0.05)


def test_a_configuration_that_was_received_but_not_built_is_not_served(draining, traefik):
    received, built = traefik
    log(draining, SINCE_DRAIN, received(OLD, NEW) + built(OLD, NEW) + received(NEW))
    ran = draining.run(DROP)
    assert (ran.code, ran.out, ran.err) == (
        0,
        "kp-note shop-web-v1: 15 s after it left Docker's list of healthy containers the proxy's log did not show that"
        " it was dropped; it is stopped all the same, and requests to it may fail\n",
        "",
    )
    assert ran.seconds == pytest.approx(15, abs=0.5)


def test_an_older_configuration_without_the_server_does_not_count(draining, traefik):
    received, built = traefik
    log(draining, SINCE_DRAIN, received(NEW) + built(NEW) + received(OLD, NEW) + built(OLD, NEW))
    assert draining.run(DROP).seconds == pytest.approx(15, abs=0.5)


def test_an_address_that_begins_like_another_is_not_mistaken_for_it(draining, traefik):
    received, built = traefik
    log(draining, SINCE_DRAIN, received(f"{OLD}0", NEW) + built(f"{OLD}0", NEW))
    assert draining.run(DROP).seconds == pytest.approx(0.1 + 0.05)


def test_what_another_provider_hands_over_does_not_count(draining, traefik):
    received, built = traefik
    log(draining, SINCE_DRAIN, received(NEW, provider="internal") + built(NEW))
    assert draining.run(DROP).seconds == pytest.approx(15, abs=0.5)


def test_two_servers_are_dropped_when_both_are_gone(draining, traefik):
    received, built = traefik
    both = seen(f"shop-web-v1 healthy {OLD}", "shop-web-v0 healthy 172.17.0.9")
    draining.docker(NOTED.format("shop-web-v1 shop-web-v0"), both)
    one_left, none_left = received("172.17.0.9") + built("172.17.0.9"), received(NEW) + built(NEW)
    log(draining, SINCE_DRAIN, one_left, one_left, one_left + none_left)
    ran = draining.run("note_servers shop-web-v1 shop-web-v0 && await_dropped")
    assert ran.seconds == pytest.approx(3 * 0.1 + 0.05)


@pytest.mark.parametrize("argument", ["--log.level=DEBUG", "--log.level=debug", "--Log.Level=Debug"])
def test_a_proxy_at_debug_level_is_asked_however_it_is_spelled(draining, argument):
    proxy = DEBUG.replace("--log.level=DEBUG", argument)
    draining.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 healthy {OLD}", proxy=proxy))
    log(draining, SINCE_DRAIN, v3(NEW) + v3_built(NEW))
    assert draining.run(DROP).seconds == pytest.approx(0.1 + 0.05)


def test_a_proxy_that_cannot_be_asked_gets_kamals_fixed_time(draining):
    draining.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 healthy {OLD}", proxy=INFO))
    assert draining.run(DROP).seconds == 5


@pytest.mark.parametrize("proxy", ["", DEBUG.replace("true", "false")])
def test_without_a_running_proxy_nothing_is_awaited(draining, proxy):
    out = seen(f"shop-web-v1 healthy {OLD}", proxy=proxy)
    draining.docker(
        NOTED.format("shop-web-v1"), Answer(out, err="" if proxy else "No such object", code=int(not proxy))
    )
    ran = draining.run(DROP)
    assert (ran.code, ran.err, ran.seconds) == (0, "", 0)


@pytest.mark.parametrize("proxy", [DEBUG, ""])
def test_a_container_that_is_gone_is_not_awaited(host, proxy):
    host.docker(NOTED.format("shop-web-v1"), Answer(proxy, err="No such object", code=1))
    assert host.run(DROP).seconds == 0


def test_a_container_that_was_not_healthy_gets_the_time_that_the_proxy_may_take(host):
    host.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 unhealthy {OLD}"))
    assert host.run(DROP).seconds == 2


def test_a_new_container_is_served_when_newer_routers_have_it(host, traefik):
    received, built = traefik
    host.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}"))
    before = received(OLD) + built(OLD)
    log(host, SINCE_BOOT, before, before + received(OLD, NEW), before + received(OLD, NEW) + built(OLD, NEW))
    ran = host.run(SERVE)
    assert (ran.code, ran.out) == (0, "kp-routes shop-web-v2 log\n")
    assert ran.seconds == pytest.approx(2 * 0.1)


def test_a_new_container_is_not_served_by_routers_of_the_configuration_before(host, traefik):
    received, built = traefik
    host.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}"))
    late = received(OLD) + received(OLD, NEW) + built(OLD)
    log(host, SINCE_BOOT, late, late + built(OLD, NEW) + again(received(OLD, NEW)))
    assert host.run(SERVE).seconds == pytest.approx(0.1)


@pytest.mark.parametrize("addresses", [f"{OLD} 172.18.0.9", f"172.18.0.9 {OLD}", f"{OLD} [fd00::3]"])
def test_one_address_of_a_container_is_enough(host, traefik, addresses):
    """Traefik uses the one that is on a network of its own."""
    received, built = traefik
    host.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {addresses}"))
    log(host, SINCE_BOOT, received(OLD) + built(OLD))
    ran = host.run(SERVE)
    assert (ran.code, ran.out, ran.seconds) == (0, "kp-routes shop-web-v2 log\n", 0)


def test_a_container_with_two_addresses_is_dropped_when_both_are_gone(host, traefik):
    received, built = traefik
    host.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 healthy {OLD} 172.18.0.9"))
    one = received("172.18.0.9") + built("172.18.0.9")
    log(host, SINCE_DRAIN, one, one + received(NEW) + built(NEW))
    assert host.run(DROP).seconds == pytest.approx(2 * 0.1 + 0.05)


def test_a_container_that_has_ipv6_alone_is_waited_for_by_its_address(host, traefik):
    received, built = traefik
    host.docker(NOTED.format("shop-web-v1"), seen("shop-web-v1 healthy [fd00::3]"))
    before = received("[fd00::3]", NEW) + built("[fd00::3]", NEW)
    log(host, SINCE_DRAIN, before, before + received("[fd00::30]", NEW) + built("[fd00::30]", NEW))
    assert host.run(DROP).seconds == pytest.approx(2 * 0.1 + 0.05)


def test_a_container_without_an_address_of_its_own_gets_the_fixed_time(host):
    """One on the host's network: the log names it by no address that is its own."""
    host.docker(NOTED.format("shop-web-v1"), seen("shop-web-v1 healthy"))
    assert host.run(DROP).seconds == 5


@pytest.mark.parametrize(
    ("driver", "readable", "seconds"), [("none", False, 5), ("syslog", False, 5), ("syslog", True, 0.15)]
)
def test_a_log_that_docker_cannot_read_back_is_not_waited_for(host, driver, readable, seconds):
    at = AT.replace("json-file", driver)
    host.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 healthy {OLD}", at=at))
    host.docker("logs --tail 1 traefik", Answer(code=int(not readable)))
    if readable:
        log(host, SINCE_DRAIN, v3(NEW) + v3_built(NEW))
    ran = host.run(DROP)
    assert (ran.code, ran.seconds) == (0, pytest.approx(seconds))


BEGUN_ANEW = "2026-05-01T10:00:00.123456789Z a line in the middle"


@pytest.mark.parametrize(
    ("first", "seconds"),
    [(BEGINNING, 15), (BEGUN_ANEW, 5), (f"{BEGUN_ANEW}\n{BEGUN_ANEW} INF Traefik version 3.5.3 built on x\n", 15)],
    ids=["whole", "begun anew", "of a proxy that was started since"],
)
def test_a_log_that_was_begun_anew_meanwhile_gets_the_fixed_time(draining, first, seconds):
    """Docker keeps no more of a log than `max-size`: what it said before may be what is waited for."""
    log(draining, SINCE_DRAIN, v3(OLD, NEW) + v3_built(OLD, NEW))
    draining.docker("logs --timestamps traefik", first)
    ran = draining.run(DROP)
    assert (ran.code, ran.seconds) == (0, pytest.approx(seconds, abs=0.2))


@pytest.mark.parametrize(("first", "code", "seconds"), [(BEGINNING, 1, 15), (BEGUN_ANEW, 0, 5 + 2)])
def test_a_log_that_was_begun_anew_meanwhile_says_no_no(host, first, code, seconds):
    host.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}"))
    host.docker(f"logs --tail 1000 --since {STARTED} traefik", "")
    host.docker("logs --tail 1000 traefik", "")
    host.docker("inspect --format NETWORKS traefik shop-web-v2", "")
    host.docker("version --format ENGINE", "")
    log(host, SINCE_BOOT, v3(OLD) + v3_built(OLD))
    host.docker("logs --timestamps traefik", first)
    ran = host.run(SERVE)
    unproven = "kp-routes shop-web-v2 unproven no request can be made and its log does not tell\n"
    assert (ran.code, ran.out) == (code, "" if code else unproven)
    assert ran.seconds == pytest.approx(seconds, abs=0.4)


def test_a_log_that_goes_to_a_file_of_the_proxy_is_not_waited_for(host):
    proxy = DEBUG.replace('"]', '","--log.filepath=/var/log/traefik.log"]')
    host.docker(NOTED.format("shop-web-v1"), seen(f"shop-web-v1 healthy {OLD}", proxy=proxy))
    assert host.run(DROP).seconds == 5


FORGED_CONFIGURATION = 'Configuration received config={"http":{}} providerName=docker'
FORGED_BUILT = "Creating load-balancer serviceName=shop-web@docker"


@pytest.mark.parametrize(
    "line",
    [
        # What a neighbour's container answers, in a message of Traefik's own.
        'time="2026-05-01T10:00:00Z" level=debug msg="\'502 Bad Gateway\' caused by: malformed HTTP response \\"{}\\""',
        '2026-05-01T10:00:00Z DBG github.com/traefik/traefik/v3/pkg/proxy/proxy.go:100 > 502 Bad Gateway error="{}"',
        '{{"level":"debug","error":"malformed {}","time":"2026-05-01T10:00:00Z","message":"502 Bad Gateway"}}',
        # What a browser calls itself, in the log of accesses.
        '192.0.2.7 - - [01/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 3 "-" "{}" 1 "shop-web@docker"',
        '{{"ClientAddr":"192.0.2.7:1","level":"info","msg":"","request_User-Agent":"{}"}}',
    ],
)
def test_what_containers_and_clients_say_in_the_log_drops_no_server(draining, traefik, line):
    received, built = traefik
    forged = "".join(f"{line.format(text)}\n" for text in (FORGED_CONFIGURATION, FORGED_BUILT))
    log(draining, SINCE_DRAIN, received(OLD, NEW) + built(OLD, NEW) + forged)
    assert draining.run(DROP).seconds == pytest.approx(15, abs=0.5)


def test_the_router_by_which_the_proxy_is_asked_is_no_proof_of_the_containers_own(host, traefik):
    received, built = traefik
    host.docker(NOTED.format("shop-web-v2"), seen(f"shop-web-v2 healthy {NEW}"))
    of_gate = built(NEW).replace("serviceName=shop-web", "serviceName=kp-gate-0a")
    of_gate = of_gate.replace("serviceName=\x1b[0mshop-web", "serviceName=\x1b[0mkp-gate-0a")
    log(host, SINCE_BOOT, received(NEW) + of_gate, received(NEW) + of_gate + built(NEW))
    assert host.run(SERVE).seconds == pytest.approx(0.1)
