"""The contract of kamal-proxy, whichever the lab has: its command line, its state file and what outlives a restart."""

from __future__ import annotations

import json

import pytest

from tests.lab.contract import HOST_PAGES, PAGES, QUICK, STATE, Bench, eventually

pytestmark = pytest.mark.lab
SECOND = 1_000_000_000
AS_DEPLOYED = {
    "name": "plain",
    "options": {
        "hosts": [""],
        "path_prefixes": ["/"],
        "tls_enabled": False,
        "tls_certificate_path": "",
        "tls_private_key_path": "",
        "tls_redirect": True,
        "canonical_host": "",
        "acme_directory": "",
        "acme_cache_path": "/home/kamal-proxy/.config/kamal-proxy/certs",
        "error_page_path": "",
        "strip_prefix": True,
        "writer_affinity_timeout": SECOND,
        "read_targets_accept_websockets": False,
    },
    "target_options": {
        "health_check_config": {"path": "/up", "port": 0, "interval": SECOND, "timeout": 5 * SECOND, "host": ""},
        "response_timeout": 30 * SECOND,
        "buffer_requests": False,
        "buffer_responses": False,
        "max_memory_buffer_size": 1 << 20,
        "max_request_body_size": 0,
        "max_response_body_size": 0,
        "log_request_headers": None,
        "log_response_headers": None,
        "forward_headers": True,
        "scope_cookie_paths": False,
    },
    "active_targets": ["one:3000"],
    "active_readers": [],
    "rollout_targets": None,
    "rollout_readers": None,
    "pause_controller": {"state": 0, "stop_message": "", "fail_after": 0},
    "rollout_controller": None,
}
ERRORS = {
    "frob": 'unknown command "frob" for "kamal-proxy"\nRun \'kamal-proxy --help\' for usage.',
    "deploy": "accepts 1 arg(s), received 0",
    "deploy a b --target=one:3000": "accepts 1 arg(s), received 2",
    "deploy a": 'required flag(s) "target" not set',
    "deploy a --target": "flag needs an argument: --target",
    "deploy a --bogus": "unknown flag: --bogus",
    "deploy a -x": "unknown shorthand flag: 'x' in -x",
    "deploy a --target=one --deploy-timeout=30": (
        'invalid argument "30" for "--deploy-timeout" flag: time: missing unit in duration "30"'
    ),
    "deploy a --target=one --drain-timeout=soon": (
        'invalid argument "soon" for "--drain-timeout" flag: time: invalid duration "soon"'
    ),
    "deploy a --target=one --drain-timeout=3x": (
        'invalid argument "3x" for "--drain-timeout" flag: time: unknown unit "x" in duration "3x"'
    ),
    "deploy a --target=one --buffer-memory=1MB": (
        'invalid argument "1MB" for "--buffer-memory" flag: strconv.ParseInt: parsing "1MB": invalid syntax'
    ),
    "deploy a --target=one --tls=maybe": (
        'invalid argument "maybe" for "--tls" flag: strconv.ParseBool: parsing "maybe": invalid syntax'
    ),
    "deploy a --target=one --max-request-body=5": (
        "max-request-body can only be set when request buffering is enabled"
    ),
    "deploy a --target=one --max-response-body=5": (
        "max-response-body can only be set when response buffering is enabled"
    ),
    "deploy a --target=one --tls --host=a.test --path-prefix=/x": (
        "TLS settings must be specified on the root path service"
    ),
    "deploy a --target=one --tls-certificate-path=/x": (
        "if any flags in the group [tls-certificate-path tls-private-key-path] are set they must all be set; "
        "missing [tls-private-key-path]"
    ),
    "deploy a --target=one --host=a.test --host=b.test --canonical-host=c.test": (
        "canonical-host 'c.test' must be present in the hosts list: [a.test b.test]"
    ),
    "deploy a --target=one/two": "one/two :invalid host pattern",
    "deploy a --target=one:3000 --tls --host=*.a.test": "automatic TLS does not support wildcards",
    "remove nobody": "service not found",
    "stop nobody": "service not found",
    "pause nobody": "service not found",
    "resume nobody": "service not found",
    "remove": "accepts 1 arg(s), received 0",
    "list nobody": 'unknown command "nobody" for "kamal-proxy list"',
    "rollout deploy nobody --target=one:3000": "service not found",
    "rollout deploy nobody": 'required flag(s) "target" not set',
    "rollout set nobody": "at least one of the flags in the group [percent list] is required",
    "rollout set nobody --percent=5": "service not found",
    "rollout stop nobody": "service not found",
    "deploy a --target=nowhere:3000 --deploy-timeout=1500ms": (
        "target failed to become healthy within configured timeout (1.5s)"
    ),
    "run": "listen tcp :80: bind: address already in use",
}


