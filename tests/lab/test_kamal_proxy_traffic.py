"""The contract of kamal-proxy, whichever the lab has: where requests go, what changes on their way, when they wait."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from http.client import HTTPException

import pytest

from tests.lab import Load, kamal_proxy_image
from tests.lab.contract import HOST, HOST_PAGES, PAGES, QUICK, Bench, Got, ask, eventually

pytestmark = pytest.mark.lab


class Meanwhile:
    """Does something in a thread; its result is waited for at the end."""

    def __init__(self, work: Callable[[], Got]) -> None:
        self._got: list[Got] = []
        self._thread = threading.Thread(target=lambda: self._got.append(work()), daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> Got:
        self._thread.join(timeout=30)
        return self._got[0]


def in_flight(bench: Bench, host: str, seconds: float) -> Meanwhile:
    """Begin a request that takes a while; return when it has reached its target."""
    slow = Meanwhile(lambda: bench.get(host, f"/slow?s={seconds}"))
    eventually("the request to be under way", lambda: bench.get(host, "/busy").text != "0")
    return slow


# Where requests go


def test_the_exact_host_then_the_wildcard_then_whoever_takes_all(bench: Bench) -> None:
    bench.deploy("exact", target="one", host="www.shop.test")
    bench.deploy("wild", target="two", host="*.shop.test")
    assert bench.run("deploy", "rest", "--target=three:3000", *QUICK).code == 0
    hosts = ("www.shop.test", "www.shop.test:80", "other.shop.test", "deep.other.shop.test", "shop.test", "any.test")
    assert [bench.served_by(host) for host in hosts] == ["one", "one", "two", "three", "three", "three"]
    assert bench.run("remove", "rest").code == 0
    assert [bench.served_by(host) for host in hosts[2:]] == ["two", "404", "404", "404"]


def test_the_longest_prefix_has_the_path_and_takes_it_off(bench: Bench) -> None:
    bench.deploy("root", target="one", host="paths.test")
    bench.deploy("api", "--path-prefix=/api", target="two", host="paths.test")
    bench.deploy("deep", "--path-prefix=/api/deep", "--strip-path-prefix=false", target="three", host="paths.test")
    told = {path: bench.get("paths.test", path).echo for path in ("/x", "/api", "/api/x?y=%20", "/apix", "/api/deep/z")}
    assert {path: (each["name"], each["path"]) for path, each in told.items()} == {
        "/x": ("one", "/x"),
        "/api": ("two", "/"),
        "/api/x?y=%20": ("two", "/x?y=%20"),
        "/apix": ("one", "/apix"),
        "/api/deep/z": ("three", "/api/deep/z"),
    }


def test_several_targets_take_turns_and_the_sick_ones_none(bench: Bench) -> None:
    bench.deploy("many", "--target=two:3000", target="one")
    assert sorted(bench.served_by("many.test") for _ in range(6)) == ["one"] * 3 + ["two"] * 3
    with bench.sick("one"):
        eventually("the sick one to get no more", lambda: {bench.served_by("many.test") for _ in range(4)} == {"two"})
        with bench.sick("two"):
            eventually("nobody to be well", lambda: bench.served_by("many.test") == "503")
    eventually("both to be back", lambda: {bench.served_by("many.test") for _ in range(4)} == {"one", "two"})


def test_what_only_reads_goes_to_readers_but_not_right_after_a_write(bench: Bench) -> None:
    bench.deploy("readers", "--read-target=two:3000", "--writer-affinity-timeout=20s", target="one")
    assert bench.served_by("readers.test") == "two"
    wrote = bench.get("readers.test", "/name", "POST", b"x")
    assert wrote.text == "one"
    cookie = wrote.headers["Set-Cookie"]
    assert re.fullmatch(r"kamal-writer=\d{13}; Path=/; Expires=.* GMT; HttpOnly", cookie)
    assert bench.get("readers.test", Cookie=cookie.partition(";")[0]).text == "one"
    assert bench.get("readers.test", Cookie="kamal-writer=1000").text == "two"
    opted_out = bench.get("readers.test", "/cookie", "POST")
    assert opted_out.headers["Set-Cookie"] == "taste=sweet; Path=/jar"
    assert "X-Writer-Affinity" not in opted_out.headers


# What is changed on their way


def test_a_request_arrives_whole_with_headers_that_tell_where_it_came_from(bench: Bench) -> None:
    bench.deploy("plain")
    sent = {
        "Connection": "close, X-Drop",
        "X_Drop": "1",
        "X_Keep": "2",
        "User_Agent": "me",
        "X_Forwarded_For": "1.2.3.4",
    }
    told = bench.get("plain.test", "/a%2Fb?c=d;e", "PUT", b"text", **sent).echo
    headers = told["headers"]
    assert (told["method"], told["path"], told["body"]) == ("PUT", "/a%2Fb?c=d;e", "text")
    assert (headers["host"], headers["x-keep"], headers["user-agent"]) == ("plain.test", "2", "me")
    assert re.fullmatch(r"1\.2\.3\.4, [0-9.]+", headers["x-forwarded-for"])
    assert (headers["x-forwarded-proto"], headers["x-forwarded-host"]) == ("http", "plain.test")
    assert headers["x-kamal-target"] == "one:3000"
    assert re.fullmatch(r"t=\d{13}", headers["x-request-start"])
    assert len(headers["x-request-id"]) == 36
    assert not {"x-drop", "forwarded", "connection"} & set(headers)
    given = bench.get("plain.test", "/", X_Request_Id="mine", X_Forwarded_Proto="https", X_Forwarded_Host="h").echo
    names = ("x-request-id", "x-forwarded-proto", "x-forwarded-host")
    assert [given["headers"][name] for name in names] == ["mine", "https", "h"]


def test_headers_of_a_client_are_not_believed_where_that_was_asked(bench: Bench) -> None:
    bench.deploy("wary", "--forward-headers=false")
    headers = bench.get("wary.test", "/", X_Forwarded_For="1.2.3.4", X_Forwarded_Proto="https").echo["headers"]
    assert re.fullmatch(r"10\.[0-9.]+", headers["x-forwarded-for"])
    assert headers["x-forwarded-proto"] == "http"


def test_a_connection_serves_many_requests_of_every_kind(bench: Bench) -> None:
    bench.deploy("plain")
    connection = bench.connection()
    assert ask(connection, "plain.test").text == "one"
    first = connection.sock
    assert ask(connection, "plain.test", "/", "POST", b"x" * 200_000).echo["body"] == "x" * 200_000
    head = ask(connection, "plain.test", "/bytes?n=12", "HEAD")
    assert (head.status, head.text, head.headers["Content-Length"]) == (200, "", "12")
    assert ask(connection, "plain.test", "/nothing").status == 204
    assert len(ask(connection, "plain.test", "/bytes?n=3000000").text) == 3_000_000
    assert ask(connection, "nobody.test").status == 404
    connection.request("POST", "/", body=iter([b"in ", b"pieces"]), headers={"Host": "plain.test"}, encode_chunked=True)
    assert b'"in pieces"' in connection.getresponse().read()
    assert connection.sock is first
    connection.close()


def test_old_and_broken_clients_get_an_answer_and_the_end(bench: Bench) -> None:
    bench.deploy("plain")
    answers = {
        b"GET /name HTTP/1.0\r\nHost: plain.test\r\n\r\n": "200 OK",
        b"GET /name HTTP/1.1\r\n\r\n": "400 Bad Request: missing required Host header",
        b"nonsense\r\n\r\n": "400 Bad Request",
    }
    for question, expected in answers.items():
        with socket.create_connection((bench.address, 80), timeout=10) as plain:
            plain.sendall(question)
            answer = b"".join(iter(lambda: plain.recv(65536), b"")).decode()
        assert answer.partition("\r\n")[0].partition(" ")[2] == expected


def test_pieces_of_an_answer_are_passed_on_as_they_come(bench: Bench) -> None:
    bench.deploy("plain")
    bench.deploy("buffering", "--buffer-responses")
    for host, path, is_passed_on in (
        ("plain.test", "/chunks?s=0.4", True),
        ("buffering.test", "/events?s=0.4", True),
        ("buffering.test", "/chunks?s=0.4", False),
    ):
        connection = bench.connection()
        began = time.monotonic()
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        answer.readline()
        assert (time.monotonic() - began < 0.8) is is_passed_on
        answer.read()
        assert time.monotonic() - began > 1.1
        connection.close()


def test_an_answer_that_ends_too_early_does_so_for_the_client_as_well(bench: Bench) -> None:
    bench.deploy("plain")
    with pytest.raises((OSError, EOFError, HTTPException)):
        bench.get("plain.test", "/half")


def test_other_protocols_pass_until_their_target_is_drained(bench: Bench) -> None:
    bench.deploy("plain")
    with socket.create_connection((bench.address, 80), timeout=10) as plain:
        plain.sendall(b"GET /socket HTTP/1.1\r\nHost: plain.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        lines = plain.makefile("rb")
        assert lines.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        head = {line.strip().lower() for line in iter(lines.readline, b"\r\n")}
        assert {b"connection: upgrade", b"upgrade: echo"} <= head
        for word in (b"a\n", b"b\n"):
            plain.sendall(word)
            assert lines.readline() == b"one " + word
        began = time.monotonic()
        bench.deploy("plain", target="two")
        assert time.monotonic() - began < 3
        assert lines.readline() == b""


def test_bodies_have_the_limits_that_were_set(bench: Bench) -> None:
    words = ("--buffer-requests", "--max-request-body=100", "--buffer-responses", "--max-response-body=1000")
    bench.deploy("small", *words)
    assert bench.get("small.test", "/", "POST", b"x" * 100).status == 200
    assert bench.get("small.test", "/", "POST", b"x" * 101).status == 413
    assert bench.get("small.test", "/bytes?n=1000").text == "x" * 1000
    assert bench.get("small.test", "/bytes?n=1001").status == 500


def test_cookies_are_kept_to_the_prefix_where_that_was_asked(bench: Bench) -> None:
    bench.deploy("jar", "--path-prefix=/shop", "--scope-cookie-paths")
    assert "Path=/shop/jar" in bench.get("jar.test", "/shop/cookie").headers["Set-Cookie"]


# Health, switching and draining


def test_health_is_asked_where_and_as_the_options_say(bench: Bench) -> None:
    bench.deploy("hop", "--health-check-path=/hop", "--health-check-host=well.test")
    ran = bench.run("deploy", "hop", "--target=one:3000", "--health-check-port=3001", "--deploy-timeout=500ms")
    assert "within configured timeout (500ms)" in ran.error
    ran = bench.run("deploy", "hop", "--target=one:3001", "--health-check-port=3000", "--health-check-path=up", *QUICK)
    assert ran.code == 0
    assert bench.run("remove", "hop").code == 0


def test_a_switch_loses_no_request(bench: Bench) -> None:
    assert bench.run("deploy", "load", "--target=one:3000", *QUICK).code == 0
    with Load((f"http://{bench.address}/name",), seconds=30, rate=100) as load:
        eventually("the load to arrive", lambda: bench.address in bench.shell("docker logs --tail 20 kamal-proxy"))
        for target in ("two", "three", "one", "two"):
            assert bench.run("deploy", "load", f"--target={target}:3000", *QUICK).code == 0
    assert bench.run("remove", "load").code == 0
    assert load.report.failed == 0
    assert {"one", "two"} <= set(load.report.versions)


def test_a_deploy_returns_when_the_old_target_is_drained(bench: Bench) -> None:
    bench.deploy("drain", target="one")
    slow = in_flight(bench, "drain.test", 4.0)
    deploy = bench.begin("deploy", "drain", "--target=two:3000", "--host=drain.test", "--drain-timeout=20s")
    eventually("the switch", lambda: bench.served_by("drain.test") == "two")
    assert not slow.is_over
    assert deploy.poll() is None
    assert deploy.communicate(timeout=30) == ("", "")
    assert slow.is_over
    assert (slow.result().status, slow.result().text) == (200, "one")


def test_what_takes_longer_than_the_drain_is_cut(bench: Bench) -> None:
    bench.deploy("drain", target="one")
    slow = in_flight(bench, "drain.test", 12.0)
    bench.deploy("drain", "--drain-timeout=500ms", target="two")
    assert slow.result().status == 504
    assert slow.result().seconds < 10


def test_a_forced_deploy_switches_to_what_is_not_well_yet(bench: Bench) -> None:
    bench.deploy("force", target="one")
    with bench.sick("two"):
        bench.deploy("force", "--force", target="two")
        assert bench.served_by("force.test") == "503"
    eventually("the first probe that finds it well", lambda: bench.served_by("force.test") == "two")


def test_a_target_that_does_not_answer_in_time_is_not_waited_for(bench: Bench) -> None:
    bench.deploy("late", "--target-timeout=500ms")
    answer = bench.get("late.test", "/slow?s=5")
    assert answer.status == 504
    assert 0.5 <= answer.seconds < 3


def test_a_target_that_stops_and_starts_again_needs_no_word(bench: Bench) -> None:
    bench.deploy("stops", target="three")
    bench.shell("docker kill three")
    assert bench.get("stops.test").status == 502
    assert bench.row("stops")[4] == "running"
    bench.shell("docker start three")
    eventually("the target to be back", lambda: bench.served_by("stops.test") == "three")


# Pausing, stopping and pages


def test_a_paused_service_holds_requests_until_it_resumes(bench: Bench) -> None:
    bench.deploy("pauses")
    running = in_flight(bench, "pauses.test", 1.5)
    assert bench.run("pause", "pauses").code == 0
    assert running.is_over
    assert bench.row("pauses")[4] == "paused"
    held = Meanwhile(lambda: bench.get("pauses.test"))
    assert (bench.get("pauses.test", "/up").status, bench.get("pauses.test", "/up").text) == (200, "")
    assert not held.is_over
    assert bench.run("resume", "pauses").code == 0
    assert (held.result().status, held.result().text) == (200, "one")
    assert bench.run("pause", "pauses", "--max-pause=500ms").code == 0
    waited = bench.get("pauses.test")
    assert waited.status == 504
    assert 0.5 <= waited.seconds < 3
    assert bench.run("remove", "pauses").code == 0


def test_pages_of_a_service_are_its_own_and_must_be_there(bench: Bench) -> None:
    page = "<p>{{ if .Message }}We say: {{ .Message }}{{ else }}Gone fishing{{ end }}</p>"
    bench.shell(f"mkdir -p {HOST_PAGES}/v1 {HOST_PAGES}/none && cat >{HOST_PAGES}/v1/503.html", input=page)
    bench.deploy("pages", f"--error-pages={PAGES}/v1")
    for folder in ("none", "missing"):
        ran = bench.run("deploy", "pages", "--target=two:3000", "--host=pages.test", f"--error-pages={PAGES}/{folder}")
        assert (ran.code, ran.error) == (1, "Error: unable to load error pages\n")
    assert bench.served_by("pages.test") == "one"
    bench.run("stop", "pages")
    assert bench.get("pages.test").text == "<p>Gone fishing</p>"
    bench.run("stop", "pages", "--message", 'it\'s "tea" & <cake>')
    assert bench.get("pages.test").text == "<p>We say: it&#39;s &#34;tea&#34; &amp; &lt;cake&gt;</p>"
    assert bench.run("remove", "pages").code == 0


# TLS and the proxy itself


def test_a_certificate_of_ones_own_is_served_and_plain_requests_are_sent_there(bench: Bench) -> None:
    flags = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=safe.test"
    folder = f"{HOST_PAGES}/tls"
    bench.shell(f"mkdir -p {folder} && openssl req {flags} -keyout {folder}/key.pem -out {folder}/cert.pem 2>/dev/null")
    bench.shell(f"chmod 644 {folder}/*.pem")
    pair = (f"--tls-certificate-path={PAGES}/tls/cert.pem", f"--tls-private-key-path={PAGES}/tls/key.pem")
    bench.deploy("safe", "--tls", *pair)
    assert bench.row("safe")[5] == "yes"
    assert bench.get_tls("safe.test").text == "one"
    told = bench.get_tls("safe.test", "/", X_Forwarded_For="1.2.3.4").echo["headers"]
    assert (told["x-forwarded-proto"], told["x-forwarded-for"].count(",")) == ("https", 0)
    moved = bench.get("safe.test", "/a?b=c")
    assert (moved.status, moved.headers["Location"]) == (301, "https://safe.test/a?b=c")
    assert moved.headers["Connection"] == "close"
    bench.deploy("part", "--path-prefix=/part", target="two", host="safe.test")
    assert bench.get_tls("safe.test", "/part/name").text == "two"
    assert bench.state()["part"]["options"]["tls_enabled"] is True
    ran = bench.run(
        "deploy", "safe", "--target=two:3000", "--host=safe.test", "--tls", *pair[:1], "--tls-private-key-path=/no"
    )
    assert (ran.code, ran.error) == (1, "Error: unable to load certificate\n")
    assert bench.get_tls("safe.test").text == "one"


def test_a_name_without_a_certificate_gets_no_handshake(bench: Bench) -> None:
    bench.deploy("plain")
    with pytest.raises(ssl.SSLError):
        bench.get_tls("plain.test")
    bench.deploy("auto", "--tls", host="auto.test")
    with pytest.raises(ssl.SSLError):
        bench.get_tls("auto.test")
    assert bench.get("auto.test").status == 301


def test_the_canonical_host_is_where_all_are_sent(bench: Bench) -> None:
    bench.deploy("canon", "--host=www.canon.test", "--canonical-host=www.canon.test", host="canon.test")
    moved = bench.get("canon.test", "/a")
    assert (moved.status, moved.headers["Location"]) == (301, "http://www.canon.test/a")
    assert bench.served_by("www.canon.test") == "one"


def test_a_proxy_that_stops_lets_requests_end(bench: Bench) -> None:
    bench.deploy("plain")
    idle = bench.connection()
    ask(idle, "plain.test")
    slow = in_flight(bench, "plain.test", 2.0)
    bench.shell("docker stop --time 10 kamal-proxy")
    assert (slow.result().status, slow.result().text) == (200, "one")
    idle.close()
    bench.shell("docker start kamal-proxy")
    kamal_proxy_image.wait_until_ready(bench.lab, HOST)
    assert bench.served_by("plain.test") == "one"


def test_the_proxy_listens_where_it_is_told_to(bench: Bench) -> None:
    bench.deploy("plain")
    bench.shell("docker rm --force kamal-proxy")
    words = ("--http-port=8080", "--debug", "--metrics-port", "9090")
    options = "--publish 80:8080 --env HTTPS_PORT=8443 --env KAMAL_PROXY_HTTPS_PORT=9443 --publish 443:9443"
    kamal_proxy_image.start(bench.lab, HOST, *words, options=options)
    assert bench.served_by("plain.test") == "one"
    assert bench.get_tls("safe.test").text == "one"