def test_an_empty_proxy_lists_its_headings_and_knows_no_host(bench: Bench) -> None:
    headings = ("Service", "Host", "Path", "Target", "State", "TLS")
    assert bench.list() == "".join(f"\033[3;94m{heading}\033[0m  " for heading in headings) + "\n"
    assert bench.get("any.test").status == 404


def test_a_deploy_with_defaults_writes_all_of_them(bench: Bench) -> None:
    ran = bench.run("deploy", "plain", "--target=one:3000")
    assert (ran.code, ran.out, ran.error) == (0, "", "")
    text = bench.shell(f"cat {STATE}")
    assert json.loads(text) == [AS_DEPLOYED]
    assert text.endswith("]\n")
    assert text.count("\n") == 1
    assert list(json.loads(text)[0]) == list(AS_DEPLOYED)
    assert bench.shell(f"stat -c %a {STATE}") == "644\n"
    assert bench.get("any.test").text == "one"


def test_the_list_is_a_table_with_colours(bench: Bench) -> None:
    widths = {"Service": 7, "Host": 4, "Path": 4, "Target": 8, "State": 7, "TLS": 3}
    values = ("plain", "*", "/", "one:3000", "running", "no")
    head = "".join(f"\033[3;94m{name}\033[0m{' ' * (width - len(name))}  " for name, width in widths.items())
    first, *others = (
        f"\033[{{}}m{value}\033[0m{' ' * (width - len(value))}  "
        for value, width in zip(values, widths.values(), strict=True)
    )
    assert bench.list() == head + "\n" + first.format("1;34") + "".join(cell.format("") for cell in others) + "\n"


def test_removing_a_service_forgets_it(bench: Bench) -> None:
    assert bench.run("rm", "plain").code == 0
    assert bench.shell(f"cat {STATE}") == "[]\n"
    assert bench.get("any.test").status == 404


def test_each_option_has_its_place_in_the_state(bench: Bench) -> None:
    options = ["--host=x.test,y.test", "--host=z.test", "--path-prefix=/api/", "--path-prefix=v2", "--tls-staging"]
    options += ["--strip-path-prefix=false", "--canonical-host=x.test", "--writer-affinity-timeout=1m30s"]
    options += ["--read-target-websockets", "--read-target=two:3000", "--health-check-path=/well"]
    options += ["--health-check-port=3000", "--health-check-interval=0.5s", "--health-check-timeout=2s"]
    options += ["--health-check-host=h.test", "--target-timeout=7s", "--buffer-requests", "--buffer-responses"]
    options += ["--buffer-memory=5000", "--max-request-body=100", "--max-response-body=200", "--tls-redirect=0"]
    options += ["--log-request-header=x-request-ID", "--log-response-header=ETag", "--forward-headers=false"]
    options += ["--scope-cookie-paths", "--tls-acme-cache-path=/tmp/acme"]
    assert bench.run("deploy", "full", "--target", "one:3000", *options).code == 0
    found = bench.state()["full"]
    assert found["options"] == AS_DEPLOYED["options"] | {  # type: ignore[operator]
        "hosts": ["x.test", "y.test", "z.test"],
        "path_prefixes": ["/api", "/v2"],
        "canonical_host": "x.test",
        "acme_directory": "https://acme-staging-v02.api.letsencrypt.org/directory",
        "acme_cache_path": "/tmp/acme",
        "strip_prefix": False,
        "writer_affinity_timeout": 90 * SECOND,
        "read_targets_accept_websockets": True,
    }
    assert found["target_options"] == {
        "health_check_config": {
            "path": "/well",
            "port": 3000,
            "interval": SECOND // 2,
            "timeout": 2 * SECOND,
            "host": "h.test",
        },
        "response_timeout": 7 * SECOND,
        "buffer_requests": True,
        "buffer_responses": True,
        "max_memory_buffer_size": 5000,
        "max_request_body_size": 100,
        "max_response_body_size": 200,
        "log_request_headers": ["X-Request-Id"],
        "log_response_headers": ["Etag"],
        "forward_headers": False,
        "scope_cookie_paths": True,
    }
    assert (found["active_targets"], found["active_readers"]) == (["one:3000"], ["two:3000"])
    assert bench.row("full") == ["full", "x.test,y.test,z.test", "/api,/v2", "one:3000,two:3000", "running", "no"]
    assert bench.run("remove", "full").code == 0


def test_what_is_wrong_is_refused_in_the_proxys_words(bench: Bench) -> None:
    bench.deploy("kept")
    found = dict(zip(ERRORS, bench.errors(list(ERRORS)), strict=True))
    assert found == ERRORS
    assert list(bench.state()) == ["kept"]


def test_help_is_no_error(bench: Bench) -> None:
    for words in ((), ("--help",), ("deploy", "--help"), ("rollout",)):
        ran = bench.run(*words)
        assert (ran.code, ran.error) == (0, "")
        assert "Usage:" in ran.out


def test_a_route_belongs_to_one_service(bench: Bench) -> None:
    bench.deploy("kept")
    ran = bench.run("deploy", "thief", "--target=two:3000", "--host=free.test", "--host=kept.test", *QUICK)
    assert (ran.code, ran.error) == (1, "Error: host settings conflict with another service\n")
    assert bench.get("free.test").status == 404
    bench.deploy("neighbour", "--path-prefix=/deep", target="two", host="kept.test")
    assert bench.get("kept.test", "/deep/name").text == "two"
    assert bench.run("remove", "neighbour").code == 0


def test_a_target_that_never_becomes_healthy_changes_nothing(bench: Bench) -> None:
    bench.deploy("kept")
    before = bench.state()
    with bench.sick("two"):
        ran = bench.run("deploy", "kept", "--target=two:3000", "--host=other.test", "--deploy-timeout=1s")
    assert (ran.code, ran.out) == (1, "")
    assert ran.error == "Error: target failed to become healthy within configured timeout (1s)\n"
    assert 1.0 <= ran.seconds < 4
    assert bench.state() == before
    assert bench.served_by("kept.test") == "one"


def test_a_deploy_goes_on_when_its_client_is_killed(bench: Bench) -> None:
    bench.deploy("kept")
    words = " ".join(["--target=two:3000", "--host=kept.test", *QUICK])
    with bench.sick("two"):
        bench.shell(f"timeout -s KILL 1 docker exec kamal-proxy kamal-proxy deploy kept {words}", check=False)
        assert bench.served_by("kept.test") == "one"
    eventually("the deploy of the dead client", lambda: bench.served_by("kept.test") == "two")
    assert bench.state()["kept"]["active_targets"] == ["two:3000"]


def test_of_two_deploys_the_one_that_is_healthy_last_wins(bench: Bench) -> None:
    bench.deploy("kept", target="three")
    with bench.sick("one"):
        first = bench.begin("deploy", "kept", "--target=one:3000", "--host=kept.test", *QUICK)
        eventually("the first to wait", lambda: "one:3000" in bench.shell("docker logs --tail 3 kamal-proxy"))
        bench.deploy("kept", target="two")
        assert bench.served_by("kept.test") == "two"
    assert first.communicate(timeout=30) == ("", "")
    assert first.returncode == 0
    assert bench.served_by("kept.test") == "one"


def test_a_restart_cancels_what_waits_and_keeps_what_serves(bench: Bench) -> None:
    bench.deploy("kept")
    with bench.sick("two"):
        waiting = bench.begin("deploy", "kept", "--target=two:3000", "--host=kept.test", "--deploy-timeout=30s")
        eventually("the deploy to wait", lambda: "two:3000" in bench.shell("docker logs --tail 3 kamal-proxy"))
        bench.restart()
        # The client's process may end with the container, before it can say so.
        assert waiting.communicate(timeout=30) in (("", "Error: unexpected EOF\n"), ("", ""))
        assert waiting.returncode != 0
    assert bench.served_by("kept.test") == "one"
    assert bench.row("kept")[3] == "one:3000"


def test_stopped_with_a_message_survives_a_deploy_and_a_restart(bench: Bench) -> None:
    bench.deploy("kept")
    assert bench.run("stop", "kept", "--message=Back <soon>").code == 0
    assert bench.row("kept")[4] == "stopped"
    answer = bench.get("kept.test")
    assert answer.status == 503
    assert "Back &lt;soon&gt;" in answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert bench.get("kept.test", "/up").status == 200
    assert bench.get("kept.test", "/up", "POST").status == 503
    assert "\\u003csoon\\u003e" in bench.shell(f"cat {STATE}")
    bench.deploy("kept", target="two")
    bench.restart()
    assert bench.get("kept.test").status == 503
    assert bench.state()["kept"]["pause_controller"] == {"state": 2, "stop_message": "Back <soon>", "fail_after": 0}
    assert bench.run("resume", "kept").code == 0
    assert bench.served_by("kept.test") == "two"
    assert bench.state()["kept"]["pause_controller"] == {"state": 0, "stop_message": "", "fail_after": 0}


def test_a_service_that_was_removed_is_new_when_it_comes_back(bench: Bench) -> None:
    bench.deploy("kept")
    bench.run("stop", "kept")
    assert bench.run("remove", "kept").code == 0
    bench.deploy("kept")
    assert bench.served_by("kept.test") == "one"


def test_a_rollout_takes_whom_it_names_and_its_share(bench: Bench) -> None:
    bench.deploy("kept")
    assert bench.run("rollout", "set", "kept", "--percent=50").error == "Error: rollout target not set\n"
    words = ("--target=two:3000", "--deploy-timeout=5s")
    assert bench.run("rollout", "deploy", "kept", *words).code == 0
    assert bench.row("kept")[3] == "one:3000"
    assert bench.run("rollout", "set", "kept", "--percent=0", "--list=ann,bob").code == 0
    state = bench.state()["kept"]
    assert (state["rollout_targets"], state["rollout_readers"]) == (["two:3000"], [])
    assert state["rollout_controller"] == {"percentage": 0, "percentage_split_point": 0, "allowlist": ["ann", "bob"]}
    answers = [bench.get("kept.test", Cookie=f"kamal-rollout={value}").text for value in ("ann", "bob", "cyd")]
    assert (answers, bench.served_by("kept.test")) == (["two", "two", "one"], "one")
    assert bench.run("rollout", "set", "kept", "--percent=50").code == 0
    split = {"percentage": 50, "percentage_split_point": 2147483647.5, "allowlist": None}
    assert bench.state()["kept"]["rollout_controller"] == split
    bench.restart()
    # FNV-1a of these, against half of 2**32.
    values = ("u1", "0e5a8c1c", "77fd", "alpha", "omega", "x")
    expected = ["two" if fnv1a(value) <= 2147483647.5 else "one" for value in values]
    assert [bench.get("kept.test", Cookie=f"kamal-rollout={value}").text for value in values] == expected
    assert bench.run("rollout", "stop", "kept").code == 0
    assert bench.get("kept.test", Cookie="kamal-rollout=u1").text == "one"
    bench.deploy("kept", target="three")
    assert bench.state()["kept"]["rollout_targets"] == ["two:3000"]
    assert bench.state()["kept"]["rollout_controller"] is None


def fnv1a(text: str) -> int:
    result = 0x811C9DC5
    for byte in text.encode():
        result = (result ^ byte) * 0x01000193 % 2**32
    return result


def test_a_broken_service_takes_all_others_from_a_proxy_that_restarts(bench: Bench) -> None:
    bench.shell(f"mkdir -p {HOST_PAGES}/pages && echo sorry >{HOST_PAGES}/pages/503.html")
    bench.deploy("sound")
    bench.deploy("broken", f"--error-pages={PAGES}/pages")
    bench.shell(f"rm -r {HOST_PAGES}/pages")
    bench.restart()
    assert bench.rows() == [["Service", "Host", "Path", "Target", "State", "TLS"]]
    assert bench.get("sound.test").status == 404
    assert {"sound", "broken"} <= set(bench.state())
    bench.deploy("third")
    assert set(bench.state()) == {"third"}


@pytest.mark.parametrize("content", ["", '[{"name":"third","options"'])
def test_a_state_file_that_was_cut_restores_nothing(bench: Bench, content: str) -> None:
    bench.shell(f"docker stop kamal-proxy && cat >{STATE} && docker start kamal-proxy", input=content)
    eventually("the proxy to be back", lambda: bench.run("list").code == 0)
    assert len(bench.rows()) == 1
    assert bench.shell(f"cat {STATE}") == content
